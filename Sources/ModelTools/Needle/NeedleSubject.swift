/// The model that the needle test asks.
protocol NeedleSubject: Sendable {
    /// The reply to a prompt, at temperature 0.
    ///
    /// - Parameters:
    ///   - prompt: the text and the question.
    ///   - prefix: the beginning of the reply, for a model that only continues text.
    ///   - maxTokens: the most tokens of the reply.
    /// - Throws: `RequestFailure` without a reply.
    func reply(to prompt: String, prefix: String, maxTokens: Int) throws(RequestFailure) -> NeedleReply

    /// The tokens of a prompt with all that the server adds to it, in 0...2^32; `nil` if the reply has no such number.
    ///
    /// - Throws: `RequestFailure` without a reply.
    func tokens(of prompt: String, prefix: String) throws(RequestFailure) -> Int?
}

/// What a model said.
struct NeedleReply: Sendable {
    /// Reasoning and content.
    var text: String
    /// The tokens of the prompt by the server, in 0...2^32.
    var promptTokens: Int?
}
