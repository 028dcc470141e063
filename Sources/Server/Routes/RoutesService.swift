import HTTP

/// Performs the actions of ``Routes`` on the event loop. It makes no decisions.
final class RoutesService: HTTPService {
    let routes: Routes
    private let executor: PreparationExecutor
    private var jobs: [ExchangeID: PreparationJob] = [:]
    /// Timers of exchanges that have not ended.
    private var timers: [ExchangeID: [TimerID]] = [:]
    private let onDrained: @Sendable () -> Void

    /// - Parameter onDrained: called, possibly more than once, after a `drain` when the last reply has been sent or aborted.
    init(routes: Routes, executor: PreparationExecutor, onDrained: @escaping @Sendable () -> Void) {
        self.routes = routes
        self.executor = executor
        self.onDrained = onDrained
    }

    func receive(_ message: HTTPMessage, exchange: ExchangeID, on loop: isolated EventLoop) {
        call(on: loop) { $0.receive(message, exchange: exchange) }
    }

    func ended(_ exchange: ExchangeID, outcome: ExchangeOutcome, on loop: isolated EventLoop) {
        if !timers.isEmpty, let ended = timers.removeValue(forKey: exchange) {
            for timer in ended { loop.cancel(timer) }
        }
        call(on: loop) { $0.ended(exchange, outcome: outcome) }
    }

    /// Runs `body` with the loop's routes, and performs the resulting actions. Posted work uses this to access the routes.
    static func on(_ loop: isolated EventLoop, _ body: (Routes) -> Void) {
        guard let service = loop.service as? RoutesService else { preconditionFailure("the loop serves Routes") }
        service.call(on: loop, body)
    }

    private func call(on loop: isolated EventLoop, _ body: (Routes) -> Void) {
        body(routes)
        for action in routes.takeActions() { perform(action, on: loop) }
    }

    private func perform(_ action: RoutesAction, on loop: isolated EventLoop) {
        switch action {
        case .respond(let exchange, let head, let body): loop.respond(exchange, head, body: body)
        case .startStream(let exchange, let head): loop.startStream(exchange, head)
        case .send(let exchange, let bytes): loop.send(exchange, bytes)
        case .finishStream(let exchange): loop.finish(exchange)
        case .prepare(let exchange, let preparation, let deadline):
            jobs[exchange] = start(preparation, exchange, deadline: deadline, on: loop)
        case .cancelPreparation(let exchange): jobs[exchange]?.cancel()
        case .startTimer(let timer, let delay):
            let id = loop.schedule(after: delay) { loop in
                Self.on(loop) { $0.timerFired(timer) }
            }
            if case .deadline(let exchange) = timer { timers[exchange, default: []].append(id) }
        case .closeConnections: loop.closeConnections()
        case .drained: onDrained()
        }
    }

    private func start(
        _ preparation: Preparation, _ exchange: ExchangeID, deadline: ContinuousClock.Instant,
        on loop: isolated EventLoop
    ) -> PreparationJob {
        let loop = loop
        return executor.submit(tenant: preparation.tenant, deadline: deadline) { job in
            preparation.run { deadline in
                job.limit(to: deadline)
                loop.post { loop in
                    Self.on(loop) { $0.deadlineKnown(exchange, deadline) }
                }
            }
        } completion: { result in
            loop.post { loop in
                guard let service = loop.service as? RoutesService else { return }
                let job = service.jobs.removeValue(forKey: exchange)
                let stopped = APIError.stopped(isLate: job?.isLate ?? false, hasNoThread: job?.hasNoThread ?? false)
                service.call(on: loop) { $0.prepared(exchange, result ?? .failure(stopped)) }
            }
        }
    }
}

extension APIError {
    /// The error of a request whose preparation was stopped.
    fileprivate static func stopped(isLate: Bool, hasNoThread: Bool) -> APIError {
        if hasNoThread { return .overloaded(.threads, retryAfter: 1) }
        return isLate ? .deadlineExceeded : .aborted
    }
}
