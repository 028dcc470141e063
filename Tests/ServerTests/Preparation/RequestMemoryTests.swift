import Engine
import HTTP
import HTTPTypes
import JSON
import Logging
import Scheduling
import Synchronization
import TestSupport
import Testing

@testable import Server

/// The memory charged to requests, from the body to the end of the reply.
@Suite struct RequestMemoryTests {
    /// A scripted engine.
    private final class Engine: InferenceEngine {
        private let state = Mutex((submitted: [GenerationRequest](), aborted: [SequenceID](), events: [TokenEvent]()))

        var submitted: [SequenceID] { state.withLock { $0.submitted.map(\.id) } }
        var aborted: [SequenceID] { state.withLock(\.aborted) }

        func submit(_ requests: [GenerationRequest]) -> Bool {
            state.withLock { $0.submitted += requests }
            return true
        }

        func abort(_ ids: [SequenceID]) { state.withLock { $0.aborted += ids } }

        func takeReport() -> EngineReport {
            state.withLock { state in
                defer { state.events = [] }
                return EngineReport(events: state.events, statistics: EngineStatistics())
            }
        }

        func stop() {}

        func generate(_ id: SequenceID, tokens: Int, alternatives: Int) {
            let top = (0..<Int32(alternatives)).map { TokenLogprob(id: $0, logprob: -1) }
            var event = TokenEvent(sequence: id)
            event.tokens = (0..<tokens).map { _ in
                GeneratedToken(id: 5, logprobs: TokenLogprobs(logprob: -1, rank: 1, top: top), time: .now)
            }
            state.withLock { $0.events.append(event) }
        }

        func end(_ ids: [SequenceID], _ reason: FinishReason) {
            state.withLock { state in
                for id in ids {
                    var event = TokenEvent(sequence: id)
                    event.finish = reason
                    state.events.append(event)
                }
            }
        }
    }

    /// Routes whose work off the loop is done at once.
    private final class Server {
        let budget: MemoryBudget
        let engine = Engine()
        let routes: Routes
        private(set) var statuses: [ExchangeID: Int] = [:]
        private var count: UInt64 = 0

        init(limit: Int, text: TextPipeline? = nil) throws {
            budget = MemoryBudget(limit: limit)
            var configuration = try ServerConfiguration(flags: [:], environment: [:])
            for key in ["ann", "bob"] { try configuration.apiKeys.add("secret-" + key, name: key) }
            configuration.queueBounds.tokens = nil
            routes = Routes(
                configuration: configuration, keys: KeyRing(configuration.apiKeys),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            routes.engine = engine
            routes.serve(
                .init(
                    model: ServedModel(
                        name: "trinity-tiny", created: 0, vocabularySize: 3072, maxModelLength: 1 << 20,
                        hasTokenizer: text != nil, hasChatTemplate: text != nil,
                        samplingDefaults: SamplingParameters()),
                    text: text))
        }

        func send(_ path: String, _ body: JSONValue, key: String = "ann") throws -> ExchangeID {
            count += 1
            let bytes = body.serialized
            var head = HTTPRequest(method: .post, scheme: nil, authority: "localhost", path: path)
            head.headerFields = [.contentType: "application/json", .authorization: "Bearer secret-" + key]
            let charge = try #require(budget.reserve(bytes.count, for: .owner(key)))
            routes.receive(
                HTTPMessage(head: head, body: bytes, peer: "", charge: charge), exchange: ExchangeID(count))
            perform()
            return ExchangeID(count)
        }

        func end(_ reason: FinishReason, _ ids: [SequenceID]? = nil) {
            engine.end(ids ?? engine.submitted, reason)
            report()
        }

        func report() {
            routes.engineReported()
            perform()
        }

        func leave(_ exchange: ExchangeID, _ outcome: ExchangeOutcome = .clientGone) {
            routes.ended(exchange, outcome: outcome)
            perform()
        }

        private func perform() {
            while true {
                let actions = routes.takeActions()
                if actions.isEmpty { return }
                for action in actions {
                    switch action {
                    case .respond(let id, let head, _), .startStream(let id, let head): statuses[id] = head.status.code
                    case .prepare(let id, let preparation, _):
                        routes.prepared(id, preparation.run { _ in })
                    default: break
                    }
                }
            }
        }
    }

    private func ids(_ count: Int) -> JSONValue { .array(Array(repeating: 5, count: count)) }

    private func completion(_ tokens: Int, n: Int = 1, stream: Bool = false) -> JSONValue {
        ["prompt": ids(tokens), "max_tokens": 1, "n": .integer(n), "stream": .bool(stream)]
    }

    /// The charge of a prompt with this many tokens.
    private func charge(_ tokens: Int) -> Int { tokens * 8 + RequestMemory.header - RequestMemory.freeBytes }

    @Test(arguments: [false, true])
    func `a prompt is charged until its reply is written`(isStreamed: Bool) throws {
        let server = try Server(limit: 64 << 20)
        let exchange = try server.send("/v1/completions", completion(100_000, n: 2, stream: isStreamed))
        #expect(server.budget.used == charge(100_000), "the body and its values are given back")
        server.end(.length, [server.engine.submitted[0]])
        #expect(server.budget.used == charge(100_000))
        server.end(.length, [server.engine.submitted[1]])
        #expect(server.statuses[exchange] == 200)
        #expect(server.budget.used == 0)
    }

    @Test func `after a disconnect, a prompt is charged until the engine has freed it`() throws {
        let server = try Server(limit: 64 << 20)
        let exchange = try server.send("/v1/completions", completion(100_000, n: 2))
        server.leave(exchange)
        #expect(server.engine.aborted == server.engine.submitted)
        #expect(server.budget.used == charge(100_000))
        server.end(.abort, [server.engine.submitted[0]])
        #expect(server.budget.used == charge(100_000))
        server.end(.abort, [server.engine.submitted[1]])
        #expect(server.budget.used == 0)
    }

    @Test func `a prompt that failed in the engine, or was refused, is no longer charged`() throws {
        let server = try Server(limit: 64 << 20)
        let failed = try server.send("/v1/completions", completion(100_000))
        server.end(.error("fault"))
        #expect(server.statuses[failed] == 500)
        #expect(server.budget.used == 0)
        var body = try #require(completion(100_000).object)
        body["n"] = 129
        let refused = try server.send("/v1/completions", .object(body))
        #expect(server.statuses[refused] == 400)
        #expect(server.budget.used == 0)
    }

    @Test func `the tokens that a whole reply keeps are charged, and end it if there is no more memory`() throws {
        let server = try Server(limit: 16 << 20)
        var body = try #require(completion(10).object)
        body["logprobs"] = 5
        let whole = try server.send("/v1/completions", .object(body))
        body["stream"] = true
        let streamed = try server.send("/v1/completions", .object(body))
        let ids = server.engine.submitted
        for id in ids { server.engine.generate(id, tokens: 1000, alternatives: 5) }
        server.report()
        // The stream has sent its tokens, and keeps none.
        let used = server.budget.used
        #expect((600_000...900_000).contains(used), "\(used)")
        #expect(server.statuses == [streamed: 200])
        let others = try #require(server.budget.reserve(11 << 20, for: .owner("bob")))
        server.engine.generate(ids[0], tokens: 5000, alternatives: 5)
        server.report()
        #expect(server.statuses[whole] == 503 && server.engine.aborted == [ids[0]])
        #expect(server.budget.used == used + 11 << 20, "the engine still has the prompt")
        server.end(.abort, [ids[0]])
        #expect(server.budget.used == 11 << 20)
        others.release()
        // More than the key's maximum.
        body["stream"] = false
        let large = try server.send("/v1/completions", .object(body))
        server.engine.generate(server.engine.submitted[2], tokens: 20_000, alternatives: 5)
        server.report()
        #expect(server.statuses[large] == 413)
    }

    @Test(arguments: [Endpoint.chat, .completions])
    func `values of log-probabilities are created as they are written`(endpoint: Endpoint) {
        let top = (0..<Int32(20)).map { TokenLogprob(id: $0, logprob: -1) }
        let token = ScoredToken(id: 5, logprobs: TokenLogprobs(logprob: -1, rank: 1, top: top))
        let logprobs = Logprobs(names: .idsOnly, skipsSpecialTokens: false)
        var position = TextPosition()
        let clock = ContinuousClock()
        var value = JSONValue.null
        let making = clock.measure {
            let tokens = Array(repeating: token, count: 2000)
            value =
                endpoint == .chat
                ? logprobs.chatJSON(of: tokens) : logprobs.completionJSON(of: tokens, position: &position)
        }
        let writing = clock.measure { #expect(value.serialized.count > 500_000) }
        // The values of 42,000 alternatives would take longer than their text.
        #expect(making < writing / 5, "\(making), \(writing)")
    }

    @Test func `one key uses all its memory, and another is still served`() throws {
        let server = try Server(limit: 16 << 20)
        var statuses: [Int] = []
        for _ in 0..<40 where statuses.last != 503 {
            let exchange = try server.send("/v1/completions", completion(60_000))
            statuses.append(server.statuses[exchange] ?? 200)
        }
        #expect(statuses.last == 503 && statuses.count > 10)
        #expect(server.budget.used <= 12 << 20)
        _ = try server.send("/v1/completions", completion(20_000), key: "bob")
        #expect(server.engine.submitted.count == statuses.count)
        // Small requests of the key itself are served too.
        _ = try server.send("/v1/completions", completion(10))
        #expect(server.engine.submitted.count == statuses.count + 1)
        server.end(.length)
        #expect(server.budget.used == 0)
    }

    @Test func `a request that could never get its memory is a client error`() throws {
        let server = try Server(limit: 8 << 20)
        let exchange = try server.send("/v1/completions", completion(200_000))
        #expect(server.statuses[exchange] == 413)
        #expect(server.budget.used == 0)
    }

    @Test func `replies of text endpoints are charged until they are written`() throws {
        let text = try #require(try TextPipeline(directory: Fixtures.chatModel))
        let server = try Server(limit: 64 << 20, text: text)
        let requests: [(String, JSONValue)] = [
            ("/tokenize", ["prompt": .string(String(repeating: "once ", count: 50_000)), "return_token_strs": true]),
            ("/detokenize", ["tokens": ids(100_000)]),
            (
                "/v1/chat/completions/render",
                ["messages": [["role": "user", "content": .string(String(repeating: "once ", count: 50_000))]]]
            ),
        ]
        for (path, body) in requests {
            let exchange = try server.send(path, body)
            #expect(server.statuses[exchange] == 200, "\(path)")
            #expect(server.budget.used > 0, "\(path)")
            server.leave(exchange, .completed)
            #expect(server.budget.used == 0, "\(path)")
        }
        let small = try Server(limit: 1 << 20, text: text)
        let exchange = try small.send("/tokenize", requests[0].1)
        #expect(small.statuses[exchange] == 413)
    }

    @Test func `the memory is sufficient for the largest body of one key`() throws {
        func configure(_ memory: String, keys: Bool) throws -> ServerConfiguration {
            var flags: [ServerConfiguration.Option: String] = [.maxBodyMemory: memory]
            if keys { flags[.apiKey] = "secret" }
            return try ServerConfiguration(flags: flags, environment: [:])
        }
        #expect(try configure("32MiB", keys: false).maxBodyMemory == 32 << 20)
        #expect(try configure("43MiB", keys: true).maxBodyMemory == 43 << 20)
        let error = #expect(throws: ConfigurationError.self) { try configure("42MiB", keys: true) }
        #expect(error?.description.contains("44739243 bytes") == true, "\(error?.description ?? "")")
    }
}
