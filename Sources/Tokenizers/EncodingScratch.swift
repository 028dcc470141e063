import Synchronization

/// What encoding works with and keeps from text to text: memory and the cache of pieces.
struct EncodingScratch {
    var pieces = PieceList()
    var merger = PieceMerger()
    var cache = PieceCache()
}

/// Scratches that wait for the next text. A text has one for itself, so that threads share no lock while they encode.
final class EncodingScratchPool: Sendable {
    private let idle = Mutex<[EncodingScratch]>([])

    /// Scratches beyond these are thrown away.
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
