import Engine
import HTTP
import JSON
import Scheduling

/// Turns the events of one request's sequences into its reply: the events of a stream as they come, or one body at
/// the end. A value that touches nothing else.
///
/// Both forms are made of the same parts by the same code, so the joined text of a stream is the text of the whole
/// reply. A stream has begun once ``receive(_:)`` has returned bytes; before that an error is still an ordinary HTTP
/// error (``failure``), after it an event of the stream.
struct ResponseStream: Sendable {
    let endpoint: Endpoint
    let options: GenerationOptions
    let id: String
    let created: Int
    let model: String
    let promptIDs: [[Int32]]
    /// What the choices' texts begin with, one a prompt; empty unless the request wants the prompts back.
    let promptTexts: [String]
    /// How choices are read; `nil`: they are all content.
    let reply: ReplyReader?
    let firstSequence: SequenceID
    let logprobs: Logprobs
    /// By number of the sequence: prompt times `best_of` plus choice.
    private(set) var choices: [CompletionChoice]
    /// Nothing more will come: all choices are finished, or the request has failed.
    private(set) var isFinished = false
    /// The error to answer with instead of a stream or a body.
    private(set) var failure: APIError?
    private var unfinished: Int
    private(set) var timings: ReplyTimings
    private var hasBegun = false
    /// The reply in the form of another API; `nil`: it is a completion or a chat completion.
    private var itemized: ItemizedReply?
    /// What every chunk of a stream begins with, made once.
    let chunkPrefix: [UInt8]

    /// - Parameters:
    ///   - requestID: the request's id; the reply's own is made of it.
    ///   - created: Unix time in seconds.
    ///   - promptIDs: the prompts, (prompts, tokens).
    ///   - promptTexts: what the choices' texts begin with, one a prompt, when the request wants the prompts back.
    ///   - formatter: how the reply to a chat is written; `nil`: as a chat completion.
    ///   - firstSequence: the id of prompt 0, choice 0; the others count up from it.
    ///   - arrival: of the request.
    init(
        endpoint: Endpoint, requestID: String, created: Int, model: String, options: GenerationOptions,
        promptIDs: [[Int32]], promptTexts: [String] = [], reply: ReplyReader? = nil,
        formatter: (any ResponseFormatter)? = nil, firstSequence: SequenceID, names: TokenNames,
        arrival: ContinuousClock.Instant = .now
    ) {
        precondition(!promptIDs.isEmpty, "a request has at least one prompt")
        self.endpoint = endpoint
        self.options = options
        id = endpoint.idPrefix + requestID
        self.created = created
        self.model = model
        self.promptIDs = promptIDs
        self.promptTexts = promptTexts
        self.reply = reply
        self.firstSequence = firstSequence
        logprobs = Logprobs(
            names: names, skipsSpecialTokens: options.skipsSpecialTokens, namesTokensByID: options.namesTokensByID)
        choices = promptIDs.indices.flatMap { prompt in
            (0..<options.candidates).map { _ in CompletionChoice(prompt: prompt, reply: reply) }
        }
        unfinished = choices.count
        timings = ReplyTimings(arrival: arrival)
        itemized = formatter.map {
            ItemizedReply(
                $0, head: ReplyHead(requestID: requestID, created: created, model: model),
                isStreamed: options.streaming != nil)
        }
        chunkPrefix = Self.chunkPrefix(
            endpoint: endpoint, id: id, created: created, model: model, namesServiceTier: options.namesServiceTier)
    }

    /// Takes what happened to one sequence and returns the bytes that a stream sends for it: none for a whole reply,
    /// and none when there is nothing to say yet. Late events of a request that is over are ignored.
    mutating func receive(_ event: TokenEvent) -> [UInt8] {
        guard !isFinished, let index = index(of: event.sequence), choices[index].finish == nil else { return [] }
        let isWhole = options.streaming == nil
        timings.add(event, isFirst: choices[index].tokenCount == 0)
        let parts = choices[index].receive(
            event, keepsText: isWhole, keepsTokens: isWhole && (options.logprobs != nil || options.returnsTokenIDs))
        switch event.finish {
        case .abort: return fail(.aborted)
        case .deadlineExceeded: return fail(.deadlineExceeded)
        case .unsatisfiable: return fail(.unsatisfiable)
        case .grammarLimit(let limit): return fail(options.grammarLimit(limit))
        case .error: return fail(.internalError)
        case .stop, .length: unfinished -= 1
        case nil: break
        }
        isFinished = unfinished == 0
        var output: [UInt8] = []
        if itemized != nil {
            guard !event.tokens.isEmpty || !event.text.isEmpty || event.finish != nil else { return [] }
            let all = reply == nil ? [ReplyParts(content: event.text)] : parts.streamed
            let usage = usage
            itemized?.receive(all, finish: event.finish, usage: usage, to: &output)
            if !output.isEmpty { hasBegun = true }
            return output
        }
        guard let streaming = options.streaming else { return [] }
        if let progress = event.promptProgress { writeProgress(progress, choice: index, to: &output) }
        writeChunks(for: event, parts: parts.streamed, choice: index, to: &output)
        if isFinished {
            if streaming.includesUsage { writeUsageChunk(to: &output) }
            output.append(contentsOf: Self.done)
        }
        if !output.isEmpty { hasBegun = true }
        return output
    }

    /// About what it keeps of an event until the reply is written, the values of its JSON included.
    func memoryBytes(of event: TokenEvent) -> Int {
        var bytes = event.promptLogprobs.reduce(0) { $0 + Logprobs.memoryBytes($1) }
        guard options.streaming == nil else { return bytes }
        bytes += event.text.utf8.count * 3
        guard options.logprobs != nil || options.returnsTokenIDs else { return bytes }
        for token in event.tokens {
            bytes += MemoryLayout<GeneratedToken>.stride + MemoryLayout<JSONValue>.stride
            if options.logprobs != nil, let logprobs = token.logprobs { bytes += Logprobs.memoryBytes(logprobs) }
        }
        return bytes
    }

    /// Ends the request with an error: the bytes that end a stream that has begun, otherwise none and ``failure`` is
    /// set.
    mutating func fail(_ error: APIError) -> [UInt8] {
        guard !isFinished else { return [] }
        isFinished = true
        guard hasBegun else {
            failure = error
            return []
        }
        if let events = itemized?.fail(error) { return events }
        return ServerSentEvents.event(error.json.serialized) + Self.done
    }

    /// A comment, which clients ignore. The stream has begun with it.
    mutating func keepAlive() -> [UInt8] {
        guard options.streaming != nil, !isFinished else { return [] }
        hasBegun = true
        return Array(": keep-alive\n\n".utf8)
    }

    /// The whole reply in the form of another API, once ``isFinished`` without ``failure``.
    var itemizedBody: JSONValue? { itemized?.body(usage: usage) }

    /// The tokens so far.
    var usage: Usage {
        // The first choice of a prompt computes it; what its siblings find in the cache is the request's own work.
        let firsts = stride(from: 0, to: choices.count, by: options.candidates)
        return Usage(
            promptTokens: promptIDs.reduce(0) { $0 + $1.count },
            completionTokens: choices.reduce(0) { $0 + $1.tokenCount },
            cachedTokens: firsts.reduce(0) { $0 + choices[$1].cachedTokens },
            reasoningTokens: choices.reduce(0) { $0 + $1.reasoningTokens })
    }

    private func index(of sequence: SequenceID) -> Int? {
        guard sequence >= firstSequence else { return nil }
        let offset = sequence.rawValue - firstSequence.rawValue
        return offset < UInt64(choices.count) ? Int(offset) : nil
    }
}

extension ResponseStream {
    /// Writes the chunks of one event: the role when a chat choice begins, then everything else in one, or one for each of
    /// the reply's parts.
    private mutating func writeChunks(
        for event: TokenEvent, parts: [ReplyParts], choice index: Int, to output: inout [UInt8]
    ) {
        guard !event.tokens.isEmpty || !event.text.isEmpty || event.finish != nil else { return }
        let isFirst = !choices[index].hasBegun
        let opensWithRole = isFirst && endpoint.isChat
        if opensWithRole {
            choices[index].hasBegun = true
            writeChunk(ChunkContent(role: "assistant", text: ""), choice: index, isFirst: true, to: &output)
        }
        var content = ChunkContent(finish: event.finish)
        let echo = isFirst ? echoedText(of: choices[index]) : ""
        if reply == nil, !event.text.isEmpty || !echo.isEmpty { content.text = echo + event.text }
        let tokens = (isFirst ? echoedTokens(of: choices[index]) : []) + event.tokens.map(\.scored)
        if !tokens.isEmpty, options.logprobs != nil {
            content.logprobs = logprobs.json(of: tokens, endpoint: endpoint, position: &choices[index].position)
        }
        if !event.tokens.isEmpty, options.returnsTokenIDs { content.tokenIDs = event.tokens.map(\.id) }
        var opens = isFirst && !opensWithRole
        // The parts one by one; what is said of the whole event goes with the first, its end with the last.
        for (number, part) in parts.enumerated() {
            var chunk = number == 0 ? content : ChunkContent()
            chunk.finish = number == parts.count - 1 ? event.finish : nil
            chunk.parts = part
            choices[index].hasBegun = true
            writeChunk(chunk, choice: index, isFirst: opens, to: &output)
            opens = false
        }
        guard parts.isEmpty, !content.isEmpty else { return }
        choices[index].hasBegun = true
        writeChunk(content, choice: index, isFirst: opens, to: &output)
    }

    /// What a choice's text begins with.
    func echoedText(of choice: CompletionChoice) -> String {
        options.echoesPrompt ? promptTexts[choice.prompt] : ""
    }

    /// The prompt's tokens, where the choice's log-probabilities begin with them.
    func echoedTokens(of choice: CompletionChoice) -> [ScoredToken] {
        guard options.echoesPrompt, let top = options.logprobs else { return [] }
        return promptTokens(of: choice, top: top)
    }

    func promptTokens(of choice: CompletionChoice, top: Int) -> [ScoredToken] {
        promptIDs[choice.prompt].enumerated().map { position, id in
            guard position > 0 else { return ScoredToken(id: id) }
            var logprobs = choice.promptLogprobs[position - 1]
            if logprobs.top.count > top { logprobs.top = Array(logprobs.top.prefix(top)) }
            return ScoredToken(id: id, logprobs: logprobs)
        }
    }
}
