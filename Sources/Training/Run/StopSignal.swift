import Foundation
import Synchronization

/// Remembers SIGTERM and SIGINT, so that a run can write a checkpoint before it ends.
public enum StopSignal {
    private static let received = Atomic<Bool>(false)

    /// From now on the signals do not end the process, nor does SIGPIPE: a reader of standard output that ends must not end the
    /// run.
    public static func install() {
        // The handler must not be the first to use the flag: initialization takes a lock.
        received.store(false, ordering: .relaxed)
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGTERM, SIGINT] { signal(number) { _ in StopSignal.received.store(true, ordering: .relaxed) } }
    }

    /// Whether one has come.
    public static var isReceived: Bool { received.load(ordering: .relaxed) }
}
