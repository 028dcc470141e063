// One seeded simulation of the whole server, on a virtual clock: clients that stream, send slowly, stop halfway, disconnect,
// read slowly, send invalid and expensive requests; keys; hostile grammars; steps that take minutes or never end; clocks that
// jump; SIGTERM at any time. Connections, routes, admission, the preparation and mask queues and the scheduler are the real
// ones; sockets, threads and the model are scripted.

import Engine
import HTTPTypes
import Logging
import Scheduling
import TestSupport

@testable import HTTP
@testable import Server

final class ServerSimulation {
    /// A violated property.
    struct Failure: Error, CustomStringConvertible {
        var event: Int
        var description: String
    }

    enum Event {
        case loaded
        case arrival
        /// A client sends more, reads more, or closes its connection.
        case sends(Int)
        case reads(Int)
        case departure(Int)
        /// A connection's deadline may have passed.
        case deadline(Int)
        case timer(RoutesTimer)
        case slice(PreparationQueue.ID)
        case stepEnd
        /// A worker has done its slice of a mask.
        case maskSlice(MaskQueue.ID)
        case jump(Duration)
        case signal
        /// `Termination` ends the process.
        case forcedEnd
    }

    /// The parameters of a simulation, chosen by its seed.
    struct Setting {
        var keys: [String] = []
        /// Time between arrivals.
        var pause = Duration.zero
        var stepTime = Duration.zero
        /// The number of steps after which one never ends.
        var stallsAfter: Int?
        var arrivals = 0
        /// The arrival after which SIGTERM is sent.
        var signalArrival = 0
        var drainTimeout = Duration.zero
        /// Tokens of the longest reply.
        var longestReply = 40
        /// Whether many clients send large bodies, slowly.
        var isHeavy = false
        /// Whether half of the requests take long to prepare, and half of the replies follow a grammar, so that tenants share
        /// CPUs and workers after they got different parts of them.
        var isLaborious = false
        /// Whether all clients wait without a limit, for hours without the end of a reply.
        var isPatient = false
    }

    /// The state of one exchange.
    struct Exchange {
        var client: SimulatedClient
        var connection: SimulatedConnection
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
    /// Those that have not ended.
    var openExchanges: Set<ExchangeID> = []
    var lastExchange = 0
    var arrivals = 0
    var steps = 0
    var events = 0

    let http: HTTPConfiguration
    var connections: [Int: SimulatedConnection] = [:]
    var lastConnection = 0
    /// Connections with machines that may have actions.
    var dirty: [SimulatedConnection] = []
    var notices: [Notice] = []
    var isListenerClosed = false
    /// Whether connections were closed while events were due on them.
    var isCut = false

    /// The time of the last clock jump: events that were due during it are late.
    var lastJump: ContinuousClock.Instant?
    /// The time since the signal, or since the forced end was postponed.
    var isLateByJump = false
    var signals = 0
    /// When the first signal came.
    var signalTime: ContinuousClock.Instant?
    var isDrained = false
    /// When the process has ended.
    var processEnd: ContinuousClock.Instant?
    /// How often clients read each status.
    var statuses: [Int: Int] = [:]
    /// The results and events of simulations.
    var occurrences: [Occurrence: Int] = [:]

    /// Events that may occur in a simulation; all simulations together must have all of them.
    enum Occurrence: CaseIterable {
        case forcedEnd, orderlyEnd, abandonment, signalWhileBusy, stall, bodyMemoryExhausted, cutOff, eviction, late,
            masks, vectors
    }

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
        if setting.isPatient || setting.isLaborious {
            configuration.engine.maxSequences = setting.isPatient ? 1 : 8
            configuration.engine.maxQueuedSequences = 100
            configuration.queueBounds = QueueBounds()
            configuration.rateLimits = RateLimits()
        }
        configuration.maxBodyBytes = Self.maxBodyBytes
        configuration.maxBodyMemory = Self.maxBodyBytes * (setting.isHeavy ? 1 : .random(in: 1...3, using: &random))
        if random.oneIn(4) { configuration.maxConnections = .random(in: 1...10, using: &random) }
        for key in setting.keys { try configuration.apiKeys.add(key, name: key) }
        var logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        var limits = SchedulerLimits(
            maxSequences: configuration.engine.maxSequences, maxBatchedTokens: .random(in: 8...64, using: &random),
            maxQueuedSequences: configuration.engine.maxSequences + configuration.engine.maxQueuedSequences,
            maxModelLength: TextlessModel.length, maxInterTokenLatency: random.oneIn(2) ? nil : .milliseconds(100))
        limits.minimumChunk = 4
        var geometry = KVCacheGeometry(
            blockSize: 16, globalBlocksPerLogicalBlock: 1, slidingBlocksPerLogicalBlock: 3, slidingWindow: 64,
            totalBlocks: 0)
        geometry.totalBlocks =
            geometry.peakBlocks(tokens: TextlessModel.length, chunk: 64) * .random(in: 1...3, using: &random)
        let time = self.time
        engine = SimulatedEngine(
            limits: limits, geometry: geometry, start: time.now, longestReply: setting.longestReply,
            maskWorkers: .random(in: 1...4, using: &random), grammars: setting.isLaborious ? 1 : 6, seed: random.next())
        preparation = SimulatedPreparation(concurrency: .random(in: 1...(setting.isLaborious ? 4 : 3), using: &random))
        let keys = KeyRing(configuration.apiKeys)
        var http = configuration.http
        http.bodyAccount = configuration.bodyAccount(keys)
        // The limit of pending bytes of a stream is exceeded in these simulations, though not by one event of each of its
        // choices.
        if random.oneIn(3) { http.limits.outboundBytes = .random(in: 6000...12_000, using: &random) }
        self.http = http
        routes = Routes(configuration: configuration, keys: keys, logger: logger, now: { time.now })
        var seeds = SeededGenerator(seed: random.next())
        routes.random = RandomSource { seeds.next() }
        let mailboxes = engine.mailboxes
        routes.engine = mailboxes
        routes.watchdog = configuration.watchdogTimeout.map { timeout in
            Watchdog(timeout: timeout, logger: logger) { mailboxes.content.withLock(\.running) }
        }
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
        setting.signalArrival = random.oneIn(3) ? .random(in: 1...setting.arrivals, using: &random) : .max
        if random.oneIn(8) { setting.longestReply = 4000 }
        // A queue builds up if arrivals are as fast as the engine.
        if random.oneIn(2) {
            setting.stepTime = .random(in: .milliseconds(1) ... .seconds(5), &random)
            setting.pause = setting.stepTime * .random(in: 0.1...300, using: &random)
        }
        if random.oneIn(20) {
            setting.isHeavy = true
            setting.pause = .random(in: .milliseconds(1) ... .seconds(5), &random)
        }
        if random.oneIn(12) {
            setting.isLaborious = true
            setting.keys = ["key0", "key1"]
            setting.pause = .random(in: .milliseconds(100) ... .seconds(5), &random)
            setting.arrivals = 50
            setting.stepTime = .random(in: .milliseconds(1) ... .milliseconds(100), &random)
        }
        if random.oneIn(40) {
            (setting.isPatient, setting.isLaborious) = (true, false)
            setting.keys = []
            setting.longestReply = 4000
            setting.stepTime = .random(in: .seconds(1) ... .seconds(5), &random)
            setting.pause = setting.stepTime * 20
            setting.arrivals = 6
        }
        setting.signalArrival = min(setting.signalArrival, setting.arrivals)
        setting.drainTimeout = random.oneIn(4) ? .zero : .random(in: .milliseconds(1) ... .seconds(300), &random)
        return setting
    }

    /// Runs until the server has ended, or a property is violated.
    func run() throws {
        time.schedule(after: .zero, .arrival)
        for _ in 0..<(random.oneIn(3) ? 3 : 0) {
            let at = Duration.random(in: .seconds(1) ... .seconds(86400), &random)
            time.schedule(after: at, .jump(.random(in: .seconds(1) ... .seconds(30 * 86400), &random)))
        }
        if random.oneIn(10) { time.schedule(after: .seconds(5), .loaded) } else { routes.serve(TextlessModel.served) }
        while let event = time.advance() {
            events += 1
            guard events < 1_000_000 else { throw failure("does not end") }
            try lookAtEngine()
            try handle(event)
            try settle()
            try startWork()
            try check()
        }
        try checkEnd()
    }

    private func handle(_ event: Event) throws {
        switch event {
        case .loaded: if processEnd == nil { routes.serve(TextlessModel.served) }
        case .arrival: try arrive()
        case .sends(let id): if let connection = connections[id] { try sendPiece(connection) }
        case .reads(let id): if let connection = connections[id] { try readPiece(connection) }
        case .departure(let id): if let connection = connections[id] { depart(connection) }
        case .deadline(let id): if let connection = connections[id] { deadlineReached(connection) }
        case .timer(let timer):
            if case .abandonment = timer, processEnd == nil { occurrences[.abandonment] = 1 }
            routes.timerFired(timer)
        case .slice(let id):
            let (outcomes, next) = preparation.sliceEnded(id, now: time.now)
            if let next { time.schedule(after: next, .slice(id)) }
            outcomes.forEach(tell)
        case .stepEnd:
            engine.end(now: time.now)
            routes.engineReported()
        case .maskSlice(let id): engine.maskSliceEnded(id)
        case .jump(let duration):
            time.jump(by: duration)
            (lastJump, isLateByJump) = (time.now, true)
            preparation.clockJumped()
        case .signal: try signal()
        case .forcedEnd: try endByForce()
        }
    }

    private func tell(_ outcome: SimulatedPreparation.Outcome) {
        switch outcome {
        case .deadlineKnown(let id, let deadline): routes.deadlineKnown(id, deadline)
        case .prepared(let id, let result): routes.prepared(id, result)
        }
    }

    /// Begins a step, slices of preparation and slices of masks, if there is work and a free worker.
    private func startWork() throws {
        for (id, slice) in preparation.start(now: time.now) { time.schedule(after: slice, .slice(id)) }
        defer { startMasks() }
        guard !engine.isRunning else { return }
        let isStopped = engine.mailboxes.content.withLock(\.stops)
        guard !engine.isIdle || (isStopped && processEnd == nil) else { return }
        let computes = engine.begin(now: time.now)
        routes.engineReported()
        try settle()
        if isStopped { try endProcess(.orderlyEnd) }
        guard computes else { return }
        steps += 1
        if let stall = setting.stallsAfter, steps > stall { return }
        // Most steps take similar times; some take a hundred times as long.
        let factor = random.oneIn(30) ? 100 : Double.random(in: 0.5...2, using: &random)
        time.schedule(after: setting.stepTime * factor, .stepEnd)
    }

    private func startMasks() {
        for id in engine.masks.start() {
            occurrences[.masks] = 1
            time.schedule(after: .random(in: .milliseconds(1) ... .milliseconds(3), &random), .maskSlice(id))
        }
    }

    var isStalled: Bool { routes.watchdog?.isStalled ?? false }
    var hasEverJumped: Bool { lastJump != nil }

    // MARK: Actions

    /// Performs the actions of the routes, and checks whether they are allowed.
    func perform() throws {
        for action in routes.takeActions() {
            switch action {
            case .respond(let id, let head, let body):
                try answer(id, head.status.code, isStream: false)
                if head.status == .ok { try checkVectors(id, body) }
                reply(id) { $0.respond(head, body: body, at: moment) }
            case .startStream(let id, let head):
                try answer(id, head.status.code, isStream: true)
                reply(id) { $0.startStream(head, at: moment) }
            case .send(let id, let bytes):
                guard let exchange = exchanges[id] else { throw failure("sends to nobody") }
                guard exchange.isStreaming || exchange.isEnded else { throw failure("\(id) sends before its head") }
                reply(id) { $0.send(bytes, at: moment) }
            case .finishStream(let id):
                guard let exchange = exchanges[id] else { throw failure("finishes what nobody asked for") }
                guard exchange.isStreaming || exchange.isEnded else { throw failure("\(id) ends twice") }
                exchanges[id]?.isStreaming = false
                reply(id) { $0.finish(at: moment) }
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
            case .closeConnections: closeConnections()
            case .drained: drained()
            }
        }
    }

    /// Replies to an exchange that has not ended.
    private func reply(_ id: ExchangeID, _ body: (inout ConnectionMachine) -> Void) {
        guard let exchange = exchanges[id], !exchange.isEnded else { return }
        body(&exchange.connection.machine)
        touch(exchange.connection)
    }

    private func answer(_ id: ExchangeID, _ status: Int, isStream: Bool) throws {
        guard let exchange = exchanges[id] else { throw failure("answers what nobody asked") }
        // Replies to a client that has left are discarded.
        guard !exchange.isEnded else { return }
        guard exchange.status == nil else { throw failure("\(id) is answered twice") }
        let client = exchange.client
        let isDraining = signals > 0 && [503, 500].contains(status)
        let mayBe = client.statuses.contains(status) || isDraining || (status == 503 && !client.isProbe)
        guard mayBe || (status == 503 && isStalled) else {
            throw failure("\(id) gets \(status) for \(String(decoding: client.message.body, as: UTF8.self))")
        }
        if client.isProbe, exchange.arrival != time.now { throw failure("a probe waits") }
        if status == 200, let signalTime, exchange.arrival > signalTime, !client.isProbe {
            throw failure("\(id) came after the signal and gets 200")
        }
        if status == 504 { occurrences[.late] = 1 }
        exchanges[id]?.status = status
        exchanges[id]?.isStreaming = isStream
    }

    func failure(_ description: String) -> Failure { Failure(event: events, description: description) }
}
