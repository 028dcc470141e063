/// The parts of its prompts that a stream repeats, for each choice in its first chunk.
///
/// All first chunks may be written in one turn of the event loop, and a client with 4 MiB of unread data is disconnected. So the
/// parts have limits. Complete responses have none, because they are written on other threads.
struct RepeatedPrompts {
    /// The maximum number of log-probabilities, alternatives included.
    static let mostLogprobs = 4096
    /// The maximum number of token ids.
    static let mostTokenIDs = 262_144
    /// The maximum number of bytes of text.
    static let mostBytes = 1 << 20

    private let options: GenerationOptions
    private var (logprobs, tokenIDs, bytes) = (0, 0, 0)

    init(_ options: GenerationOptions) {
        self.options = options
    }

    /// Adds a prompt of `tokens` tokens whose text has `bytes` bytes.
    ///
    /// - Throws: `APIError` with status 400 if a limit is exceeded.
    mutating func add(tokens: Int, bytes: Int) throws(APIError) {
        guard options.streaming != nil else { return }
        if options.echoesPrompt, let top = options.logprobs {
            logprobs += tokens * (top + 1) * options.choices
            try check(logprobs, "log-probabilities", Self.mostLogprobs, "'echo' with 'logprobs'", param: "echo")
        }
        if options.echoesPrompt {
            self.bytes += bytes * options.choices
            try check(self.bytes, "bytes", Self.mostBytes, "'echo'", param: "echo")
        }
        if options.returnsTokenIDs {
            tokenIDs += tokens * options.choices
            try check(tokenIDs, "token ids", Self.mostTokenIDs, "'return_token_ids'", param: "return_token_ids")
        }
    }

    private func check(_ count: Int, _ unit: String, _ limit: Int, _ name: String, param: String) throws(APIError) {
        guard count > limit else { return }
        throw .invalid(
            param: param,
            message: """
                \(name) in a stream is limited to \(limit) \(unit) of the prompts, for all choices together; this request has \
                at least \(count). Use 'stream': false.
                """)
    }
}
