import Engine
import Grammars
import HTTP
import JSON
import TestSupport
import Testing

@testable import Server

/// The resources of one request's preparation, regardless of other requests.
@Suite struct PreparationBoundTests {
    private let model = ServedModel(
        name: "trinity-tiny", created: 0, vocabularySize: 3072, maxModelLength: 2048, hasTokenizer: true,
        hasChatTemplate: true, samplingDefaults: SamplingParameters())

    private func run(
        _ body: String, _ budget: MemoryBudget, text: TextPipeline? = nil
    ) throws -> Result<Preparation.Outcome, APIError> {
        var preparation = Preparation(
            work: .generation(.completions, body: EncodedBody(Array(body.utf8))), model: model, text: text, tenant: "",
            arrival: .now)
        preparation.charge = budget.reserve(0)
        return preparation.run { _ in }
    }

    private func error(_ result: Result<Preparation.Outcome, APIError>) -> APIError? {
        if case .failure(let error) = result { error } else { nil }
    }

    @Test func `a small body is read even if the large ones of others use all the memory`() throws {
        let budget = MemoryBudget(limit: 1 << 20)
        let others = try #require(budget.reserve(1 << 20))
        #expect(error(try run(#"{"prompt": [5, 5, 5], "max_tokens": 1}"#, budget)) == nil)
        let many = "{\"prompt\": [" + String(repeating: "1,", count: 20_000) + "1]}"
        #expect(error(try run(many, budget)) == .overloaded(.memory, retryAfter: 1))
        others.release()
        #expect(error(try run(many, budget)) == nil)
        #expect(budget.used == 0, "what a preparation has charged ends with it")
    }

    @Test func `a body whose values can never fit is a client error`() throws {
        let many = "{\"prompt\": [" + String(repeating: "1,", count: 100_000) + "1]}"
        guard case .bodyTooComplex(_, 1_048_576) = error(try run(many, MemoryBudget(limit: 1 << 20))) else {
            Issue.record("it is not told that the body takes more than there is")
            return
        }
    }

    @Test(arguments: ["/v1/messages/count_tokens", "/v1/completions", "/v1/chat/completions"])
    func `the memory of tokenizing is charged while it lasts`(path: String) throws {
        let text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        func outcome(_ bytes: Int, _ budget: MemoryBudget) throws -> APIError? {
            let prompt = String(repeating: "a", count: bytes)
            let body = EncodedBody(
                Array(
                    (path != "/v1/completions"
                        ? #"{"messages": [{"role": "user", "content": "\#(prompt)"}]}"#
                        : #"{"prompt": "\#(prompt)"}"#).utf8))
            let work: Preparation.Work =
                path == "/v1/messages/count_tokens"
                ? .text(.messageTokens, body: body)
                : .generation(path == "/v1/completions" ? .completions : .chat, body: body)
            var preparation = Preparation(work: work, model: model, text: text, tenant: "", arrival: .now)
            preparation.charge = budget.reserve(0)
            return error(preparation.run { _ in })
        }
        // Its JSON fits, and so does its reply.
        guard case .bodyTooComplex(_, 1_048_576) = try outcome(200_000, MemoryBudget(limit: 1 << 20)) else {
            Issue.record("tokenizing is not charged")
            return
        }
        let budget = MemoryBudget(limit: 1 << 20)
        #expect(try outcome(1000, budget) == nil)
        #expect(budget.used == 0)
    }

    @Test(arguments: [
        (Endpoint.completions, #""prompt": "a", "guided_json": {"type": "object"}"#),
        (.chat, #""messages": [{"role": "user", "content": "a"}], "guided_json": {"type": "object"}"#),
        (
            .chat,
            #""messages": [{"role": "user", "content": "a"}], "tools": [{"type": "function", "function": {"name": "f"}}]"#
        ),
        (
            .responses,
            #""input": "a", "metadata": {"a": "b"}, "text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}"#
        ),
        (.messages, #""max_tokens": 1, "messages": [{"role": "user", "content": "a"}], "metadata": {"user_id": "b"}"#),
    ])
    func `the data kept of a request does not keep its body alive`(endpoint: Endpoint, members: String) throws {
        let text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        let prepared = try RequestPreparation(endpoint: endpoint, model: model, text: text)
            .prepare(Array("{\(members)}".utf8))
        var kept = ""
        dump(prepared.options.structuredOutput, to: &kept)
        dump(prepared.parsing, to: &kept)
        dump(prepared.formatter, to: &kept)
        #expect(!kept.contains("JSONDocument"))
    }

    @Test func `the number of compiled grammars is limited`() throws {
        let text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        var held: [CompiledGrammar] = []
        for number in 0..<GrammarCompiler.mostLive {
            held.append(try text.grammars.compile(.regex("a{\(number + 1)}"), beginsWithSpace: false))
        }
        let body = #"{"prompt": "a", "structured_outputs": {"regex": "b+"}}"#
        #expect(error(try run(body, MemoryBudget(limit: 1 << 20), text: text)) == .overloaded(.memory, retryAfter: 1))
        #expect(held.count == GrammarCompiler.mostLive)
        held = []
        #expect(error(try run(body, MemoryBudget(limit: 1 << 20), text: text)) == nil)
    }

    @Test func `one tenant does not get all places for compiled grammars`() throws {
        let grammars = try #require(try TextPipeline(directory: Fixtures.chatModel)).grammars
        var held: [CompiledGrammar] = []
        while held.count < GrammarCompiler.mostLive {
            let source = GrammarSource.regex("a{\(held.count + 1)}")
            guard let grammar = try? grammars.compile(source, beginsWithSpace: false, tenant: "a") else { break }
            held.append(grammar)
        }
        #expect(held.count == GrammarCompiler.mostLive * 3 / 4)
        #expect(throws: GrammarError.tooManyInUse) {
            try grammars.compile(.regex("b"), beginsWithSpace: false, tenant: "a")
        }
        #expect(throws: Never.self) { try grammars.compile(.regex("b"), beginsWithSpace: false, tenant: "b") }
        // A failure gives its place back.
        for _ in 0..<GrammarCompiler.mostLive {
            #expect(throws: GrammarError.self) {
                try grammars.compile(.regex("("), beginsWithSpace: false, tenant: "b")
            }
        }
        #expect(throws: Never.self) { try grammars.compile(.regex("c"), beginsWithSpace: false, tenant: "b") }
    }

    @Test func `the length of bad words is limited`() throws {
        let text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        let word = String(repeating: "a", count: 257)
        let body = "{\"prompt\": \"a\", \"bad_words\": [\"\(word)\"]}"
        let error = error(try run(body, MemoryBudget(limit: 1 << 20), text: text))
        #expect(error?.param == "bad_words" && error?.message.contains("256 bytes, not 257") == true)
    }
}
