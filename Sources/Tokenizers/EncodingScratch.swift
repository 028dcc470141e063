import Synchronization

/// Memory for encoding that is reused for each text, including the piece cache.
struct EncodingScratch {
    var pieces = PieceList()
    var merger = PieceMerger()
    var cache = PieceCache()
}

/// A pool of scratch objects. Each text uses its own object, so that threads hold no lock while they encode.
final class EncodingScratchPool: Sendable {
    private let idle = Mutex<[EncodingScratch]>([])

    /// The maximum number of unused scratch objects to keep.
    private static let limit = 8

    func withScratch<T>(_ body: (inout EncodingScratch) -> T) -> T {
        var scratch = idle.withLock { $0.popLast() } ?? EncodingScratch()
        let result = body(&scratch)
        scratch.merger.trim()
        scratch.pieces.trim()
        idle.withLock { idle in
            if idle.count < EncodingScratchPool.limit { idle.append(scratch) }
        }
        return result
    }
}
