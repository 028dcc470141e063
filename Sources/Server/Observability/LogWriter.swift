import Dispatch
import Engine
import Foundation
import Logging
import Synchronization

/// Writes log lines to a descriptor on a separate thread, so that a pipe that nobody reads blocks neither the event loop nor
/// the engine. The queue is bounded: lines that do not fit are dropped, counted, and reported once there is room.
final class LogWriter: Sendable {
    static let standardError = LogWriter(descriptor: STDERR_FILENO)

    /// The maximum number of queued bytes. As many again may be in the process of being written.
    static let capacity = 1 << 20

    private struct State {
        var pending: [UInt8] = []
        var droppedLines = 0
        /// Whether the thread has taken lines that it has not written yet.
        var isWriting = false
        /// Whether the thread is reporting dropped lines. The report is never dropped, even if the queue is full.
        var isReporting = false
        /// Whether the thread was started. Without it, `flush` writes the lines.
        var isStarted = false
    }

    private let descriptor: Int32
    private let capacity: Int
    private let state = Mutex(State())
    private let arrival = DispatchSemaphore(value: 0)
    /// Set by `start`; called on the thread.
    private let reportDrops = Mutex<(@Sendable (Int) -> Void)?>(nil)

    /// - Parameter capacity: the maximum number of queued bytes.
    init(descriptor: Int32, capacity: Int = LogWriter.capacity) {
        self.descriptor = descriptor
        self.capacity = capacity
    }

    /// Starts the thread, which runs as long as the process. Lines that were added before wait for it.
    ///
    /// - Parameter reportDrops: logs how many lines were dropped; called on the thread once lines can be written again.
    /// - Throws: if the system refuses to create the thread.
    func start(reportDrops: @escaping @Sendable (Int) -> Void) throws(SystemThread.Failure) {
        self.reportDrops.withLock { $0 = reportDrops }
        try SystemThread.start("log", stackBytes: 512 << 10) { [self] in
            while true {
                arrival.wait()
                drain()
            }
        }
        state.withLock { $0.isStarted = true }
    }

    /// Adds a line, newline included; never blocks. O(bytes).
    func add(_ line: some Collection<UInt8>) {
        let isFirst = state.withLock { state in
            guard state.isReporting || state.pending.count + line.count <= capacity else {
                state.droppedLines += 1
                return false
            }
            defer { state.pending.append(contentsOf: line) }
            return state.pending.isEmpty
        }
        if isFirst { arrival.signal() }
    }

    /// Waits until everything has been written, at most for `limit`. Before `start`, it writes the lines itself and blocks until
    /// they are written.
    func flush(within limit: Duration) {
        guard state.withLock(\.isStarted) else { return drain() }
        let end = ContinuousClock.now + limit
        while state.withLock({ $0.isWriting || !$0.pending.isEmpty }), ContinuousClock.now < end {
            Thread.sleep(forTimeInterval: 0.002)
        }
    }

    private func drain() {
        while true {
            let (bytes, dropped) = state.withLock { state in
                defer { (state.pending, state.droppedLines) = ([], 0) }
                state.isWriting = !state.pending.isEmpty
                return (state.pending, state.droppedLines)
            }
            guard !bytes.isEmpty else { return }
            write(bytes)
            guard dropped > 0, let report = reportDrops.withLock(\.self) else { continue }
            state.withLock { $0.isReporting = true }
            report(dropped)
            state.withLock { $0.isReporting = false }
        }
    }

    /// Blocks until the descriptor has accepted all bytes. If it accepts no more, such as a pipe without a reader or on a full
    /// disk, the bytes are lost: there is nowhere else to report it.
    private func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN {
                    // Another process that shares the descriptor has made it non-blocking.
                    var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    Foundation.poll(&poll, 1, -1)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}

extension LogWriter {
    /// Redirects all loggers of the process to standard error, in `format`.
    ///
    /// - Parameter rank: the rank of this process, if the model is divided among several. It is added to each line.
    /// - Throws: if the system refuses to create the writer's thread.
    static func bootstrap(_ format: ServerConfiguration.LogFormat, rank: Int? = nil) throws(SystemThread.Failure) {
        let writer = standardError
        let handler: @Sendable (String) -> any LogHandler = {
            var handler = writer.handler(label: $0, format)
            if let rank { handler[metadataKey: "rank"] = "\(rank)" }
            return handler
        }
        try writer.start { Self.report(droppedLines: $0, to: Logger(label: "trinity", factory: handler)) }
        LoggingSystem.bootstrap(handler)
    }

    /// A handler that writes its lines here.
    func handler(label: String, _ format: ServerConfiguration.LogFormat) -> any LogHandler {
        switch format {
        case .text: StreamLogHandler(label: label, stream: Stream(writer: self))
        case .json: JSONLogHandler(label: label, writer: self)
        }
    }

    static func report(droppedLines count: Int, to logger: Logger) {
        logger.warning("log lines dropped: standard error was not read", metadata: ["lines": "\(count)"])
    }

    /// Receives whole lines, as `StreamLogHandler` writes them.
    private struct Stream: TextOutputStream, Sendable {
        let writer: LogWriter

        func write(_ string: String) {
            writer.add(string.utf8)
        }
    }
}
