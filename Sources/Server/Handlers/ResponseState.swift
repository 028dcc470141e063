import Engine
import JSON

/// The properties that are the same in all parts of one response.
struct ResponseHead: Sendable, Hashable {
    var requestID: String
    /// From which the ids of the response and its items are derived; see ``RequestID/objectID``.
    var objectID: String
    /// Unix time in seconds.
    var created: Int
    var model: String
}

/// The state of a response that is being generated, which formatters read. Independent of the API.
struct ResponseState: Sendable {
    let head: ResponseHead
    let options: GenerationOptions
    let promptIDs: [[Int32]]
    /// The prompts that the choices' texts begin with, one per prompt; empty unless the request asks for them (`echo`).
    let promptTexts: [String]
    /// The configuration of the output parser; `nil`: choices are all content.
    let parsing: OutputParserConfiguration?
    let logprobs: Logprobs
    /// Whether choices keep their text.
    let keepsText: Bool
    /// Whether choices keep the tokens of their texts.
    let keepsTextTokens: Bool
    /// The choices of all prompts. The index is that of the prompt, times `best_of`, plus that of the choice.
    private(set) var choices: [ChoiceState]
    private(set) var timings: ReplyTimings
    private var unfinished: Int

    /// - Parameters:
    ///   - names: the names of tokens in log-probabilities.
    ///   - arrival: the arrival time of the request.
    init(
        _ prepared: RequestPreparation.Prepared, _ head: ResponseHead, names: TokenNames,
        arrival: ContinuousClock.Instant
    ) {
        precondition(!prepared.promptIDs.isEmpty, "a request has at least one prompt")
        let options = prepared.options
        self.head = head
        self.options = options
        promptIDs = prepared.promptIDs
        promptTexts = prepared.promptTexts
        parsing = prepared.parsing
        logprobs = Logprobs(
            names: names, skipsSpecialTokens: options.skipsSpecialTokens, namesTokensByID: options.namesTokensByID)
        let isWhole = options.streaming == nil
        let keepsText = isWhole || prepared.formatter.repeatsOutput
        let keepsTextTokens = prepared.formatter.listsTextTokens && options.logprobs != nil
        let keepsTokens = isWhole && options.listsTokens && !keepsTextTokens
        let aligner = keepsTextTokens ? TokenAligner(options, names: names) : nil
        self.keepsText = keepsText
        self.keepsTextTokens = keepsTextTokens
        choices = prepared.promptIDs.indices.flatMap { prompt in
            (0..<options.candidates).map { _ in
                ChoiceState(
                    prompt: prompt, parsing: prepared.parsing, keepsText: keepsText, keepsTokens: keepsTokens,
                    aligner: aligner)
            }
        }
        unfinished = choices.count
        timings = ReplyTimings(arrival: arrival)
    }

    /// Whether all choices are finished.
    var isComplete: Bool { unfinished == 0 }

    /// Applies an event of a choice.
    ///
    /// - Throws: an error that ends the whole response.
    mutating func receive(_ event: TokenEvent, choice index: Int) throws(APIError) -> ResponseUpdate {
        timings.add(event, isFirst: choices[index].tokenCount == 0)
        let isFirst = !choices[index].hasBegun && event.hasOutput
        let events = choices[index].receive(event)
        switch event.finish {
        case .abort: throw .aborted
        case .deadlineExceeded: throw .deadlineExceeded
        case .unsatisfiable: throw .unsatisfiable
        case .grammarLimit(let limit): throw options.grammarLimit(limit)
        case .error: throw .internalError
        case .stop, .length: unfinished -= 1
        case nil: break
        }
        let changes = choices[index].output.add(events, isLast: event.finish != nil)
        choices[index].alignTokens(changes)
        return ResponseUpdate(choice: index, event: event, changes: changes, isFirst: isFirst)
    }

    /// The choices of the reply: the most likely candidates of each prompt. Among equally likely ones, the first.
    var bestChoices: [ChoiceState] {
        guard options.candidates > options.choices else { return choices }
        return stride(from: 0, to: choices.count, by: options.candidates).flatMap { first in
            let candidates = choices[first..<first + options.candidates].enumerated().sorted {
                ($1.element.meanLogprob, $0.offset) < ($0.element.meanLogprob, $1.offset)
            }
            return candidates.prefix(options.choices).map(\.element)
        }
    }

    /// The token usage so far.
    var usage: Usage {
        // The first choice of a prompt computes it. Cache hits of the other choices are due to the same request and do not count.
        let firsts = stride(from: 0, to: choices.count, by: options.candidates)
        return Usage(
            promptTokens: promptIDs.reduce(0) { $0 + $1.count },
            completionTokens: choices.reduce(0) { $0 + $1.tokenCount },
            cachedTokens: firsts.reduce(0) { $0 + choices[$1].cachedTokens },
            reasoningTokens: choices.reduce(0) { $0 + $1.reasoningTokens })
    }

    /// The tokens of a choice's prompt with their log-probabilities; the choice must have them.
    func promptTokens(of choice: ChoiceState, top: Int) -> [ScoredToken] {
        promptIDs[choice.prompt].enumerated().map { position, id in
            guard position > 0 else { return ScoredToken(id: id) }
            var logprobs = choice.promptLogprobs[position - 1]
            if logprobs.top.count > top { logprobs.top = Array(logprobs.top.prefix(top)) }
            return ScoredToken(id: id, logprobs: logprobs)
        }
    }

    /// The approximate memory of an event's data until the reply is written, including its JSON values.
    func memoryBytes(of event: TokenEvent) -> Int {
        var bytes = event.promptLogprobs.reduce(0) { $0 + Logprobs.memoryBytes($1) }
        if keepsText { bytes += event.text.utf8.count * 3 }
        // As numbers, as JSON values and as text.
        bytes += (event.embedding?.count ?? 0) * (MemoryLayout<Float>.stride + MemoryLayout<JSONValue>.stride + 16)
        guard keepsTextTokens || options.streaming == nil && options.listsTokens else { return bytes }
        for token in event.tokens {
            bytes += MemoryLayout<GeneratedToken>.stride + MemoryLayout<JSONValue>.stride
            if options.logprobs != nil, let logprobs = token.logprobs { bytes += Logprobs.memoryBytes(logprobs) }
        }
        return bytes
    }
}

extension GenerationOptions {
    /// Whether the reply lists each choice's tokens.
    fileprivate var listsTokens: Bool { logprobs != nil || returnsTokenIDs }
}
