import Dispatch
import Foundation
import Logging
import Scheduling
import Synchronization
import TestSupport
import Testing
import Tokenizers

@testable import Engine

/// A running engine for tests: submits sequences and collects each one's events until it ends.
final class EngineHarness: Sendable {
    /// Why the engine is not ready.
    struct Failure: Error {
        var reason: String
    }

    struct Outcome: Sendable, Equatable {
        var ids: [Int32] = []
        var text = ""
        var logprobs: [TokenLogprobs?] = []
        var promptLogprobs: [TokenLogprobs] = []
        var embedding: [Float]?
        var finish: FinishReason?
        /// The events of a sequence, which are not part of the result and are not compared.
        var cachedTokens = 0

        static func == (left: Self, right: Self) -> Bool {
            left.ids == right.ids && left.text == right.text && left.logprobs == right.logprobs
                && left.promptLogprobs == right.promptLogprobs && left.embedding == right.embedding
                && left.finish == right.finish
        }

        mutating func add(_ event: TokenEvent) {
            ids += event.tokens.map(\.id)
            logprobs += event.tokens.map(\.logprobs)
            promptLogprobs += event.promptLogprobs
            embedding = embedding ?? event.embedding
            text += event.text
            finish = event.finish
            cachedTokens += event.cachedTokens
        }
    }

    let engine: LLMEngine
    /// Signalled when there is something to take.
    private let reports = DispatchSemaphore(value: 0)
    private let states: AsyncStream<LLMEngine.State>
    /// The ranks in this process, if there are several.
    let ranks: LocalRanks?

    /// - Parameters:
    ///   - count: the number of engines that share the model's layers.
    ///   - follower: changes the options of a rank other than 0.
    ///   - transport: changes the connection of a rank other than 0.
    init(
        _ directory: URL, tokenizer: Tokenizer? = nil, starts: Bool = true, ranks count: Int = 1,
        _ change: (inout EngineOptions) -> Void = { _ in },
        follower: (inout EngineOptions, _ rank: Int) -> Void = { _, _ in },
        transport: @escaping @Sendable (LocalTransport) -> any RankTransport = { $0 }
    ) {
        var options = EngineOptions(modelDirectory: directory)
        options.pinsThreads = false
        // The references are results of exact arithmetic.
        options.compute = .exact
        options.threads = 1
        change(&options)
        var logger = Logger(label: "test")
        logger.logLevel = .error
        ranks = count > 1 ? LocalRanks(count: count) : nil
        if let ranks {
            for rank in 1..<count {
                var own = options
                follower(&own, rank)
                own.joinRanks = { transport(ranks.transport(rank: rank)) }
                Self.startFollower(own, rank: rank, logger)
            }
            options.joinRanks = { ranks.transport(rank: 0) }
        }
        let (states, state) = AsyncStream.makeStream(of: LLMEngine.State.self)
        self.states = states
        engine = LLMEngine(options: options, tokenizer: tokenizer, logger: logger) { [reports] in
            reports.signal()
        } onStateChange: {
            state.yield($0)
        }
        if starts { engine.start() }
    }

    /// Waits until the engine has failed; why other ranks made it fail.
    func failure() async -> RankFailure? {
        for await state in states {
            if case .rankFailed(let failure) = state { return failure }
        }
        return nil
    }

    private static func startFollower(_ options: EngineOptions, rank: Int, _ logger: Logger) {
        let follower = RankFollower(options: options, logger: logger) { end in
            // Rank 0 then fails, and the test with it.
            if case .failed(let reason, _) = end { logger.warning("rank \(rank): \(reason)") }
        }
        do throws(SystemThread.Failure) { try follower.start() } catch { Issue.record("\(error)") }
    }

    /// Waits until the model is loaded.
    ///
    /// - Throws: why it cannot be loaded.
    func ready() async throws -> LoadedModel {
        for await state in states {
            switch state {
            case .ready(let model): return model
            case .failed(let reason): throw Failure(reason: reason)
            case .rankFailed(let failure): throw failure
            case .loading, .stopped: continue
            }
        }
        throw Failure(reason: "the engine ended")
    }

    /// Runs `requests` together; returns their outcomes in the same order, and the statistics after the last.
    func run(
        _ requests: [GenerationRequest], abortAfterTokens: [SequenceID: Int] = [:]
    ) async -> ([Outcome], EngineStatistics) {
        await run(waves: [requests], abortAfterTokens: abortAfterTokens)
    }

    /// The same for requests that arrive in groups, a few reports apart, while earlier ones run.
    ///
    /// - Parameter submitted: ids of sequences that were submitted before; their outcomes come first.
    func run(
        waves: [[GenerationRequest]], submitted: [SequenceID] = [], abortAfterTokens: [SequenceID: Int] = [:]
    ) async -> ([Outcome], EngineStatistics) {
        // On a separate thread: the shared thread pool of the tests may be busy for a long time.
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in
                continuation.resume(returning: collect(waves, submitted, abortAfterTokens))
            }
        }
    }

    private func collect(
        _ waves: [[GenerationRequest]], _ submitted: [SequenceID], _ abortAfterTokens: [SequenceID: Int]
    ) -> ([Outcome], EngineStatistics) {
        var outcomes = Dictionary(uniqueKeysWithValues: submitted.map { ($0, Outcome()) })
        var live = Set(submitted)
        var coming = waves[...]
        func submitNext() {
            guard let wave = coming.popFirst() else { return }
            for request in wave { outcomes[request.id] = Outcome() }
            live.formUnion(wave.map(\.id))
            if !engine.submit(wave) { Issue.record("the engine is full") }
        }
        submitNext()
        var reportCount = 0
        while true {
            reports.wait()
            let report = engine.takeReport()
            for event in report.events {
                if !live.contains(event.sequence) { Issue.record("\(event.sequence) has ended already") }
                outcomes[event.sequence]?.add(event)
                if event.finish != nil {
                    live.remove(event.sequence)
                } else if let limit = abortAfterTokens[event.sequence],
                    outcomes[event.sequence]?.ids.count ?? 0 >= limit
                {
                    engine.abort([event.sequence])
                }
            }
            reportCount += 1
            if live.isEmpty && coming.isEmpty {
                let ids = submitted + waves.joined().map(\.id)
                return (ids.compactMap { outcomes[$0] }, report.statistics)
            }
            if live.isEmpty || reportCount % 4 == 0 { submitNext() }
        }
    }

    /// Ends the engine's thread.
    func stop() async {
        engine.stop()
        for await state in states {
            if case .stopped = state { return }
        }
    }
}

extension EngineStatistics {
    /// Whether every block is free or cached.
    var holdsNothing: Bool {
        scheduler.globalBlocks == 0 && scheduler.slidingBlocks == 0
            && scheduler.freeBlocks + scheduler.cachedBlocks == scheduler.totalBlocks
    }
}

extension GenerationRequest {
    /// Greedy by default.
    static func test(
        _ id: UInt64, _ promptIDs: [Int32], maxTokens: Int, temperature: Float = 0, seed: UInt64 = 0,
        logprobs: Int? = nil,
        ignoresEndOfSequence: Bool = false
    ) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.temperature = temperature
        sampling.seed = seed
        var stop = StopConditions()
        stop.ignoresEndOfSequence = ignoresEndOfSequence
        return GenerationRequest(
            id: SequenceID(id), promptIDs: promptIDs, sampling: sampling, stop: stop, maxTokens: maxTokens,
            logprobs: logprobs)
    }
}
