import Basics
import Dispatch
import Synchronization

/// Downloads several files in parallel, and reports progress.
struct Transfer {
    let download: BlobDownload
    let title: String
    /// Called with lines about progress if there is no terminal.
    let report: @Sendable (String) -> Void

    /// The number of parallel connections.
    private static let connections = 4
    private static let interval = DispatchTimeInterval.milliseconds(200)

    /// The state that the threads share.
    private final class Work: Sendable {
        let remaining: Mutex<[RepositoryFile]>
        let failure = Mutex<HubError?>(nil)

        init(_ files: [RepositoryFile]) { remaining = Mutex(files) }

        func next() -> RepositoryFile? { remaining.withLock { $0.popLast() } }

        /// Records an error. Only the first is kept: later errors only say that the other downloads stopped.
        func fail(_ error: HubError) { failure.withLock { $0 = $0 ?? error } }
    }

    /// - Throws: the first error of a file; the other downloads then stop.
    func run(_ files: [RepositoryFile]) throws(HubError) {
        let total = files.reduce(0) { $0 + $1.bytes }
        // The largest file is last, because `popLast` takes it first.
        let work = Work(files.sorted { $0.bytes < $1.bytes })
        let (group, download) = (DispatchGroup(), download)
        let queue = DispatchQueue(label: "hub", attributes: .concurrent)
        for _ in 0..<min(Self.connections, files.count) {
            queue.async(group: group) {
                while !download.progress.mustStop, let file = work.next() {
                    do throws(HubError) {
                        try download.run(file)
                    } catch {
                        work.fail(error)
                        download.progress.fail()
                    }
                }
            }
        }
        let meter = ProgressMeter(title, line: report)
        let (clock, presentBytes) = (ContinuousClock(), download.progress.doneBytes)
        let start = clock.now
        while group.wait(timeout: .now() + Self.interval) == .timedOut {
            let done = download.progress.doneBytes
            let rate = Double(done - presentBytes) / ((clock.now - start) / .seconds(1))
            meter.update(
                total > 0 ? Double(done) / Double(total) : 1,
                detail: "\(ByteCount(done)) of \(ByteCount(total)), \(ByteCount(Int(max(rate, 0))))/s")
        }
        meter.finish()
        if let failure = work.failure.withLock({ $0 }) { throw failure }
        if download.progress.mustStop { throw .cancelled }
    }
}
