import Dispatch
import Synchronization
import Web

/// Asks a running server for needles in haystacks of several lengths (MK-NIAH, as `niah_multikey_1` of RULER, arXiv 2404.06654).
public struct NeedleEvaluation: Sendable {
    /// What is asked.
    public struct Options: Sendable {
        /// Tokens of prompt and reply together.
        public var lengths = [512, 1024, 2048, 4096]
        /// Places of the needle that is asked for, in percent of the haystack.
        public var depths = Array(stride(from: 0, through: 100, by: 10))
        /// Prompts for each length and depth.
        public var samples = 3
        /// Decimal digits of a value.
        public var digits = 7
        /// The most tokens of a reply.
        public var replyTokens = 128
        /// Requests at the same time.
        public var concurrency = 4
        public var seed: UInt64 = 0

        public static let lengthRange = 256...1 << 24
        public static let depthRange = 0...100
        public static let sampleRange = 1...10_000
        public static let digitRange = 3...18
        public static let replyRange = 16...65_536
        public static let concurrencyRange = 1...64

        public init() {}
    }

    /// Where the prompts go.
    public struct Server: Sendable {
        /// With or without `/v1`.
        public var url: String
        /// `nil`: the first that the server lists.
        public var model: String?
        /// Printable ASCII.
        public var apiKey: String?
        /// The time for one reply.
        public var timeout = Duration.seconds(600)

        public init(url: String, model: String? = nil, apiKey: String? = nil) {
            (self.url, self.model, self.apiKey) = (url, model, apiKey)
        }
    }

    private let options: Options
    private let subject: any NeedleSubject
    private let mustStop: @Sendable () -> Bool
    private let counting: HaystackLength.Counting
    private let header: NeedleReport.Header

    /// Sentences of the two prompts by which tokens are estimated.
    private static let probeSentences = (few: 8, many: 72)
    /// Bytes of a token where the server says nothing.
    private static let usualBytes = 4.0
    /// About the tokens of a sentence, where the search for a length begins.
    private static let sentenceTokens = 16
    private static let interval = DispatchTimeInterval.milliseconds(200)

    /// Finds out what the server offers.
    ///
    /// - Parameters:
    ///   - environment: has the proxies.
    ///   - mustStop: called often, by several threads; once it returns true, requests end.
    /// - Throws: `ToolError.argument` if the server cannot be used.
    public init(
        _ server: Server, options: Options, environment: [String: String], mustStop: @escaping @Sendable () -> Bool
    ) throws(ToolError) {
        let chat = try ChatServer(
            url: server.url, model: server.model, apiKey: server.apiKey, environment: environment,
            timeout: server.timeout, mustStop: mustStop)
        try self.init(
            chat,
            header: .init(
                url: chat.base, model: chat.model.withoutControls, endpoint: chat.endpoint.rawValue, notes: chat.notes),
            options: options, mustStop: mustStop)
    }

    init(
        _ subject: any NeedleSubject, header: NeedleReport.Header, options: Options,
        mustStop: @escaping @Sendable () -> Bool
    ) throws(ToolError) {
        (self.subject, self.options, self.mustStop) = (subject, options, mustStop)
        do throws(RequestFailure) {
            counting = try Self.counting(subject, options)
        } catch {
            throw .argument("\(header.url): \(error)")
        }
        self.header = header
    }

    /// Asks all questions; if the user stops it, those that were answered until then count.
    ///
    /// - Parameter progress: called now and then on this thread with the completed fraction, in 0...1.
    public func run(progress: (Double) -> Void = { _ in }) -> NeedleReport {
        let questions = options.lengths.flatMap { length in
            (0..<options.samples).flatMap { sample in
                options.depths.map { Question(length: length, depth: $0, sample: sample) }
            }
        }
        let work = Work(NeedleReport(header: header, options: options, counting: counting))
        let (group, queue) = (DispatchGroup(), DispatchQueue(label: "needle", attributes: .concurrent))
        for _ in 0..<min(options.concurrency, questions.count) {
            queue.async(group: group) { [self] in
                while !mustStop(), let question = work.next(of: questions) {
                    let sample = NeedleSample(
                        depth: question.depth, digits: options.digits, seed: question.seed(options.seed))
                    work.add(question, sample, ask(question, sample))
                }
            }
        }
        while group.wait(timeout: .now() + Self.interval) == .timedOut {
            progress(Double(work.report.answers) / Double(questions.count))
        }
        return work.report
    }

    private func ask(_ question: Question, _ sample: NeedleSample) -> Result<NeedleReply, RequestFailure> {
        do throws(RequestFailure) {
            let budget = question.length - options.replyTokens
            let sentences = try HaystackLength.sentences(budget: budget, guess: budget / Self.sentenceTokens) {
                count throws(RequestFailure) in
                let prompt = sample.prompt(sentences: count)
                if case .estimated(let base, let perByte) = counting {
                    return Int((base + perByte * Double(prompt.utf8.count)).rounded(.up))
                }
                guard let tokens = try subject.tokens(of: prompt, prefix: sample.replyPrefix) else {
                    throw .reply("to /tokenize has no count")
                }
                return tokens
            }
            guard let sentences else { throw .length(question.length) }
            return .success(
                try subject.reply(
                    to: sample.prompt(sentences: sentences), prefix: sample.replyPrefix,
                    maxTokens: options.replyTokens))
        } catch {
            return .failure(error)
        }
    }

    /// What one request asks.
    private struct Question: Sendable {
        let length: Int
        let depth: Int
        let sample: Int

        /// The same for any other lengths, depths and samples beside it.
        func seed(_ seed: UInt64) -> UInt64 {
            SyntheticBytes.word(seed, (length * 101 + depth) * Options.sampleRange.upperBound + sample)
        }
    }

    /// What the threads share.
    private final class Work: Sendable {
        private let started = Atomic(0)
        private let result: Mutex<NeedleReport>

        init(_ report: NeedleReport) { result = Mutex(report) }

        var report: NeedleReport { result.withLock { $0 } }

        func next(of questions: [Question]) -> Question? {
            let index = started.wrappingAdd(1, ordering: .relaxed).oldValue
            return index < questions.count ? questions[index] : nil
        }

        func add(_ question: Question, _ sample: NeedleSample, _ reply: Result<NeedleReply, RequestFailure>) {
            result.withLock { $0.add(reply, to: sample, length: question.length) }
        }
    }

    private static func counting(
        _ subject: any NeedleSubject, _ options: Options
    ) throws(RequestFailure) -> HaystackLength.Counting {
        let sample = NeedleSample(depth: 50, digits: options.digits, seed: options.seed)
        let texts = [probeSentences.few, probeSentences.many].map { sample.prompt(sentences: $0) }
        do throws(RequestFailure) {
            if try subject.tokens(of: texts[0], prefix: "") != nil { return .exact }
        } catch {
            // A server may have no such endpoint, or a broken one.
            if error.isStop { throw error }
        }
        var counts: [Double] = []
        for text in texts {
            let reply = try subject.reply(to: text, prefix: "", maxTokens: Options.replyRange.lowerBound)
            guard let tokens = reply.promptTokens, tokens > 0 else {
                return .estimated(base: 0, perByte: 1 / usualBytes)
            }
            counts.append(Double(tokens))
        }
        let bytes = texts.map { Double($0.utf8.count) }
        guard counts[1] > counts[0] else {
            throw .reply(
                "has prompt_tokens that do not grow with the prompt: \(Int(counts[0])) for \(texts[0].utf8.count) bytes, "
                    + "\(Int(counts[1])) for \(texts[1].utf8.count)")
        }
        let slope = (counts[1] - counts[0]) / (bytes[1] - bytes[0])
        return .estimated(base: counts[0] - slope * bytes[0], perByte: slope)
    }
}
