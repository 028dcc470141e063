import Engine
import Foundation

/// The life cycle from loading to the last reply, and its timers.
extension Routes {
    func modelLoaded(_ loaded: LoadedModel, text: TextPipeline?) {
        state.loadedModel = loaded
        metrics.modelLoaded(maxModelLength: loaded.maxModelLength)
        guard case .loading = state.phase else { return }
        serve(Serving(loaded, text: text, configuration, created: unixSeconds()))
    }

    /// Starts serving requests.
    func serve(_ serving: Serving) {
        state.serve(serving)
    }

    /// Refuses new requests from now on. `RoutesAction.drained` follows when the running ones have ended, and shortly after
    /// `timeout` at the latest.
    func drain(timeout: Duration) {
        state.drain()
        finishDrainIfIdle()
        actions.append(.startTimer(.drainTimeout, after: timeout))
    }

    var isStalled: Bool { watchdog?.isStalled ?? false }

    /// Stops the engine's thread.
    func stopEngine() {
        watchdog?.stop()
        engine?.stop()
    }

    func timerFired(_ timer: RoutesTimer) {
        switch timer {
        case .keepAlive: keepAliveDue()
        case .deadline(let exchange): checkDeadline(exchange)
        case .drainTimeout: abandonAll()
        case .abandonment: actions += [.closeConnections, .drained]
        }
    }

    /// Ends every reply with an error. The connection of a client that does not read it in time is closed.
    private func abandonAll() {
        state.stop()
        for exchange in preparing.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            actions.append(.cancelPreparation(exchange))
        }
        for exchange in responses.all { fail(exchange, .aborted) }
        finishDrainIfIdle()
        actions.append(.startTimer(.abandonment, after: .seconds(1)))
    }

    func finishDrainIfIdle() {
        guard state.isEnding, admission.isIdle, requests.isEmpty else { return }
        actions.append(.drained)
    }

    func unixSeconds() -> Int { Int(Date().timeIntervalSince1970) }
}
