import Basics
import Glibc
import Synchronization

/// Measures the work between two checks for cancellation: it must be a small part of the whole for any input. In CPU time of
/// the thread, so that other load does not matter.
public struct CancellationStretches {
    /// CPU seconds of the whole work, of the longest stretch without a check, and of the work after the first check that
    /// returned true.
    private let whole, longest, late: Double

    /// Runs `work` completely, and twice with a cancellation at its first check.
    private init(of work: () -> Void) {
        // Excludes objects that are created only once.
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

    /// Returns an error if one stretch has more than `share` of the work, or if more than twice that follows a cancellation;
    /// otherwise `nil`. The cost of a step varies.
    ///
    /// A virtual machine may be stopped within a stretch, for instance while its host provides a page of memory, and this counts
    /// as CPU time. So the error must occur in three measurements.
    public static func failure(of work: () -> Void, share: Double = 0.25) -> String? {
        var failure: String?
        for _ in 0..<3 {
            failure = Self(of: work).failure(share: share)
            if failure == nil { return nil }
        }
        return failure
    }

    private func failure(share: Double) -> String? {
        if longest > whole * share + 0.002 { return "\(longest) s of \(whole) s without a question" }
        if late > whole * share * 2 + 0.002 { return "\(late) s of \(whole) s when told to stop" }
        return nil
    }
}

/// The size of a hostile input in bytes: 8 times the maximum between two checks.
public let hostileBytes = 8 * Cancellation.checkpointBytes

/// `unit`, repeated.
public func hostileText(of unit: String, bytes: Int = hostileBytes) -> String {
    String(repeating: unit, count: bytes / unit.utf8.count)
}

/// Measures the stretches between checks; with `stops`, cancels from the first one on.
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

    /// The longest stretch in seconds, including the current one.
    var longest: Double { stretches.withLock { max($0.longest, Self.threadSeconds - $0.last) } }

    static var threadSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
