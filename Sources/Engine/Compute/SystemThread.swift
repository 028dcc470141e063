import CIntrinsics
import Foundation

/// Functions that start threads and report failures. Foundation's `Thread` does not report that the system refused to create a
/// thread.
public enum SystemThread {
    /// The reason why the system did not start a thread, such as too little address space for its stack.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        let name: String
        let code: Int32

        /// - Parameter code: The system's error number.
        public init(name: String, code: Int32) {
            self.name = name
            self.code = code
        }

        public var description: String {
            """
            could not start a thread (\(name)): \(String(cString: strerror(code))) (errno \(code)); the system limits the number \
            of threads (ulimit -u) or the address space (ulimit -v)
            """
        }
    }

    /// A function that starts threads like ``start(_:stackBytes:_:)``. Tests replace it to simulate failures.
    public typealias Starter =
        @Sendable (_ name: String, _ stackBytes: Int, _ body: @escaping @Sendable () -> Void) throws(Failure) -> Void

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Runs `body` on a new thread, which ends when `body` returns.
    ///
    /// - Parameters:
    ///   - name: The name that system tools show, at most 15 bytes.
    ///   - stackBytes: The size of the stack, at least 16 KiB.
    /// - Throws: `Failure` if the system refuses to create the thread. `body` is then never called.
    public static func start(
        _ name: String, stackBytes: Int, _ body: @escaping @Sendable () -> Void
    ) throws(Failure) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let retained = Unmanaged.passRetained(Body(name: name, run: body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                Thread.current.name = body.name
                body.run()
                return nil
            }, retained.toOpaque())
        guard code == 0 else {
            retained.release()
            throw Failure(name: name, code: code)
        }
    }

    /// Sets the nice value of the calling thread to `difference` above that of the process, at most 19. Call it once the thread runs:
    /// on Linux each thread has its own nice value.
    public static func lowerPriority(by difference: Int32) {
        let kind = __priority_which_t(PRIO_PROCESS.rawValue)
        // A server started with `nice` must not get threads that come before the model's. The main thread keeps the nice value of
        // the process; the caller may have inherited another one.
        let base = getpriority(kind, id_t(getpid()))
        // A higher nice value is always permitted; 0 is the calling thread.
        setpriority(kind, 0, base + difference)
    }

    /// The shortest time slice that Linux gives.
    static let shortestTimeSlice = Duration.microseconds(100)

    /// The time slice of the calling thread. It is zero if the system does not report it, as Linux before 6.12.
    static var timeSlice: Duration { .nanoseconds(Int64(clamping: trinity_time_slice())) }

    /// Gives the calling thread the shortest time slice, so that it preempts a compute thread when it wakes. Otherwise it may wait
    /// for milliseconds, until that thread's slice ends. Its share of the CPU stays the same. Threads that it starts have the
    /// default slice, and the nice value 0 if its own is negative. Has no effect on a real-time thread and before Linux 6.12.
    public static func shortenTimeSlice() {
        _ = trinity_set_time_slice(UInt64(shortestTimeSlice / .nanoseconds(1)))
    }
}
