import Basics
import JSON
import Tokenizers

/// The endpoints that use the tokenizer and the chat template without the model.
enum TextEndpoint: Sendable, CaseIterable {
    case tokenize, detokenize
    /// The prompt of a chat request.
    case chatPrompt
    /// The number of tokens of a request of the Messages API.
    case messageTokens
    /// The number of tokens of a request of the Responses API.
    case responseTokens
}

/// Computes the reply of a ``TextEndpoint``. Pure. It is as much work as preparing a request, so it runs off the event loop.
struct TextReply: Sendable {
    let endpoint: TextEndpoint
    let model: ServedModel
    let text: TextPipeline?
    /// The account of the reply; `nil`: memory is not accounted.
    var memory: RequestMemory?

    /// Returns the body of the reply.
    ///
    /// - Parameter body: the decoded body of the request.
    /// - Throws: the `APIError` for the client.
    func answer(_ body: [UInt8]) throws(APIError) -> [UInt8] {
        var ignored = IgnoredParameters()
        return try answer(body, ignoring: &ignored)
    }

    /// Returns the body of the reply.
    ///
    /// - Parameter ignored: set to the ignored parameters of the request.
    func answer(_ body: [UInt8], ignoring ignored: inout IgnoredParameters) throws(APIError) -> [UInt8] {
        let json = try JSONValue(requestBody: body)
        if endpoint != .detokenize, endpoint != .tokenize || json["messages"] != nil {
            try memory?.chargeConversation()
        }
        let reply =
            switch endpoint {
            case .tokenize: try tokenize(json, &ignored)
            case .detokenize: try detokenize(json, &ignored)
            case .chatPrompt: try chatPrompt(json, &ignored)
            case .messageTokens: try messageTokens(json, &ignored)
            case .responseTokens: try responseTokens(json, &ignored)
            }
        let bytes = reply.serialized
        memory?.kept.shrink(to: bytes.count)
        return bytes
    }

    /// Charges the memory of ids: as numbers and as text, both in arrays that may be twice as large.
    private func charge(_ ids: [Int32]) throws(APIError) {
        let longest = String(model.vocabularySize).utf8.count + 1
        try memory?.chargeKept(2 * ids.count * (MemoryLayout<Int32>.stride + longest))
    }

    /// Charges the memory of a text: itself, and its written form, mostly without escapes, in an array that may be twice as
    /// large.
    private func charge(textOf bytes: Int) throws(APIError) {
        try memory?.chargeKept(3 * bytes)
    }

    /// Charges the memory of written tokens: their text, mostly without escapes, with two quotes and a comma each.
    private func charge(tokens ids: [Int32], _ tokenizer: Tokenizer) throws(APIError) {
        try memory?.chargeKept(2 * (tokenizer.contentBytes(of: ids) + 3 * ids.count))
    }

    private func tokenize(_ json: JSONValue, _ ignored: inout IgnoredParameters) throws(APIError) -> JSONValue {
        let request = try TokenizeRequest(json, for: model)
        let text = try requireText()
        let ids: [Int32]
        switch request.input {
        case .prompt(let prompt, let addsSpecialTokens):
            ignored = request.ignored
            ids = try memory.whileEncoding(prompt.utf8.count) {
                text.tokenizer.encode(prompt, addSpecialTokens: addsSpecialTokens)
            }
        case .chat(let given):
            let chat = try text.adapted(given, for: model)
            ignored = chat.ignored
            ids = try self.ids(of: chat, try text.render(chat), text)
        }
        try charge(ids)
        var tokens = JSONValue.null
        if request.returnsTokens {
            let tokenizer = text.tokenizer
            try charge(tokens: ids, tokenizer)
            tokens = .array(
                JSONArray(count: ids.count) { tokenizer.token(of: ids[$0]).map(JSONValue.string) ?? .null })
        }
        return [
            "count": .integer(ids.count), "max_model_len": .integer(model.maxModelLength), "tokens": .ids(ids),
            "token_strs": tokens,
        ]
    }

    private func detokenize(_ json: JSONValue, _ ignored: inout IgnoredParameters) throws(APIError) -> JSONValue {
        let request = try DetokenizeRequest(json, for: model)
        let tokenizer = try requireText().tokenizer
        ignored = request.ignored
        try charge(textOf: tokenizer.textBytes(of: request.tokens))
        return ["prompt": .string(tokenizer.decode(request.tokens, skipSpecialTokens: false))]
    }

    private func chatPrompt(_ json: JSONValue, _ ignored: inout IgnoredParameters) throws(APIError) -> JSONValue {
        let given = try ChatCompletionRequest(json, for: model)
        let text = try requireText()
        let request = try text.adapted(given, for: model)
        ignored = request.ignored
        let runs = try text.render(request)
        let ids = try self.ids(of: request, runs, text)
        try charge(ids)
        try charge(textOf: runs.reduce(0) { $0 + $1.text.utf8.count })
        return [
            "model": .string(model.named(json["model"]?.string).name), "prompt": .string(runs.map(\.text).joined()),
            "token_ids": .ids(ids),
            "count": .integer(ids.count), "max_model_len": .integer(model.maxModelLength),
        ]
    }

    private func messageTokens(_ json: JSONValue, _ ignored: inout IgnoredParameters) throws(APIError) -> JSONValue {
        let translation = try MessagesRequest.translate(json, for: model, counts: true)
        return ["input_tokens": .integer(try tokens(of: translation, &ignored))]
    }

    private func responseTokens(_ json: JSONValue, _ ignored: inout IgnoredParameters) throws(APIError) -> JSONValue {
        let tokens = try tokens(of: ResponsesRequest.translate(json, for: model), &ignored)
        return ["object": "response.input_tokens", "input_tokens": .integer(tokens)]
    }

    /// Returns the number of tokens of a request's conversation.
    private func tokens(
        of translation: ChatTranslation, _ ignored: inout IgnoredParameters
    ) throws(APIError) -> Int {
        let given = try ChatCompletionRequest(translation, for: model)
        let text = try requireText()
        let request = try text.adapted(given, for: model)
        ignored = request.ignored
        return try ids(of: request, try text.render(request), text).count
    }

    /// Returns the ids of a rendered conversation.
    private func ids(
        of request: ChatCompletionRequest, _ prompt: [TextRun], _ text: TextPipeline
    ) throws(APIError) -> [Int32] {
        try memory.whileEncoding(prompt.reduce(0) { $0 + $1.text.utf8.count }) { () throws(APIError) in
            try text.ids(of: request, prompt)
        }
    }

    private func requireText() throws(APIError) -> TextPipeline {
        guard let text else { throw .textUnavailable(param: "model", message: "This model has no tokenizer.") }
        return text
    }
}
