import Text

/// The endpoints that the tokenizer and the chat template answer without the model.
enum TextEndpoint: Sendable, CaseIterable {
    case tokenize, detokenize
    /// What a chat request becomes.
    case chatPrompt
    /// How many tokens a request of the Messages API becomes.
    case messageTokens
}

/// Makes the reply of a ``TextEndpoint``. Pure, and as much work as preparing a request, so it runs off the event loop.
struct TextReply: Sendable {
    let endpoint: TextEndpoint
    let model: ServedModel
    let text: TextPipeline?
    /// What the reply is charged to; `nil`: nobody counts.
    var memory: RequestMemory?

    /// The body of the reply.
    ///
    /// - Parameter body: as it came.
    /// - Throws: the `APIError` that the client gets.
    func answer(_ body: [UInt8]) throws(APIError) -> [UInt8] {
        let json = try JSONValue(requestBody: body)
        let reply =
            switch endpoint {
            case .tokenize: try tokenize(json)
            case .detokenize: try detokenize(json)
            case .chatPrompt: try chatPrompt(json)
            case .messageTokens: try messageTokens(json)
            }
        let bytes = reply.serialized
        memory?.kept.shrink(to: bytes.count)
        return bytes
    }

    /// Charges what ids take: as such, as values, and written.
    private func charge(_ ids: [Int32]) throws(APIError) {
        try memory?.chargeKept(ids.count * (2 * MemoryLayout<JSONValue>.stride + 12))
    }

    /// Charges what a text takes: as such, as a value, and written, mostly without escapes.
    private func charge(textOf bytes: Int) throws(APIError) {
        try memory?.chargeKept(3 * bytes)
    }

    private func tokenize(_ json: JSONValue) throws(APIError) -> JSONValue {
        let request = try TokenizeRequest(json, for: model)
        let text = try requireText()
        let ids: [Int32]
        switch request.input {
        case .prompt(let prompt, let addsSpecialTokens):
            ids = text.tokenizer.encode(prompt, addSpecialTokens: addsSpecialTokens)
        case .chat(let chat):
            ids = try text.ids(of: chat, try text.render(chat), for: model)
        }
        try charge(ids)
        var tokens = JSONValue.null
        if request.returnsTokens {
            try charge(ids)
            try charge(textOf: text.tokenizer.contentBytes(of: ids))
            tokens = .array(ids.map { id in text.tokenizer.token(of: id).map(JSONValue.string) ?? .null })
        }
        return [
            "count": .integer(ids.count), "max_model_len": .integer(model.maxModelLength), "tokens": .ids(ids),
            "token_strs": tokens,
        ]
    }

    private func detokenize(_ json: JSONValue) throws(APIError) -> JSONValue {
        let request = try DetokenizeRequest(json, for: model)
        let tokenizer = try requireText().tokenizer
        try charge(textOf: tokenizer.textBytes(of: request.tokens))
        return ["prompt": .string(tokenizer.decode(request.tokens, skipSpecialTokens: false))]
    }

    private func chatPrompt(_ json: JSONValue) throws(APIError) -> JSONValue {
        let request = try ChatCompletionRequest(json, for: model)
        let text = try requireText()
        let runs = try text.render(request)
        let ids = try text.ids(of: request, runs, for: model)
        try charge(ids)
        try charge(textOf: runs.reduce(0) { $0 + $1.text.utf8.count })
        return [
            "model": .string(model.name), "prompt": .string(runs.map(\.text).joined()), "token_ids": .ids(ids),
            "count": .integer(ids.count), "max_model_len": .integer(model.maxModelLength),
        ]
    }

    private func messageTokens(_ json: JSONValue) throws(APIError) -> JSONValue {
        let request = try ChatCompletionRequest(MessagesRequest.translate(json, counts: true), for: model)
        let text = try requireText()
        return ["input_tokens": .integer(try text.ids(of: request, try text.render(request), for: model).count)]
    }

    private func requireText() throws(APIError) -> TextPipeline {
        guard let text else { throw .textUnavailable(param: "model", message: "This model has no tokenizer.") }
        return text
    }
}
