import Synchronization

/// The state that the threads of a download share: the progress, and whether they must stop.
final class TransferProgress: Sendable {
    private let bytes = Atomic(0)
    private let hasFailed = Atomic(false)
    private let isStopped: @Sendable () -> Bool

    /// - Parameter isCancelled: called often, by several threads; the download ends when it returns true.
    init(isCancelled: @escaping @Sendable () -> Bool) { isStopped = isCancelled }

    /// The number of bytes on disk, including those of earlier downloads.
    var doneBytes: Int { bytes.load(ordering: .relaxed) }

    /// Whether the user stopped the download, or another file failed.
    var mustStop: Bool { hasFailed.load(ordering: .relaxed) || isStopped() }

    /// - Parameter count: the number of bytes; negative if bytes were discarded.
    func add(_ count: Int) { bytes.add(count, ordering: .relaxed) }

    func fail() { hasFailed.store(true, ordering: .relaxed) }
}
