import Basics
import ChatTemplates
import Engine

/// The state of one choice of a response: the output of its sequence so far.
struct ChoiceState: Sendable {
    /// The index of its prompt in the request.
    let prompt: Int
    /// Splits the output into parts; `nil`: all of it is content.
    private var parser: ChatOutputParser?
    private var reasoning: ReasoningTracker?
    private let includesReasoning: Bool
    private let keepsTokens: Bool
    /// The output so far.
    var output: ParsedOutput
    /// All tokens, if the reply lists them; a stream has sent them already and keeps none.
    private(set) var tokens: [GeneratedToken] = []
    private(set) var tokenCount = 0
    /// Log-probabilities of the prompt's tokens from the second one, if the reply lists them.
    private(set) var promptLogprobs: [TokenLogprobs] = []
    /// The sum over all tokens with reported log-probabilities.
    private var logprobSum = 0.0
    private(set) var cachedTokens = 0
    private(set) var admitted: ContinuousClock.Instant?
    private(set) var finish: FinishReason?
    /// The embedding of its prompt, if requested.
    private(set) var embedding: [Float] = []
    /// The tokens of each text by the index of its item, if the reply lists them.
    private(set) var textTokens: [Int: [ScoredToken]] = [:]
    private var aligner: TokenAligner?
    /// The byte ranges in the output of the content that arrived with the last event, one for each part.
    private var contentRanges: [Range<Int>] = []
    private var textBytes = 0
    /// Whether there was any output for the client.
    private(set) var hasBegun = false

    /// - Parameters:
    ///   - keepsText: whether ``output`` has the text.
    ///   - keepsTokens: whether ``tokens`` are kept.
    ///   - aligner: finds the tokens of texts; `nil`: ``textTokens`` stays empty.
    init(
        prompt: Int, parsing: OutputParserConfiguration? = nil, keepsText: Bool = false, keepsTokens: Bool = false,
        aligner: TokenAligner? = nil
    ) {
        self.prompt = prompt
        self.aligner = aligner
        self.keepsTokens = keepsTokens
        parser = parsing?.parser
        reasoning = parsing?.reasoning
        includesReasoning = parsing?.includesReasoning ?? true
        output = ParsedOutput(keepsText: keepsText)
    }

    /// The number of reasoning tokens so far.
    var reasoningTokens: Int { reasoning?.count ?? 0 }

    /// Whether the choice has called a tool.
    var hasCalls: Bool { parser.map { $0.calls > 0 } ?? false }

    /// Applies an event and returns the new parts of the output.
    mutating func receive(_ event: TokenEvent) -> [ChatOutputEvent] {
        for token in event.tokens {
            reasoning?.append(token.id)
            aligner?.append(token.scored)
        }
        if keepsTokens { tokens += event.tokens }
        tokenCount += event.tokens.count
        promptLogprobs += event.promptLogprobs
        for token in event.tokens { logprobSum += Double(token.logprobs?.logprob ?? 0) }
        cachedTokens = max(cachedTokens, event.cachedTokens)
        admitted = admitted ?? event.admitted
        finish = event.finish
        embedding = event.embedding ?? embedding
        hasBegun = hasBegun || event.hasOutput
        return parse(event)
    }

    private mutating func parse(_ event: TokenEvent) -> [ChatOutputEvent] {
        contentRanges = []
        guard parser != nil else {
            guard !event.text.isEmpty else { return [] }
            contentRanges = [textBytes..<textBytes + event.text.utf8.count]
            textBytes += event.text.utf8.count
            return [.content(event.text)]
        }
        var events = parser?.append(event.text) ?? []
        contentRanges = parser?.contentRanges ?? []
        if event.finish != nil {
            events += parser?.finish() ?? []
            contentRanges += parser?.contentRanges ?? []
        }
        if !includesReasoning {
            events.removeAll {
                if case .reasoning = $0 { true } else { false }
            }
        }
        return events
    }

    /// Finds the tokens of the text that arrived with the last event.
    ///
    /// - Parameter changes: the event's changes of the items.
    mutating func alignTokens(_ changes: [OutputChange]) {
        guard aligner != nil else { return }
        var ranges = contentRanges[...]
        for case .extends(let item, _) in changes where output.items[item].kind == .text {
            guard let range = ranges.popFirst() else { return }
            textTokens[item, default: []] += aligner?.take(range) ?? []
        }
    }

    /// The mean log-probability of its tokens, for comparing candidates.
    var meanLogprob: Double { tokenCount == 0 ? 0 : logprobSum / Double(tokenCount) }
}

extension TokenEvent {
    /// Whether there is output for the client other than the progress of the prompt.
    var hasOutput: Bool { !tokens.isEmpty || !text.isEmpty || finish != nil }
}
