import Basics
import Dispatch
import Synchronization
import Web

/// Asks a running server for needles in haystacks of several lengths (MK-NIAH, as in RULER's `niah_multikey_1`, arXiv
/// 2404.06654).
public struct NeedleEvaluation: Sendable {
    /// The options of the test.
    public struct Options: Sendable {
        /// The lengths of prompt and reply together, in tokens.
        public var lengths = [512, 1024, 2048, 4096]
        /// The positions of the needle that is asked for, in percent of the haystack.
        public var depths = Array(stride(from: 0, through: 100, by: 10))
        /// The number of prompts for each length and depth.
        public var samples = 3
        /// The number of decimal digits of a value.
        public var digits = 7
        /// The maximum number of tokens of a reply.
        public var replyTokens = 128
        /// The number of concurrent requests.
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

    /// The server to test.
    public struct Server: Sendable {
        /// The address, with or without `/v1`.
        public var url: String
        /// The model name; `nil` for the first model that the server lists.
        public var model: String?
        /// The API key, in printable ASCII.
        public var apiKey: String?
        /// The maximum time of one request.
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

    /// The numbers of sentences in the two prompts for estimating token counts.
    private static let probeSentences = (few: 8, many: 72)
    /// The assumed bytes per token if the server reports no counts.
    private static let usualBytes = 4.0
    /// The approximate tokens per sentence, for the start of the search.
    private static let sentenceTokens = 16
    private static let interval = DispatchTimeInterval.milliseconds(200)

    /// Detects the server's features.
    ///
    /// - Parameters:
    ///   - environment: the environment variables, for the proxies.
    ///   - mustStop: called often, by several threads; requests end when it returns true.
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
                url: chat.base, model: chat.model.printable(), endpoint: chat.endpoint.rawValue, notes: chat.notes),
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

    /// Asks all questions. If the user stops the test, the report has the questions that were answered before.
    ///
    /// - Parameter progress: called regularly on this thread with the completed fraction, in 0...1.
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

    /// The parameters of one request.
    private struct Question: Sendable {
        let length: Int
        let depth: Int
        let sample: Int

        /// Returns the seed of this question, which does not depend on the other lengths, depths and samples of the test.
        func seed(_ seed: UInt64) -> UInt64 {
            SyntheticBytes.word(seed, (length * 101 + depth) * Options.sampleRange.upperBound + sample)
        }
    }

    /// The state that the threads share.
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
            // The server may not have this endpoint, or it may not work.
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
