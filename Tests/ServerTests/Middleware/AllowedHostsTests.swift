import Testing

@testable import Server

@Suite struct AllowedHostsTests {
    @Test(arguments: [
        "localhost", "LocalHost:8000", "localhost.", "127.0.0.1:1", "127.9.9.9", "[::1]:80", "[::1]", "", nil,
    ])
    func `this machine's own names are always allowed`(authority: String?) throws {
        #expect(AllowedHosts.loopback.allows(authority))
        #expect(try #require(AllowedHosts("a.example")).allows(authority))
    }

    @Test(
        arguments: [
            "a.example", "localhost.a.example", "127.0.0.1.a.example", "xlocalhost", "localhost@a.example", "0.0.0.0",
            "[::]",
            "[::1].a.example", "[localhost", "2130706433",
        ])
    func `other names are not`(authority: String) {
        #expect(!AllowedHosts.loopback.allows(authority))
    }

    @Test func `names are compared ignoring case, port and final dot`() throws {
        let hosts = try #require(AllowedHosts("A.example, b.example.,10.0.0.1,[fd00::1]"))
        for authority in ["a.example", "A.EXAMPLE:80", "a.example.", "b.example", "10.0.0.1:9", "[FD00::1]:9"] {
            #expect(hosts.allows(authority))
        }
        for authority in ["c.example", "x.a.example", "a.example.x", "10.0.0.2"] { #expect(!hosts.allows(authority)) }
        #expect(try #require(AllowedHosts("*")).allows("any.example"))
    }

    @Test(arguments: ["", ",", "a.example:80", "https://a.example", "*.example", "a,,b", "user@a"])
    func `an invalid name is refused`(text: String) {
        #expect(AllowedHosts(text) == nil)
    }
}
