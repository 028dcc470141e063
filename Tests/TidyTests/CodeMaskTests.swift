import Testing

@Suite struct CodeMaskTests {
    @Test(
        arguments: [
            ("a // b", "a     "), ("a /* b /* c */ d */ e", "a                   e"), ("f(\"a!\") + 1", "f(    ) + 1"),
            ("f(\"a\\\"b\") + 1", "f(      ) + 1"), ("f(\"\\(g(\"h\"))\")", "f(           )"),
            ("#\"a\"b\"# + c", "        + c"),
            ("\"\"\"\n\" a\n\"\"\" + b", "   \n   \n    + b"), ("#if os(Linux)", "#if os(Linux)"),
        ] as [(String, String)])
    func `everything except code is blank`(text: String, masked: String) {
        #expect(CodeMask.mask(text) == masked)
    }

    @Test(
        arguments: [
            ("foo!", true), ("foo()!.bar", true), ("foo[1]!", true), ("var a: Int!", true), ("a != b", false),
            ("!a", false), ("a!=b", false), ("if !a, !(b)", false), ("x as! Int", true),
        ] as [(String, Bool)])
    func `an exclamation mark after a value is a force unwrap`(code: String, isForced: Bool) {
        #expect(Code.forcesUnwrap(code) == isForced)
    }

    @Test func `words are whole identifiers`() {
        #expect(Code.words("let aSocket: Socket_1 = .Socket(`in`)") == ["let", "aSocket", "Socket_1", "Socket", "in"])
    }
}
