import Testing

@testable import Grammars
@testable import JSON

/// Grammars in Lark's notation.
@Suite struct LarkGrammarTests {
    static let grammars: [(String, [String], [String])] = [
        (
            """
            %llguidance {}
            // A sum.
            start: NUMBER (("+" | "-") NUMBER)*
            %import common.NUMBER
            %ignore " "
            """, ["1", "1+2", "1 + 2.5 - 3e7"], ["", "+", "1 +", "a"]
        ),
        (
            """
            ?start: sum
            ?sum: product
                | sum "+" product   -> add
                | sum "-" product   -> sub
            ?product: atom
                | product "*" atom  -> mul
            ?atom: INT
                 | "-" atom
                 | "(" sum ")"
            %import common.INT
            %import common.WS_INLINE
            %ignore WS_INLINE
            """, ["1", "1+2*3", "(1 - -2) * 30"], ["1+", "()", "2*"]
        ),
        (
            #"start: "select"i " " NAME ("," NAME)~0..2\#nNAME: /[a-z]{1,5}/"#, ["SELECT a", "Select ab,c,d"],
            ["select a,b,c,d", "selec a"]
        ),
        (
            #"start: "a".."f"~2 [X] Y?\#nX.2: "x" | "y"\#n!Y: X "z""#, ["ab", "ffx", "aayz", "ccyxz"],
            ["a", "gg", "abz"]
        ),
        (#"start: /[^a]/i /b.c/s"#, ["xb\nc", "ébxc"], ["abxc", "Abxc"]),
        (#"start: (A B)+ | "\x41\u00e9\n""# + "\nA: \"a\"\nB: \"b\"{2}\n", ["abb", "abbabb", "Aé\n"], ["ab", "A"]),
        (##"start: "#" "//" # a comment"##, ["#//"], ["#"]),
        (
            #"start: "x" %json {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"]} "y""#,
            [#"x{"a":1}y"#], ["x{}y"]
        ),
        (#"start: <tool_call> "a""#, ["<tool_call>a"], ["a"]),
        ("start: (\n  \"a\"\n  | \"b\"\n) \"c\"", ["ac", "bc"], ["a"]),
    ]

    @Test func `a grammar accepts its texts and no others`() throws {
        for (grammar, valid, invalid) in Self.grammars {
            #expect(GrammarSource.grammar(grammar) == .lark(grammar))
            let reader: GrammarReader
            do { reader = try GrammarReader(.lark(grammar)) } catch {
                Issue.record("\(grammar): \(error)")
                continue
            }
            for text in valid { #expect(try reader.reads(text), "\(grammar): \(text)") }
            for text in invalid { #expect(try !reader.reads(text), "\(grammar): \(text)") }
        }
    }

    @Test(arguments: ["start[capture]: \"ab\"", "start: x\nx[capture=\"name\"]: \"ab\""])
    func `capture attributes change nothing`(grammar: String) throws {
        #expect(throws: Never.self) { try GrammarSource.lark(grammar).grammar() }
    }

    @Test(
        arguments: [
            ("start: a{b}\na{x}: x", "template 'a'"), ("a: \"x\"", "no rule 'start'"),
            ("start: b", "uses 'b', which it does not define"), ("start: \"a\"\nstart: \"b\"", "'start' twice"),
            ("start: \"a\n", "unterminated literal (line 1)"), ("start: \"a\"\n%declare X", "'%declare'"),
            ("start: X\n%import python.X", "a library other than 'common' (line 2)"),
            ("start: X\n%import common.NOPE", "'common.NOPE'"), ("start: /a/x", "flag 'x'"),
            ("start: /(?=a)/", "lookaround"), ("start: (\"a\"", "unclosed '('"), ("start: \"a\"~3..2", "wrong order"),
            ("start: \"a\"~20000", "more than 10000"), ("start: X\nX: b\nb: \"c\"", "rule 'b' inside a terminal"),
            ("start: a\na: b\nb: a \"x\" | \"y\"", "begins with itself"), ("start: <nope>", "token '<nope>'"),
            ("start[lazy]: \"a\"", "attributes of 'start'"), ("start[capture, lazy]: \"a\"", "attributes of 'start'"),
            ("start: \"b\"..\"a\"", "range"),
            ("start = \"a\"", "no ':'"),
        ] as [(String, String)])
    func `an unsupported feature is refused with its name`(grammar: String, reason: String) {
        let error = #expect(throws: GrammarError.self) { try GrammarSource.lark(grammar).grammar() }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func `a grammar with ::= is in GBNF`() {
        for text in ["root ::= \"a\"", "# a comment\n  root   ::= x\nx ::= \"start: \"", "root\n  ::= \"a\""] {
            #expect(GrammarSource.grammar(text) == .gbnf(text))
        }
        #expect(GrammarSource.grammar("start: \"a ::= b\"") == .lark("start: \"a ::= b\""))
    }

    @Test(.timeLimit(.minutes(10))) func `hostile grammars finish`() throws {
        let deep = "start: " + String(repeating: "(", count: 50_000)
        let wide = "start: " + (0..<20_000).map { "\"t\($0)\"" }.joined(separator: " | ")
        let chain =
            "start: r0\n" + (0..<9_000).map { "r\($0): r\($0 + 1) \"x\"" }.joined(separator: "\n") + "\nr9000: \"y\""
        let ignored = "start: \"a\"+\n" + (0..<5_000).map { "%ignore \"i\($0)\"" }.joined(separator: "\n")
        for text in [
            deep, wide, chain, ignored, String(repeating: "a", count: 200_000), String(repeating: "\n", count: 200_000),
        ] {
            _ = try? GrammarSource.lark(text).grammar()
        }
    }
}
