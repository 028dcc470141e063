import Basics
import TestSupport
import Testing

@testable import Grammars
@testable import JSON

/// Texts such as `</tool_call>` that are one token: other tokens cannot spell them.
@Suite struct GrammarMarkerTests {
    /// Ids 0 to 127 are characters.
    private static let (thinkEnd, callStart, callEnd): (Int32, Int32, Int32) = (128, 129, 130)
    /// A token that ends a spelled `</think>`.
    private static let tail: Int32 = 131

    private static let trie = VocabularyTrie(
        tokens: (0..<128).map { [UInt8($0)] }
            + ["</think>", "<tool_call>", "</tool_call>", "nk>"].map { Array($0.utf8) },
        markers: ["</think>": thinkEnd, "<tool_call>": callStart, "</tool_call>": callEnd])

    private static let tool: JSONValue = [
        "type": "function",
        "function": ["name": "f", "parameters": ["type": "object", "additionalProperties": false]],
    ]

    private func append(_ text: String, to matcher: inout GrammarMatcher) throws {
        for byte in text.utf8 { try append(Int32(byte), to: &matcher) }
    }

    private func append(_ id: Int32, to matcher: inout GrammarMatcher) throws {
        try resolve(&matcher)
        #expect(matcher.mask?.contains(id) ?? true, "token \(id)")
        matcher.append(id)
        try resolve(&matcher)
    }

    private func resolve(_ matcher: inout GrammarMatcher) throws {
        while var computation = matcher.computation {
            if let result = computation.run(units: 1 << 20, isCancelled: { false }) { matcher.resolve(result) }
        }
    }

    private func character(_ text: Unicode.Scalar) -> Int32 { Int32(text.value) }

    @Test func `only the token ends a call, and the reply may end after it`() throws {
        let source = GrammarSource.calls([Self.tool], .json, isSingle: false, isOpen: false)
        var matcher = GrammarMatcher(try source.compile(Self.trie))
        try resolve(&matcher)
        #expect(matcher.mask?.contains(character("<")) == false)
        try append(Self.callStart, to: &matcher)
        try append(#"{"name": "f", "arguments": {}}"#, to: &matcher)
        #expect(matcher.mask?.contains(character("<")) == false && !matcher.mayEnd)
        try append(Self.callEnd, to: &matcher)
        #expect(matcher.mayEnd)
    }

    @Test func `a vocabulary without such tokens spells them`() throws {
        let trie = VocabularyTrie(tokens: (0..<128).map { [UInt8($0)] })
        let source = GrammarSource.calls([Self.tool], .json, isSingle: true, isOpen: false)
        var matcher = GrammarMatcher(try source.compile(trie))
        try append(#"<tool_call>{"name": "f", "arguments": {}}</tool_call>"#, to: &matcher)
        #expect(matcher.mustEnd)
    }

    @Test func `the token is not written inside strings`() throws {
        var matcher = GrammarMatcher(try GrammarSource.jsonSchema(["type": "string"]).compile(Self.trie))
        try append("\"<", to: &matcher)
        #expect(matcher.mask?.contains(Self.callEnd) == false && matcher.mask?.contains(character("/")) == true)
    }

    @Test func `a literal of a grammar is written with the token`() throws {
        var matcher = GrammarMatcher(
            try GrammarSource.gbnf(#"root ::= "a<tool_call>b""#).compile(Self.trie))
        try append("a", to: &matcher)
        try append(Self.callStart, to: &matcher)
        try append("b", to: &matcher)
        #expect(matcher.mustEnd)
    }

    @Test func `other tokens do not end the reasoning`() throws {
        let grammar = try GrammarSource.regex("yes").compile(Self.trie)
        var matcher = GrammarMatcher(
            grammar, scope: .answer(behind: ReasoningTracker(opening: 127, closing: Self.thinkEnd, isOpen: true)))
        try append("a </thi", to: &matcher)
        // The characters are allowed so far, the token is not.
        #expect(matcher.mask?.contains(Self.tail) == false && matcher.mask?.contains(character("n")) == true)
        try append("nk", to: &matcher)
        #expect(matcher.mask?.contains(character(">")) == false && matcher.mask?.contains(Self.thinkEnd) == true)
        try append(" >", to: &matcher)
        #expect(!matcher.mayEnd)
        try append(Self.thinkEnd, to: &matcher)
        try append("yes", to: &matcher)
        #expect(matcher.mustEnd)
    }

    @Test func `layout comes first behind reasoning only`() throws {
        let tracker = ReasoningTracker(opening: 127, closing: Self.thinkEnd)
        let grammar = try GrammarSource.choice(["yes", "no"]).compile(Self.trie, beginsWithSpace: true)
        var direct = GrammarMatcher(grammar, scope: .answer(behind: tracker))
        try resolve(&direct)
        #expect(direct.mask?.contains(character(" ")) == false && direct.mask?.contains(character("n")) == true)
        #expect(direct.mask?.contains(127) == true)
        try append("no", to: &direct)
        #expect(direct.mustEnd)
        var reasoned = GrammarMatcher(grammar, scope: .answer(behind: tracker))
        for id in [127, character("a"), Self.thinkEnd] { try append(id, to: &reasoned) }
        try append("\n\nyes", to: &reasoned)
        #expect(reasoned.mustEnd)
        var closed = GrammarMatcher(grammar, scope: .replyBehindReasoning)
        try append(" no", to: &closed)
        #expect(closed.mustEnd)
        var reply = GrammarMatcher(grammar)
        try resolve(&reply)
        #expect(reply.mask?.contains(character(" ")) == false)
    }

    @Test func `no layout comes before a text that may begin with space`() throws {
        let grammar = try GrammarSource.choice([" yes", "no"]).compile(Self.trie, beginsWithSpace: true)
        #expect(try grammar.mayBeginWithSpace())
        var matcher = GrammarMatcher(grammar, scope: .replyBehindReasoning)
        try append(" ", to: &matcher)
        #expect(matcher.mask?.contains(character("n")) == false && matcher.mask?.contains(character("y")) == true)
        for source in [GrammarSource.jsonObject, .regex("a b"), .jsonSchema(["type": "string"])] {
            #expect(try !source.compile(Self.trie, beginsWithSpace: true).mayBeginWithSpace())
        }
    }

    @Test func `other tokens do not begin a strict call`() throws {
        let source = GrammarSource.calls([Self.tool], .json, isSingle: true, isOpen: true)
        var matcher = GrammarMatcher(try source.compile(Self.trie), scope: .behind(Self.callStart))
        try append("<tool_call", to: &matcher)
        #expect(matcher.mask?.contains(character(">")) == false && matcher.mayEnd)
        try append(" ", to: &matcher)
        try append(Self.callStart, to: &matcher)
        #expect(matcher.mask?.contains(character("x")) == false)
    }
}
