import Foundation
import Synchronization

/// Records SIGTERM and SIGINT, so that a command can end in order: a run of training writes a checkpoint, for instance.
enum StopSignal {
    private static let received = Atomic<Bool>(false)

    /// Installs the signal handlers. From now on these signals do not end the process. SIGPIPE is ignored, so that the run
    /// continues when the reader of standard output exits.
    static func install() {
        // The flag must be initialized before the handler uses it, because initialization takes a lock.
        received.store(false, ordering: .relaxed)
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGTERM, SIGINT] { signal(number) { _ in StopSignal.received.store(true, ordering: .relaxed) } }
    }

    /// Whether one of the signals has been received.
    static var isReceived: Bool { received.load(ordering: .relaxed) }
}
