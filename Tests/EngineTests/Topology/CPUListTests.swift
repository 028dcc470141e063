import Testing

@testable import Engine

struct CPUListTests {
    @Test(arguments: [("", ""), ("0", "0"), ("0-3,8", "0-3,8"), ("5,3,4,9,3-4", "3-5,9"), ("0-0", "0")])
    func `lists are sorted and merged`(text: String, normal: String) throws {
        let list = try #require(CPUList(text))
        #expect("\(list)" == normal)
    }

    @Test(arguments: ["a", "-1", "3-1", "1-2-3", "1,,2", ",", "1-", "0-8192", "1 2", "0x1", "99999999999999999999"])
    func `other texts are refused`(text: String) {
        #expect(CPUList(text) == nil)
    }
}
