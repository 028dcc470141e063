import Testing

@testable import Grammars

/// Grammars in GBNF.
@Suite struct GBNFGrammarTests {
    private func reads(_ grammar: String, _ text: String) throws -> Bool {
        try GrammarReader(.gbnf(grammar)).reads(text)
    }

    @Test(
        arguments: [
            (#"root ::= "yes" | "no""#, ["yes", "no"], ["", "y", "yesno"]),
            (#"root ::= [a-c]+ "-"? [^a-z]{2,3}"#, ["a-12", "abc☃é"], ["-12", "a1", "aa1234"]),
            ("root ::= a b*\na ::= \"x\" #comment\n\nb ::= (\"y\" | \"z\")  ", ["x", "xyzz"], ["y", "xx"]),
            // Rules go on in the next line, and names have hyphens.
            ("root ::=\n  first-part\n  | \"b\"\nfirst-part ::= \"a\" (\n \"c\" )", ["ac", "b"], ["a", "c"]),
            (#"root ::= "(" root ")" | "x""#, ["x", "((x))"], ["(x", "()"]),
            (#"root ::= "\"\\\n\x41é\U0001F600" [\]\-\^]"#, ["\"\\\nAé😀]", "\"\\\nAé😀^"], ["\"\\\nAé😀x"]),
            ("root ::= .{3} \"\"", ["a\né", "☃☃☃"], ["ab"]),
            (#"root ::= "a"{2} "b"{1,} "c"{0}"#, ["aab", "aabbb"], ["ab", "aa", "aabc"]),
        ] as [(String, [String], [String])])
    func `a grammar reads its texts`(grammar: String, valid: [String], invalid: [String]) throws {
        for text in valid { #expect(try reads(grammar, text), "\(text)") }
        for text in invalid { #expect(try !reads(grammar, text), "\(text)") }
    }

    @Test func `llama.cpp's grammar of JSON reads JSON`() throws {
        let grammar = #"""
            root   ::= object
            value  ::= object | array | string | number | ("true" | "false" | "null") ws

            object ::=
              "{" ws (
                        string ":" ws value
                ("," ws string ":" ws value)*
              )? "}" ws

            array  ::=
              "[" ws (
                        value
                ("," ws value)*
              )? "]" ws

            string ::=
              "\"" (
                [^"\\\x7F\x00-\x1F] |
                "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
              )* "\"" ws

            number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws

            # Optional space: by convention, applied in this grammar after literal chars when allowed
            ws ::= | " " | "\n" [ \t]{0,20}
            """#
        #expect(try reads(grammar, #"{"a": [1, -2.5e3, {"é\n": null}], "b": true}"#))
        for text in ["[]", #"{"a" 1}"#, #"{"a": 01}"#, #"{"a": "\x"}"#] { #expect(try !reads(grammar, text)) }
    }

    @Test(
        arguments: [
            ("", "no rule 'root'"), ("x ::= \"a\"", "no rule 'root'"),
            ("root ::= a", "rule 'a', which it does not define"),
            ("root ::= \"a", "unterminated literal (line 1)"), ("root ::= (\"a\"", "unclosed '('"),
            ("root ::= \"a\")", "unexpected input"), ("root = \"a\"", "'::='"), ("root ::= [z-a]", "wrong order"),
            ("root ::= [a", "unclosed '['"), ("root ::= [^\\U00000000-\\U0010FFFF]", "empty character class"),
            ("root ::= \"a\"{2,1}", "wrong order"), ("root ::= \"a\"{99999}", "10000 times"),
            ("root ::= \"a\"{x}", "without a number"), ("root ::= \"\\q\"", "escape"),
            ("root ::= \"\\u12\"", "not a character"),
            ("root ::= \"a\"\nroot ::= \"b\"", "twice (line 2)"), ("root ::= root \"a\"", "begins with itself"),
            ("root ::= <think>", "not part of a rule"), ("\nroot ::= \"a\" *", "not part of a rule (line 2)"),
            ("root ::= " + String(repeating: "(", count: 200), "nests more than 100"),
        ])
    func `an invalid grammar is refused with its reason`(grammar: String, reason: String) {
        let error = #expect(throws: GrammarError.self) { try GrammarSource.gbnf(grammar).grammar() }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }
}
