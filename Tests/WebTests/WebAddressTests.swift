import Testing

@testable import Web

@Suite struct WebAddressTests {
    @Test func `a URL has a host, a port and a target`() throws {
        let address = try #require(WebAddress("HTTPS://Host.example/a%20b/c?x=%2F&y"))
        #expect(address.isSecure && address.host == "host.example" && address.port == 443)
        #expect(address.target == "/a%20b/c?x=%2F&y" && address.authority == "host.example")
        #expect(address.withoutQuery == "https://host.example/a%20b/c")
        let other = try #require(WebAddress("http://[::1]:8080"))
        #expect(other.host == "::1" && other.authority == "[::1]:8080" && other.target == "/")
    }

    @Test(arguments: [
        "", "a", "/a", "//", "ftp://a/b", "http:///a", "http://a:0/", "http://a:65536/", "file:///etc/passwd",
    ])
    func `other URLs are refused`(text: String) {
        #expect(WebAddress(text) == nil)
    }

    @Test func `a redirect may be relative to the host`() throws {
        let base = try #require(WebAddress("https://hub:8443/a/b?c"))
        #expect(WebAddress("/x?y=1", relativeTo: base)?.description == "https://hub:8443/x?y=1")
        #expect(WebAddress("http://other/x", relativeTo: base)?.isSecure == false)
        #expect(WebAddress("x", relativeTo: base) == nil && WebAddress("", relativeTo: base) == nil)
    }

    @Test func `only the same scheme, host and port have the same origin`() throws {
        let home = try #require(WebAddress("https://hub/a"))
        for (text, isSame) in [
            ("https://hub/b", true), ("https://HUB:443/b", true), ("http://hub/b", false), ("https://hub:8443/", false),
            ("https://hub.other/", false), ("https://cdn.hub/", false),
        ] {
            #expect(WebAddress(text)?.hasSameOrigin(as: home) == isSame, "\(text)")
        }
    }

    @Test func `names are encoded, so that they stay parts of the path`() {
        #expect(WebAddress.encode("refs/pr/1", isPath: false) == "refs%2Fpr%2F1")
        #expect(WebAddress.encode("a b/ü?#%\n.gguf", isPath: true) == "a%20b/%C3%BC%3F%23%25%0A.gguf")
    }

    @Test func `the environment names proxies and hosts without one`() throws {
        let proxies = WebProxies(environment: [
            "http_proxy": "proxy:3128", "HTTPS_PROXY": "http://user:p%40ss@secure:3129",
            "no_proxy": "localhost, .internal,10.0.0.1:8080",
        ])
        func proxy(_ url: String) throws -> WebAddress? { try proxies.proxy(for: #require(WebAddress(url))) }
        #expect(try proxy("http://hub/")?.authority == "proxy:3128")
        #expect(try proxy("https://hub/")?.authority == "secure:3129")
        #expect(try proxy("https://hub/")?.user == "user:p@ss")
        for url in ["http://localhost:1/", "https://a.internal/", "https://internal/", "http://10.0.0.1:8080/"] {
            #expect(try proxy(url) == nil, "\(url)")
        }
        #expect(try proxy("http://10.0.0.1/") != nil && proxy("http://notinternal/") != nil)
        #expect(try WebProxies(environment: [:]).proxy(for: #require(WebAddress("http://a"))) == nil)
        for text in ["socks5://proxy:1", "https://proxy:1"] {
            let other = WebProxies(environment: ["all_proxy": text])
            #expect(throws: WebError.self) { try other.proxy(for: #require(WebAddress("http://a"))) }
        }
    }
}
