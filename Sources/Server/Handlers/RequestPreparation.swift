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
        var promptIDs: [[Int32]] = []
        for (index, prompt) in request.prompts.enumerated() {
            if Task.isCancelled { throw .aborted }
            switch prompt {
            case .ids(let ids): promptIDs.append(ids)
            case .text(let string):
                guard let text else { throw .textUnavailable(param: "prompt", message: "This model has no tokenizer.") }
                promptIDs.append(
                    try text.encode(
                        [TextRun(text: string, isTrusted: true)], addSpecialTokens: request.options.addsSpecialTokens,
                        param: request.prompts.count == 1 ? "prompt" : "prompt[\(index)]", for: model))
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
        let ids = try text.encode(
            prompt, addSpecialTokens: request.options.addsSpecialTokens, param: "messages", for: model)
        return Prepared(options: request.options, promptIDs: [ids])
    }
}
