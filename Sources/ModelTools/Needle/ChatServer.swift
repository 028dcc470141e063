import Foundation
import JSON
import Web

/// A running server with OpenAI's API, which the needle test queries.
struct ChatServer: NeedleSubject {
    /// The endpoint of the requests; some servers have only one of them.
    enum Endpoint: String, Sendable {
        case chat = "chat/completions"
        case completions
    }

    /// The base URL, which ends in `/v1`.
    let base: String
    let model: String
    private(set) var endpoint = Endpoint.chat
    /// Messages about the server for the user.
    private(set) var notes: [String] = []
    /// The parameter that limits the reply; newer OpenAI models accept only `max_completion_tokens`.
    private var limit = "max_tokens"
    /// Whether requests set temperature 0, which some OpenAI models reject.
    private var hasTemperature = true
    private let client: WebClient
    private let mustStop: @Sendable () -> Bool

    private static let largestReply = 64 << 20
    private static let probe = "Say OK."
    /// The token limit of a probe request; some servers have a minimum.
    private static let probeTokens = 16
    /// The number of times that a request to a busy server is repeated, and the longest pause before it in seconds.
    private static let (mostRetries, longestPause) = (5, 60)
    /// The accepted range of token counts, because a server may send any number; no prompt has more tokens.
    private static let tokenRange = 0...1 << 32

    /// Detects the server's features with requests of a few tokens.
    ///
    /// - Parameters:
    ///   - url: the address of the server, with or without `/v1`.
    ///   - model: the model name in requests; `nil` for the first model that the server lists.
    ///   - apiKey: the API key, in printable ASCII.
    ///   - environment: the environment variables, for the proxies.
    ///   - timeout: the maximum time of one request.
    ///   - mustStop: called often, by several threads; requests end when it returns true.
    /// - Throws: `ToolError.argument` if the URL is invalid or the server cannot be used.
    init(
        url: String, model: String?, apiKey: String?, environment: [String: String], timeout: Duration,
        mustStop: @escaping @Sendable () -> Bool
    ) throws(ToolError) {
        let trimmed = String(url.reversed().drop { $0 == "/" }.reversed())
        base = trimmed.hasSuffix("/v1") ? trimmed : trimmed + "/v1"
        guard let home = WebAddress(base), !base.contains("?"), !base.contains("#") else {
            throw .argument("the URL must begin with http:// or https://, such as http://127.0.0.1:8000; got '\(url)'")
        }
        client = WebClient(
            home: home, token: apiKey,
            proxies: WebProxies(environment: environment.filter { !$0.value.isEmpty }), silence: timeout,
            replyTime: timeout, mustStop: mustStop)
        self.mustStop = mustStop
        do throws(RequestFailure) {
            if let model { self.model = model } else { self.model = try Self.firstModel(base, client, mustStop) }
            try negotiate()
        } catch {
            throw .argument("\(home): \(error)")
        }
    }

    /// Requests short replies until the server accepts the form of the request.
    private mutating func negotiate() throws(RequestFailure) {
        while true {
            do throws(RequestFailure) {
                _ = try reply(to: Self.probe, prefix: "", maxTokens: Self.probeTokens)
                return
            } catch {
                guard adapt(to: error) else { throw error }
            }
        }
    }

    /// Adapts the form of requests to a failure, each part at most once. Returns whether anything changed.
    private mutating func adapt(to failure: RequestFailure) -> Bool {
        guard case .status(let status, let message) = failure else { return false }
        if status == 400, message.contains("max_completion_tokens"), limit == "max_tokens" {
            limit = "max_completion_tokens"
        } else if status == 400, message.contains("temperature"), hasTemperature {
            hasTemperature = false
            notes.append("no temperature 0 (\(failure)): replies are sampled, so another run may differ")
        } else if endpoint == .chat,
            [404, 405, 501].contains(status) || status == 400 && message.contains("template")
        {
            endpoint = .completions
            notes.append("no chat completions (\(failure)): the text is continued through /v1/completions instead")
        } else {
            return false
        }
        return true
    }

    func reply(to prompt: String, prefix: String, maxTokens: Int) throws(RequestFailure) -> NeedleReply {
        var body = input(prompt, prefix)
        body[limit] = .integer(maxTokens)
        if hasTemperature { body["temperature"] = 0 }
        let json = try post("\(base)/\(endpoint.rawValue)", body)
        let choice = json["choices"]?[0]
        let message = endpoint == .chat ? choice?["message"] : choice
        guard message?.object != nil else { throw .reply("has no choice") }
        // Servers with a reasoning parser split the output.
        let texts = ["reasoning", "reasoning_content", "content", "text"].compactMap { message?[$0]?.string }
        return NeedleReply(
            text: texts.joined(separator: "\n"), promptTokens: Self.tokens(json["usage"]?["prompt_tokens"]))
    }

    /// Counts the tokens with `/tokenize`, in vLLM's format.
    func tokens(of prompt: String, prefix: String) throws(RequestFailure) -> Int? {
        Self.tokens(try post("\(base.dropLast("/v1".count))/tokenize", input(prompt, prefix))["count"])
    }

    /// Returns a token count; `nil` if the value is not a plausible count.
    private static func tokens(_ value: JSONValue?) -> Int? {
        value?.integer.flatMap { tokenRange.contains($0) ? $0 : nil }
    }

    /// Returns the request's members for the model and the prompt.
    private func input(_ prompt: String, _ prefix: String) -> JSONObject {
        switch endpoint {
        case .chat:
            ["model": .string(model), "messages": [["role": "user", "content": .string(prompt)]]]
        case .completions:
            ["model": .string(model), "prompt": .string(prefix.isEmpty ? prompt : "\(prompt) \(prefix)")]
        }
    }

    private func post(_ url: String, _ body: JSONObject) throws(RequestFailure) -> JSONValue {
        try Self.json(mustStop) { [client] () throws(WebError) in
            guard let address = WebAddress(url) else { throw .malformed(url, reason: "is no URL") }
            return try client.post(address, json: JSONValue.object(body).serialized)
        }
    }

    private static func firstModel(
        _ base: String, _ client: WebClient, _ mustStop: () -> Bool
    ) throws(RequestFailure) -> String {
        let list = try json(mustStop) { () throws(WebError) in
            guard let address = WebAddress(base + "/models") else { throw .malformed(base, reason: "is no URL") }
            return try client.get(address)
        }
        guard let model = list["data"]?[0]?["id"]?.string else {
            throw .reply("to GET /v1/models has no model; name one with --model")
        }
        return model
    }

    /// Sends a request, and repeats it if the server is busy and says when to retry.
    private static func json(
        _ mustStop: () -> Bool, _ request: () throws(WebError) -> WebReply
    ) throws(RequestFailure) -> JSONValue {
        var retries = 0
        while true {
            let (status, body, pause): (Int, [UInt8], Int?)
            do throws(WebError) {
                let reply = try request()
                (status, body) = (reply.status, try reply.body(atMost: largestReply))
                pause = [429, 503].contains(status) ? reply.fields["retry-after"].flatMap { Int($0) } : nil
                if let pause, (0...longestPause).contains(pause), retries < mostRetries {
                    retries += 1
                    try wait(.seconds(pause), mustStop)
                    continue
                }
            } catch {
                throw .web(error)
            }
            guard status == 200 else { throw RequestFailure(status: status, body: body) }
            guard let json = try? JSONValue(parsing: body) else { throw .reply("is not JSON") }
            return json
        }
    }

    private static func wait(_ time: Duration, _ mustStop: () -> Bool) throws(WebError) {
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end {
            if mustStop() { throw .stopped }
            usleep(50_000)
        }
    }
}
