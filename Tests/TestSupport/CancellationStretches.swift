import Basics
import Glibc
import Synchronization

/// How much is done for a client between two questions whether to stop, whatever it sends: a small part of the whole, in CPU
/// time of the thread, so that a busy machine does not matter.
public struct CancellationStretches {
    /// CPU seconds of the whole work, of its longest stretch without a question, and of what it does after its first
    /// question said to stop.
    private let whole, longest, late: Double

    /// Runs `work` to its end, and twice told to stop at its first question.
    public init(of work: () -> Void) {
        // What is made only once.
        Cancellation.$token.withValue(StretchMeter(stops: true)) { work() }
        let begin = StretchMeter.threadSeconds
        let meter = StretchMeter()
        longest = Cancellation.$token.withValue(meter) {
            work()
            return meter.longest
        }
        whole = StretchMeter.threadSeconds - begin
        let stopped = StretchMeter.threadSeconds
        Cancellation.$token.withValue(StretchMeter(stops: true)) { work() }
        late = StretchMeter.threadSeconds - stopped
    }

    /// What is wrong: more than `share` of the work in one stretch, or twice that after it was told to stop; `nil` when nothing
    /// is. A step costs more in some places than in others.
    public func failure(share: Double = 0.25) -> String? {
        if longest > whole * share + 0.002 { return "\(longest) s of \(whole) s without a question" }
        if late > whole * share * 2 + 0.002 { return "\(late) s of \(whole) s when told to stop" }
        return nil
    }
}

/// Bytes of a hostile input: 8 times what may lie between two questions.
public let hostileBytes = 8 * Cancellation.checkpointBytes

/// `unit`, over and over.
public func hostileText(of unit: String, bytes: Int = hostileBytes) -> String {
    String(repeating: unit, count: bytes / unit.utf8.count)
}

/// Measures the stretches between questions; asks to stop from the first on, where it is told to.
private final class StretchMeter: CancellationToken {
    private struct Stretches {
        var last = StretchMeter.threadSeconds
        var longest = 0.0
    }

    private let stretches = Mutex(Stretches())
    private let stops: Bool

    init(stops: Bool = false) {
        self.stops = stops
    }

    func shouldStop() -> Bool {
        stretches.withLock { stretches in
            let now = Self.threadSeconds
            stretches.longest = max(stretches.longest, now - stretches.last)
            stretches.last = now
        }
        return stops
    }

    /// The longest stretch, that up to now included, in seconds.
    var longest: Double { stretches.withLock { max($0.longest, Self.threadSeconds - $0.last) } }

    static var threadSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
