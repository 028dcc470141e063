import Dispatch
import Foundation
import Logging
import Scheduling
import Synchronization
import Tokenizers

/// The engine's interface to the server: requests in, token events out. All of its work happens on one thread, apart from the mask
/// workers and the compute threads.
///
/// `start` returns at once. The thread loads the model and then runs steps until `stop`.
public final class LLMEngine: Sendable {
    /// The engine's state.
    public enum State: Sendable {
        /// The model is loading. `progress` is in 0...1.
        case loading(progress: Double)
        case ready(LoadedModel)
        /// The model could not be loaded. The text is the reason, for the operator.
        case failed(String)
        /// The other ranks cannot continue, during loading or later. The process must exit with the failure's exit code. All
        /// sequences have ended with an error.
        case rankFailed(RankFailure)
        case stopped
    }

    /// The time in seconds that the engine thread may take to notice that a rank is lost, because it may be computing.
    private static let lossGrace = 0.5

    private let options: EngineOptions
    private let tokenizer: Tokenizer?
    private let logger: Logger
    private let mailbox: EngineMailbox
    private let outbox: EngineOutbox
    private let journal = StepJournal()
    private let maskWorkers: MaskWorkers
    private let lifecycle = Mutex(State.loading(progress: 0))
    private let onStateChange: @Sendable (State) -> Void

    /// - Parameters:
    ///   - tokenizer: The tokenizer, which decodes tokens and finds stop strings. With `nil`, the engine serves only token ids.
    ///   - wake: A function that is called on the engine thread when `takeReport` has something new.
    ///   - onStateChange: A function that is called on the engine thread when the model is ready, when loading failed, and when the
    ///     thread has ended.
    public init(
        options: EngineOptions, tokenizer: Tokenizer?, logger: Logger, wake: @escaping @Sendable () -> Void,
        onStateChange: @escaping @Sendable (State) -> Void
    ) {
        self.options = options
        self.tokenizer = tokenizer
        self.logger = logger
        self.onStateChange = onStateChange
        mailbox = EngineMailbox(capacity: options.maxSequences + options.maxQueuedSequences)
        outbox = EngineOutbox(wake: wake)
        let announce: @Sendable () -> Void = { [mailbox] in mailbox.wake() }
        maskWorkers = options.maskRunner.map { MaskWorkers(runner: $0, wake: announce) } ?? MaskWorkers(wake: announce)
    }

    public var state: State { lifecycle.withLock { $0 } }

    /// The current step of the engine thread, or `nil` while it waits for work, loads the model or has ended. May be read on any
    /// thread.
    public var currentStep: RunningStep? { journal.running }

    /// Starts the engine thread. Call this once. If the system refuses to create a thread, the state is `failed` when this returns.
    public func start() {
        do throws(SystemThread.Failure) {
            // The mask workers start before the engine's threads are pinned to their CPUs, because they may use all CPUs.
            try maskWorkers.start(
                threads: MaskWorkers.threadCount(cpus: options.threads ?? ThreadPlan.available(on: options.cpus)))
            // The stack is large enough for the frames of a debug build. Nothing on this thread recurses.
            try SystemThread.start("engine", stackBytes: 8 << 20) { [self] in run() }
        } catch {
            maskWorkers.stop()
            refuseAll()
            enter(.failed(error.description))
        }
    }

    /// Submits sequences to generate. Returns false, and accepts none, if the engine is full or stopping.
    public func submit(_ requests: [GenerationRequest]) -> Bool {
        mailbox.submit(requests)
    }

    /// Aborts sequences. Each live one gets a last event with `abort`, and the next step frees its blocks. Unknown and ended ids
    /// are ignored.
    public func abort(_ ids: [SequenceID]) {
        mailbox.abort(ids)
    }

    /// Returns the events since the last call.
    public func takeReport() -> EngineReport {
        outbox.take()
    }

    /// Stops the thread after the current step. Running sequences are aborted.
    public func stop() {
        mailbox.stop()
    }

    private func run() {
        defer { maskWorkers.stop() }
        do {
            let loader = EngineLoader(options: options, logger: logger) { [self] progress in
                lifecycle.withLock { $0 = .loading(progress: progress) }
            }
            let loaded = try loader.load()
            let thread = EngineThread(
                loaded: loaded, tokenizer: tokenizer, mailbox: mailbox, outbox: outbox, journal: journal,
                maskWorkers: maskWorkers)
            loaded.ranks.map { watch($0.group.transport.bell) }
            enter(.ready(loaded.loadedModel))
            do throws(RankFailure) {
                try thread.run()
                try loaded.ranks?.group.transport.close()
            } catch {
                loaded.ranks?.group.transport.abandon()
                throw error
            }
            enter(.stopped)
        } catch let failure as RankFailure {
            refuseAll()
            fail(failure)
        } catch {
            refuseAll()
            enter(.failed(String(describing: error)))
        }
    }

    /// Wakes the engine thread when a rank is lost. If the thread does not end in time, enters the failed state without it.
    private func watch(_ bell: any RankBell) {
        bell.onLoss { [self] in
            mailbox.wake()
            DispatchQueue.global().asyncAfter(deadline: .now() + Self.lossGrace) { [self] in
                bell.failure.map(fail)
            }
        }
    }

    /// Enters the state of a rank failure. Only the first failure is reported.
    private func fail(_ failure: RankFailure) {
        let isFirst = lifecycle.withLock { state in
            if case .rankFailed = state { return false }
            state = .rankFailed(failure)
            return true
        }
        if isFirst { onStateChange(.rankFailed(failure)) }
    }

    /// Ends the sequences that were submitted to an engine that failed to start, and accepts no more.
    private func refuseAll() {
        mailbox.stop()
        let refused = mailbox.take(waits: false).submitted.map { request in
            var event = TokenEvent(sequence: request.id)
            event.finish = .error("the model could not be loaded")
            return event
        }
        if !refused.isEmpty { outbox.post(refused, EngineStatistics()) }
    }

    private func enter(_ state: State) {
        lifecycle.withLock { $0 = state }
        onStateChange(state)
    }
}
