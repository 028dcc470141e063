import Testing
import Text

@Suite struct JSONTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-7", "12345678901234567890", "1.5", "1e+22", "1e-07", "\"\"", "\"a\\n\\\"\\\\\"",
        "[]", "{}", "[1,[2,{\"b\":1,\"a\":2.0}],null]", "\"é🚀\"", "\"\\u0001\"",
    ])
    func `a value in canonical form survives a round trip`(text: String) throws {
        #expect(String(decoding: try JSONValue(parsing: text).serialized, as: UTF8.self) == text)
    }

    @Test(
        arguments: [
            ("\"\\ud83d\\ude80\"", JSONValue.string("🚀")), (" [ 1 , 2 ] \n", [1, 2]), ("1E2", 100.0), ("-0", 0),
            ("{\"a\":1,\"b\":2,\"a\":3}", ["a": 3, "b": 2]),
        ] as [(String, JSONValue)])
    func `a text has its value`(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    @Test(
        arguments: [
            ("", 0), ("[1,]", 3), ("{\"a\"}", 4), ("01", 1), ("1.", 2), ("1e", 2), ("1e999", 0), ("tru", 0), ("\"a", 0),
            ("\"\\ud83d\"", 7), ("\"\\x\"", 2), ("[1] 2", 4), ("{a:1}", 1), ("\"\u{1}\"", 1), ("NaN", 0), ("-", 1),
        ] as [(String, Int)])
    func `a broken text is refused at its byte`(text: String, offset: Int) {
        #expect { try JSONValue(parsing: text) } throws: { ($0 as? JSONError)?.offset == offset }
    }

    @Test func `invalid UTF-8 is refused`() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func `nesting is bounded`() throws {
        let deepest = JSONValue.maximumDepth
        _ = try JSONValue(parsing: String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest))
        #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: "[", count: 100_000)) }
    }

    @Test func `names that differ only in normalization are different members`() throws {
        let value = try JSONValue(parsing: "{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(value.object?.count == 2)
        #expect(value["e\u{301}"] == 2)
    }
}
