@testable import HTTP
@testable import Server

// SIGTERM, as handled by `Application` and `Termination`.
extension ServerSimulation {
    func signal() throws {
        guard processEnd == nil else { return }
        signals += 1
        if signalTime == nil { (signalTime, isLateByJump) = (time.now, false) }
        // No request was accepted yet.
        if case .loading = routes.state.phase { return try endProcess(nil) }
        if !routes.requests.isEmpty { occurrences[.signalWhileBusy] = 1 }
        routes.drain(timeout: signals == 1 ? setting.drainTimeout : .zero)
        let allowance = Termination.allowance(
            signals: signals, isServing: true, drainTimeout: setting.drainTimeout)
        time.schedule(after: allowance, .forcedEnd)
    }

    /// Every request has ended or was aborted.
    func drained() {
        guard !isDrained else { return }
        isDrained = true
        closeListeners()
        routes.stopEngine()
    }

    /// A stall is reported as soon as the step has exceeded its time, and only as long as it lasts.
    func lookAtEngine() throws {
        guard processEnd == nil, let watchdog = routes.watchdog, let timeout = routes.configuration.watchdogTimeout
        else {
            return
        }
        watchdog.look(now: time.now)
        let isLong = engine.isRunning && time.now - engine.step.began > timeout
        guard watchdog.isStalled == isLong else { throw failure("the step is \(isLong ? "" : "not ")stalled") }
        if isLong { occurrences[.stall] = 1 }
    }

    /// Anything that still runs after all allowances is stuck: a step that does not end.
    func endByForce() throws {
        guard processEnd == nil else { return }
        // A clock jump delays other timers, but not this one.
        if isLateByJump {
            isLateByJump = false
            return time.schedule(after: .seconds(2), .forcedEnd)
        }
        // A second signal shortens the allowance.
        guard engine.isRunning || signals > 1 else { throw failure("is ended by force, though nothing is stuck") }
        try endProcess(.forcedEnd)
    }

    func endProcess(_ how: Occurrence?) throws {
        guard processEnd == nil else { return }
        processEnd = time.now
        if let how { occurrences[how] = 1 }
        if how == nil || signals > 1 { closeConnections() }
        try settle()
        if let open = openExchanges.first {
            throw failure("\(open) is open when the process ends")
        }
        if let signalTime, lastJump.map({ $0 < signalTime }) ?? true {
            let taken = time.now - signalTime
            guard taken <= setting.drainTimeout + .seconds(2) else { throw failure("ends \(taken) after the signal") }
        }
        isListenerClosed = true
        closeConnections()
        try settle()
    }
}
