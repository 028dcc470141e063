import Engine

/// One choice of a reply: what its sequence has produced so far.
struct CompletionChoice: Sendable {
    /// Which of the request's prompts it answers.
    let prompt: Int
    /// All text, and all tokens where the reply lists them; a stream has sent them already and keeps neither.
    private(set) var text = ""
    private(set) var tokens: [GeneratedToken] = []
    private(set) var tokenCount = 0
    /// Of the prompt's tokens from the second on, where the reply lists them.
    private(set) var promptLogprobs: [TokenLogprobs] = []
    /// Over all tokens, as far as they were reported.
    private var logprobSum = 0.0
    private(set) var cachedTokens = 0
    private(set) var finish: FinishReason?
    /// Whether a stream has sent its first chunk.
    var hasBegun = false
    /// Where the text of the next streamed token begins.
    var position = TextPosition()

    init(prompt: Int) {
        self.prompt = prompt
    }

    mutating func receive(_ event: TokenEvent, keepsText: Bool, keepsTokens: Bool) {
        if keepsText { text += event.text }
        if keepsTokens { tokens += event.tokens }
        tokenCount += event.tokens.count
        promptLogprobs += event.promptLogprobs
        for token in event.tokens { logprobSum += Double(token.logprobs?.logprob ?? 0) }
        cachedTokens = max(cachedTokens, event.cachedTokens)
        finish = event.finish
    }

    /// The mean log-probability of its tokens, by which candidates are compared.
    var meanLogprob: Double { tokenCount == 0 ? 0 : logprobSum / Double(tokenCount) }
}
