/// A model that can be tested with needles.
protocol NeedleSubject: Sendable {
    /// Returns the reply to a prompt, at temperature 0 if the model accepts it.
    ///
    /// - Parameters:
    ///   - prompt: the text and the question.
    ///   - prefix: the beginning of the reply, for a model that only continues text.
    ///   - maxTokens: the maximum number of tokens of the reply.
    /// - Throws: `RequestFailure` if there is no reply.
    func reply(to prompt: String, prefix: String, maxTokens: Int) throws(RequestFailure) -> NeedleReply

    /// Returns the number of tokens of a prompt, including everything that the server adds, in 0...2^32; `nil` if the reply has
    /// no such number.
    ///
    /// - Throws: `RequestFailure` if there is no reply.
    func tokens(of prompt: String, prefix: String) throws(RequestFailure) -> Int?
}

/// The reply of a model.
struct NeedleReply: Sendable {
    /// The reasoning and the content.
    var text: String
    /// The number of prompt tokens reported by the server, in 0...2^32.
    var promptTokens: Int?
}
