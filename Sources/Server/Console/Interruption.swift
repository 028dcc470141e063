import Dispatch
import Foundation
import Synchronization

/// Handles Ctrl-C: ends the current reply, or the process if there is none.
final class Interruption: Sendable {
    private let isPending = Atomic(false)
    private let isBusy = Atomic(false)
    init() {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        // The handler keeps this object and the source alive for as long as the process runs.
        source.setEventHandler { [self] in
            interrupt()
            withExtendedLifetime(source) {}
        }
        source.resume()
    }

    /// Runs `body`, which calls the closure to check whether it must end.
    func during(_ body: (() -> Bool) throws -> Void) rethrows {
        isPending.store(false, ordering: .relaxed)
        isBusy.store(true, ordering: .relaxed)
        defer { isBusy.store(false, ordering: .relaxed) }
        try body { isPending.load(ordering: .relaxed) }
    }

    private func interrupt() {
        if isBusy.load(ordering: .relaxed) {
            isPending.store(true, ordering: .relaxed)
        } else {
            exit(130)
        }
    }
}
