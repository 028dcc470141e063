import Foundation
import HTTP
import HTTPTypes
import JSON
import TestSupport

@testable import Server

/// The request of one client, and its behavior.
struct SimulatedClient {
    var message: HTTPMessage
    /// Allowed statuses; any other one violates a property.
    var statuses: Set<Int>
    var isProbe = false
    /// How many vectors it asks for; nil: for text.
    var vectors: Int?
    /// Its own timeout.
    var timeout: Duration?
    /// CPU time of its preparation.
    var cost = Duration.milliseconds(1)
    /// The time after which it disconnects; nil: it stays.
    var patience: Duration?
    var transfer = Transfer()

    /// - Parameters:
    ///   - keys: the keys of the server; empty: it needs none.
    ///   - longestReply: in tokens.
    static func random(keys: [String], longestReply: Int, _ random: inout SeededGenerator) -> SimulatedClient {
        var client: SimulatedClient
        switch Int.random(in: 0..<12, using: &random) {
        case 0: client = probe(&random)
        case 1: client = broken(&random)
        case 2: client = text(&random)
        case 3: client = embedding(&random)
        default: client = completion(longestReply: longestReply, &random)
        }
        if !client.isProbe, !keys.isEmpty {
            let isKnown = !random.oneIn(10)
            let key = isKnown ? keys.randomElement(using: &random) ?? "" : "unknown"
            client.message.head.headerFields[.authorization] = "Bearer \(key)"
            if !isKnown { client.statuses = [401] }
        }
        if random.oneIn(5) { client.patience = .random(in: .zero ... .seconds(100), &random) }
        client.transfer = .random(&random)
        if client.message.head.method == .get {
            (client.transfer.expectsContinue, client.transfer.padding) = (false, 0)
            // The length of metrics depends on the process, not the seed, so nothing may depend on it.
            client.transfer.readRate = nil

        }
        // Expensive work: a large body, or an extremely expensive template or grammar.
        if random.oneIn(6) { client.cost = .random(in: .milliseconds(2) ... .seconds(300), &random) }
        return client
    }

    private static func post(_ path: String, _ body: [UInt8]) -> HTTPMessage {
        let head = HTTPRequest(
            method: .post, scheme: "http", authority: "localhost", path: path,
            headerFields: [.contentType: "application/json"])
        return HTTPMessage(head: head, body: body, peer: "client")
    }

    static func probe(_ random: inout SeededGenerator) -> SimulatedClient {
        let path = ["/health", "/ready", "/metrics"].randomElement(using: &random) ?? "/health"
        let head = HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: path)
        return SimulatedClient(
            message: HTTPMessage(head: head, body: [], peer: "probe"), statuses: path == "/ready" ? [200, 503] : [200],
            isProbe: true)
    }

    private static func broken(_ random: inout SeededGenerator) -> SimulatedClient {
        let bodies = [
            "", "{", "[]", #"{"prompt": "no tokenizer"}"#, #"{"prompt": []}"#, #"{"prompt": [1], "max_tokens": -2}"#,
            #"{"prompt": [99999999]}"#, #"{"prompt": [1], "use_beam_search": true}"#, #"{"prompt": [1], "n": 1e99}"#,
        ]
        let body = bodies.randomElement(using: &random) ?? ""
        return SimulatedClient(
            message: post("/v1/completions", Array(body.utf8)), statuses: [400, 429, 503, 504])
    }

    private static func text(_ random: inout SeededGenerator) -> SimulatedClient {
        let path = ["/tokenize", "/detokenize", "/v1/chat/completions/render"].randomElement(using: &random) ?? ""
        return SimulatedClient(
            message: post(path, Array(#"{"prompt": "a"}"#.utf8)), statuses: [400, 429, 503, 504])
    }

    /// One that asks for vectors of some inputs.
    private static func embedding(_ random: inout SeededGenerator) -> SimulatedClient {
        let inputs = (0..<Int.random(in: 1...(random.oneIn(4) ? 12 : 3), using: &random)).map { _ in
            JSONValue.array((0..<Int.random(in: 1...40, using: &random)).map { .integer($0 % 50) })
        }
        var body: JSONObject = ["input": .array(inputs)]
        if random.oneIn(2) { body["encoding_format"] = "base64" }
        var client = SimulatedClient(
            message: post("/v1/embeddings", []), statuses: [200, 400, 429, 500, 503, 504], vectors: inputs.count)
        addTimeout(to: &client, &body, &random)
        client.message.body = JSONValue.object(body).serialized
        return client
    }

    /// A client that requests a reply of any length, up to this many tokens, and waits for it.
    static func patient(maxTokens: Int, _ random: inout SeededGenerator) -> SimulatedClient {
        let limit = Int.random(in: 1...maxTokens, using: &random)
        let body: JSONObject = ["prompt": [1, 2, 3], "max_tokens": .integer(limit)]
        return SimulatedClient(
            message: post("/v1/completions", JSONValue.object(body).serialized), statuses: [200, 400, 504])
    }

    private static func completion(longestReply: Int, _ random: inout SeededGenerator) -> SimulatedClient {
        var body: JSONObject = [:]
        let length = Int.random(in: 1...(random.oneIn(4) ? 200 : 20), using: &random)
        body["prompt"] = .array((0..<length).map { .integer($0 % 50) })
        body["max_tokens"] = .integer(.random(in: 0...longestReply + 20, using: &random))
        if random.oneIn(2) { body["stream"] = true }
        if random.oneIn(4) { body["n"] = .integer(.random(in: 1...12, using: &random)) }
        if random.oneIn(4) { body["priority"] = .integer(.random(in: -2...2, using: &random)) }
        var client = SimulatedClient(
            message: post("/v1/completions", []), statuses: [200, 400, 429, 500, 503, 504])
        addTimeout(to: &client, &body, &random)
        client.message.body = JSONValue.object(body).serialized
        return client
    }

    /// Of some requests, in the head or in the body.
    private static func addTimeout(
        to client: inout SimulatedClient, _ body: inout JSONObject, _ random: inout SeededGenerator
    ) {
        guard random.oneIn(3) else { return }
        let timeout = Double.random(in: 0.001...200, using: &random)
        client.timeout = .seconds(timeout)
        if random.oneIn(2), let name = HTTPField.Name(RequestTimeout.header) {
            client.message.head.headerFields[name] = "\(timeout)"
        } else {
            body["timeout"] = .double(timeout)
        }
    }
}

extension Duration {
    /// Uniform in its logarithm: as many short ones as long ones.
    static func random(in range: ClosedRange<Duration>, _ random: inout SeededGenerator) -> Duration {
        let low = max(range.lowerBound / .seconds(1), 1e-4)
        let high = max(range.upperBound / .seconds(1), low)
        return .seconds(low * pow(high / low, .random(in: 0...1, using: &random)))
    }
}
