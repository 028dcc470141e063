// One seeded life of the whole server, on a virtual clock: clients that stream, leave, read slowly, send broken and heavy
// requests; keys; steps that take minutes or never end; clocks that jump; SIGTERM. Routes, admission, the preparation queue and
// the scheduler are the real ones; sockets, threads and the model are scripted.

import Engine
import HTTP
import HTTPTypes
import Logging
import Scheduling
import TestSupport

@testable import Server

final class ServerSimulation {
    /// A broken promise.
    struct Failure: Error, CustomStringConvertible {
        var event: Int
        var description: String
    }

    enum Event {
        case arrival
        case departure(ExchangeID)
        case replyRead(ExchangeID)
        case timer(RoutesTimer)
        case slice(PreparationQueue.ID)
        case stepEnd
        /// A mask is there that a sequence waits for.
        case mask
        case jump(Duration)
        case signal
        /// The latest moment at which all must have been answered after the signal.
        case drainLimit
    }

    /// How a life is: chosen by its seed.
    struct Setting {
        var keys: [String] = []
        /// Time between arrivals.
        var pause = Duration.zero
        var stepTime = Duration.zero
        /// Steps after which one never ends.
        var stallsAfter: Int?
        var arrivals = 0
        var drainTimeout = Duration.zero
        /// Tokens of the longest reply.
        var longestReply = 40
        /// Everybody waits as long as it takes, for hours without an end of a reply.
        var isPatient = false
    }

    /// What is known of one exchange.
    struct Exchange {
        var client: SimulatedClient
        var arrival: ContinuousClock.Instant
        var status: Int?
        var isStreaming = false
        var isEnded = false
    }

    let time = VirtualTime<Event>()
    let routes: Routes
    var random: SeededGenerator
    let setting: Setting
    var engine: SimulatedEngine
    var preparation: SimulatedPreparation
    var exchanges: [ExchangeID: Exchange] = [:]
    var arrivals = 0
    var steps = 0
    var events = 0
    /// The clock has jumped: what was due is late.
    var hasJumped = false
    /// The mask that the engine sleeps for.
    private var nextMask: ContinuousClock.Instant?
    var hasSignal = false
    var isDrained = false
    /// How often each status was sent.
    var statuses: [Int: Int] = [:]

    init(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let setting = Self.setting(&random)
        var configuration = try ServerConfiguration(flags: [:], environment: [:])
        configuration.engine.maxSequences = .random(in: 1...8, using: &random)
        configuration.engine.maxQueuedSequences = .random(in: 1...30, using: &random)
        configuration.queueBounds = QueueBounds(
            tokens: random.oneIn(2) ? nil : .random(in: 50...1000, using: &random),
            wait: random.oneIn(3) ? nil : .random(in: .seconds(1) ... .seconds(600), &random))
        configuration.drainTimeout = setting.drainTimeout
        if random.oneIn(3) { configuration.rateLimits.requestsPerMinute = .random(in: 1...60, using: &random) }
        if setting.isPatient {
            configuration.engine.maxSequences = 1
            configuration.engine.maxQueuedSequences = 100
            configuration.queueBounds = QueueBounds()
            configuration.rateLimits = RateLimits()
        }
        for key in setting.keys { try configuration.apiKeys.add(key, name: key) }
        var logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        var limits = SchedulerLimits(
            maxSequences: configuration.engine.maxSequences, maxBatchedTokens: .random(in: 8...64, using: &random),
            maxQueuedSequences: configuration.engine.maxSequences + configuration.engine.maxQueuedSequences,
            maxModelLength: TextlessModel.length, maxInterTokenLatency: random.oneIn(2) ? nil : .milliseconds(100))
        limits.minimumChunk = 4
        var geometry = KVCacheGeometry(
            blockSize: 16, globalBlocksPerSlot: 1, slidingBlocksPerSlot: 3, slidingWindow: 64, totalBlocks: 0)
        geometry.totalBlocks =
            geometry.peakBlocks(tokens: TextlessModel.length, chunk: 64) * .random(in: 1...3, using: &random)
        let time = self.time
        engine = SimulatedEngine(
            limits: limits, geometry: geometry, start: time.now, longestReply: setting.longestReply,
            seed: random.next())
        preparation = SimulatedPreparation(concurrency: .random(in: 1...3, using: &random))
        routes = Routes(
            configuration: configuration, keys: KeyRing(configuration.apiKeys), logger: logger, now: { time.now })
        var seeds = SeededGenerator(seed: random.next())
        routes.random = RandomSource { seeds.next() }
        routes.engine = engine.mailboxes
        self.setting = setting
        self.random = random
    }

    private static func setting(_ random: inout SeededGenerator) -> Setting {
        var setting = Setting()
        if random.oneIn(2) { setting.keys = (0..<Int.random(in: 1...4, using: &random)).map { "key\($0)" } }
        setting.pause = .random(in: .milliseconds(1) ... .seconds(3600), &random)
        setting.stepTime = .random(in: .milliseconds(1) ... .seconds(1200), &random)
        if random.oneIn(10) { setting.stallsAfter = .random(in: 0...30, using: &random) }
        setting.arrivals = .random(in: 1...50, using: &random)
        if random.oneIn(8) { setting.longestReply = 4000 }
        // A queue comes of arrivals that keep step with the engine.
        if random.oneIn(2) {
            setting.stepTime = .random(in: .milliseconds(1) ... .seconds(5), &random)
            setting.pause = setting.stepTime * .random(in: 0.1...300, using: &random)
        }
        if random.oneIn(40) {
            setting.isPatient = true
            setting.keys = []
            setting.longestReply = 4000
            setting.stepTime = .random(in: .seconds(1) ... .seconds(5), &random)
            setting.pause = setting.stepTime * 20
            setting.arrivals = 6
        }
        setting.drainTimeout = random.oneIn(4) ? .zero : .random(in: .milliseconds(1) ... .seconds(300), &random)
        return setting
    }

    /// Runs until the server has ended, or a promise is broken.
    func run() throws {
        time.schedule(after: .zero, .arrival)
        for _ in 0..<(random.oneIn(3) ? 3 : 0) {
            let at = Duration.random(in: .seconds(1) ... .seconds(86400), &random)
            time.schedule(after: at, .jump(.random(in: .seconds(1) ... .seconds(30 * 86400), &random)))
        }
        let text = TextlessModel.served
        if random.oneIn(10) { time.schedule(after: .seconds(5), .timer(.keepAlive)) } else { routes.serve(text) }
        while let event = time.advance() {
            events += 1
            guard events < 1_000_000 else { throw failure("does not end") }
            try handle(event, serving: text)
            try perform()
            startWork()
            try check()
        }
        try checkEnd()
    }

    private func handle(_ event: Event, serving: Routes.Serving) throws {
        switch event {
        case .arrival: arrive()
        case .departure(let id), .replyRead(let id):
            guard let exchange = exchanges[id], !exchange.isEnded else { return }
            exchanges[id]?.isEnded = true
            if case .replyRead = event {
                routes.ended(id, outcome: .completed)
            } else {
                routes.ended(id, outcome: .clientGone)
            }
        case .timer(let timer):
            if case .loading = routes.phase { return routes.serve(serving) }
            routes.timerFired(timer)
        case .slice(let id):
            let (outcomes, next) = preparation.sliceEnded(id, now: time.now)
            if let next { time.schedule(after: next, .slice(id)) }
            outcomes.forEach(tell)
        case .stepEnd:
            engine.end(now: time.now)
            routes.engineReported()
        case .mask: break
        case .jump(let duration):
            time.jump(by: duration)
            hasJumped = true
        case .signal:
            (hasSignal, hasJumped) = (true, false)
            routes.drain(timeout: setting.drainTimeout)
            time.schedule(after: setting.drainTimeout + .seconds(2), .drainLimit)
        case .drainLimit:
            // A jump makes the drain timeout late, and this check with it.
            if hasJumped {
                hasJumped = false
                return time.schedule(after: .seconds(2), .drainLimit)
            }
            guard isDrained else { throw failure("is not drained 2 s after its drain timeout") }
        }
    }

    private func arrive() {
        arrivals += 1
        var client = SimulatedClient.random(keys: setting.keys, longestReply: setting.longestReply, &random)
        if setting.isPatient { client = .patient(maxTokens: setting.longestReply, &random) }
        let id = ExchangeID(UInt64(arrivals))
        exchanges[id] = Exchange(client: client, arrival: time.now)
        if let patience = client.patience { time.schedule(after: patience, .departure(id)) }
        routes.receive(client.message, exchange: id)
        if arrivals < setting.arrivals {
            time.schedule(after: .random(in: .zero...setting.pause, &random), .arrival)
        } else {
            // Sooner or later; where everybody is patient, late.
            let least = setting.isPatient ? Duration.seconds(7200) : .zero
            time.schedule(after: .random(in: least ... .seconds(7200), &random), .signal)
        }
    }

    private func tell(_ outcome: SimulatedPreparation.Outcome) {
        switch outcome {
        case .deadlineKnown(let id, let deadline): routes.deadlineKnown(id, deadline)
        case .prepared(let id, let result): routes.prepared(id, result)
        }
    }

    /// Begins a step, and slices of preparation, where there is work and nobody does it.
    private func startWork() {
        for (id, slice) in preparation.start(now: time.now) { time.schedule(after: slice, .slice(id)) }
        guard !engine.isRunning, !engine.isIdle else { return }
        let computes = engine.begin(now: time.now)
        routes.engineReported()
        try? perform()
        guard computes else {
            // It sleeps until something comes.
            if let ready = engine.nextMask(after: time.now), ready != nextMask {
                nextMask = ready
                time.schedule(after: ready - time.now, .mask)
            }
            return
        }
        steps += 1
        if let stall = setting.stallsAfter, steps > stall { return }
        // Most steps are like the others; some take a hundred times as long.
        let factor = random.oneIn(30) ? 100 : Double.random(in: 0.5...2, using: &random)
        time.schedule(after: setting.stepTime * factor, .stepEnd)
    }

    // MARK: Actions

    /// Does what the routes want done, and holds it against what may be done.
    private func perform() throws {
        for action in routes.takeActions() {
            switch action {
            case .respond(let id, let head, _): try answer(id, head.status.code, isStream: false)
            case .startStream(let id, let head): try answer(id, head.status.code, isStream: true)
            case .send(let id, _):
                guard let exchange = exchanges[id] else { throw failure("sends to nobody") }
                guard exchange.isStreaming || exchange.isEnded else { throw failure("\(id) sends before its head") }
            case .finishStream(let id):
                guard let exchange = exchanges[id] else { throw failure("finishes what nobody asked for") }
                guard exchange.isStreaming || exchange.isEnded else { throw failure("\(id) ends twice") }
                exchanges[id]?.isStreaming = false
                readReply(id)
            case .prepare(let id, let work, let deadline):
                let cost =
                    if case .rendering = work.work { Duration.milliseconds(1) } else {
                        exchanges[id]?.client.cost ?? .zero
                    }
                preparation.submit(id, work, cost: cost, deadline: deadline)
            case .cancelPreparation(let id):
                let (outcome, resumed) = preparation.cancel(id, now: time.now)
                if let resumed { time.schedule(after: .zero, .slice(resumed)) }
                if let outcome {
                    tell(outcome)
                    try perform()
                }
            case .startTimer(let timer, let delay): time.schedule(after: delay, .timer(timer))
            case .closeConnections:
                for (id, exchange) in exchanges where !exchange.isEnded { time.schedule(after: .zero, .departure(id)) }
            case .drained: isDrained = true
            }
        }
    }

    private func answer(_ id: ExchangeID, _ status: Int, isStream: Bool) throws {
        guard let exchange = exchanges[id] else { throw failure("answers what nobody asked") }
        // What a client that has left is told goes nowhere.
        guard !exchange.isEnded else { return }
        guard exchange.status == nil else { throw failure("\(id) is answered twice") }
        let client = exchange.client
        let isDraining = hasSignal && [503, 500].contains(status)
        guard client.statuses.contains(status) || isDraining || (status == 503 && !client.isProbe) else {
            throw failure("\(id) gets \(status) for \(String(decoding: client.message.body, as: UTF8.self))")
        }
        if client.isProbe, exchange.arrival != time.now { throw failure("a probe waits") }
        statuses[status, default: 0] += 1
        exchanges[id]?.status = status
        exchanges[id]?.isStreaming = isStream
        if !isStream { readReply(id) }
    }

    private func readReply(_ id: ExchangeID) {
        time.schedule(after: exchanges[id]?.client.readingTime ?? .zero, .replyRead(id))
    }

    func failure(_ description: String) -> Failure { Failure(event: events, description: description) }
}
