import ChatTemplates
import Engine

/// One choice of a reply: what its sequence has produced so far.
struct CompletionChoice: Sendable {
    /// Which of the request's prompts it answers.
    let prompt: Int
    /// What tells its parts apart; `nil`: it is all content.
    private var parser: ChatOutputParser?
    private var meter: ReasoningMeter?
    private let includesReasoning: Bool
    /// All its text in parts, where the reply comes whole.
    private(set) var parts = ReplyParts()
    /// All text, and all tokens where the reply lists them; a stream has sent them already and keeps neither.
    private(set) var text = ""
    private(set) var tokens: [GeneratedToken] = []
    private(set) var tokenCount = 0
    /// Of the prompt's tokens from the second on, where the reply lists them.
    private(set) var promptLogprobs: [TokenLogprobs] = []
    /// Over all tokens, as far as they were reported.
    private var logprobSum = 0.0
    private(set) var cachedTokens = 0
    private(set) var admitted: ContinuousClock.Instant?
    private(set) var finish: FinishReason?
    /// Whether a stream has sent its first chunk.
    var hasBegun = false
    /// Where the text of the next streamed token begins.
    var position = TextPosition()

    init(prompt: Int, reply: ReplyReader? = nil) {
        self.prompt = prompt
        parser = reply?.parser
        meter = reply?.meter
        includesReasoning = reply?.includesReasoning ?? true
    }

    /// Tokens of reasoning so far.
    var reasoningTokens: Int { meter?.count ?? 0 }

    /// Whether it has called a tool.
    var hasCalls: Bool { parser.map { $0.calls > 0 } ?? false }

    /// Takes what happened and returns the parts of the reply that came with it.
    @discardableResult mutating func receive(
        _ event: TokenEvent, keepsText: Bool, keepsTokens: Bool
    ) -> [ChatOutputEvent] {
        var events = parser?.append(event.text) ?? []
        if event.finish != nil { events += parser?.finish() ?? [] }
        if !includesReasoning {
            events.removeAll {
                if case .reasoning = $0 { true } else { false }
            }
        }
        for token in event.tokens { meter?.append(token.id) }
        if keepsText {
            text += event.text
            for event in events { parts.add(event) }
        }
        if keepsTokens { tokens += event.tokens }
        tokenCount += event.tokens.count
        promptLogprobs += event.promptLogprobs
        for token in event.tokens { logprobSum += Double(token.logprobs?.logprob ?? 0) }
        cachedTokens = max(cachedTokens, event.cachedTokens)
        admitted = admitted ?? event.admitted
        finish = event.finish
        return events
    }

    /// The mean log-probability of its tokens, by which candidates are compared.
    var meanLogprob: Double { tokenCount == 0 ? 0 : logprobSum / Double(tokenCount) }
}
