import Synchronization

/// What the threads of a download share: how far they are, and whether they must stop.
final class TransferProgress: Sendable {
    private let bytes = Atomic(0)
    private let hasFailed = Atomic(false)
    private let isStopped: @Sendable () -> Bool

    /// - Parameter isCancelled: called often; if it returns true, the download ends.
    init(isCancelled: @escaping @Sendable () -> Bool) { isStopped = isCancelled }

    /// Bytes that are on the disk, those of earlier downloads too.
    var doneBytes: Int { bytes.load(ordering: .relaxed) }

    /// Whether the user stopped the download, or another file failed.
    var mustStop: Bool { hasFailed.load(ordering: .relaxed) || isStopped() }

    /// - Parameter count: negative if bytes were discarded.
    func add(_ count: Int) { bytes.add(count, ordering: .relaxed) }

    func fail() { hasFailed.store(true, ordering: .relaxed) }
}
