import Text

/// Turns a request's body into prompts of token ids. Pure, and the expensive part of a request before the engine, so it
/// runs off the event loop.
struct RequestPreparation: Sendable {
    /// What the engine and the reply need to know of a request.
    struct Prepared: Sendable {
        var options: GenerationOptions
        /// (prompts, tokens)
        var promptIDs: [[Int32]]
    }

    let endpoint: Endpoint
    let model: ServedModel
    let text: TextPipeline?

    /// - Parameter body: as it came.
    /// - Throws: the `APIError` that the client gets.
    @concurrent func prepare(_ body: [UInt8]) async throws(APIError) -> Prepared {
        // The client may have left while the request waited for a thread.
        if Task.isCancelled { throw .aborted }
        let json = try JSONValue(requestBody: body)
        switch endpoint {
        case .completions: return try prepareCompletion(json)
        case .chat: return try prepareChat(json)
        }
    }

    private func prepareCompletion(_ json: JSONValue) throws(APIError) -> Prepared {
        let request = try CompletionRequest(json, for: model)
        let promptIDs = request.prompts.map { prompt in
            switch prompt {
            case .ids(let ids): ids
            case .text(let string):
                text?.tokenizer.encode(string, addSpecialTokens: request.options.addsSpecialTokens) ?? []
            }
        }
        return Prepared(options: request.options, promptIDs: promptIDs)
    }

    private func prepareChat(_ json: JSONValue) throws(APIError) -> Prepared {
        let request = try ChatCompletionRequest(json, for: model)
        guard let text else {
            throw .textUnavailable(param: "messages", message: "This model has no tokenizer.")
        }
        let prompt = try text.render(request)
        let ids = text.tokenizer.encode(prompt, addSpecialTokens: request.options.addsSpecialTokens)
        return Prepared(options: request.options, promptIDs: [ids])
    }
}
