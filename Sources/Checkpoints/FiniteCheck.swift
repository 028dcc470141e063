import PortableKernels

/// Searches tensors for non-finite elements.
enum FiniteCheck {
    /// Returns the index of the first element that is NaN or infinite; `nil` if all are finite, or if the type is not a
    /// floating-point type of weights. It checks about ten bytes per nanosecond.
    static func firstNotFinite(in bytes: UnsafeRawBufferPointer, type: TensorType) -> Int? {
        guard let code = code(of: type), let base = bytes.baseAddress else { return nil }
        var offset = Portable.finitePrefix(base, count: bytes.count, code: code)
        while offset + code.size <= bytes.count {
            let isFinite =
                switch type {
                case .float8E4M3: bytes[offset] & 0x7F != 0x7F
                case .bfloat16: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self) & 0x7F80 != 0x7F80
                case .float16: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self) & 0x7C00 != 0x7C00
                default:
                    bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self) & 0x7F80_0000 != 0x7F80_0000
                }
            if !isFinite { return offset / code.size }
            offset += code.size
        }
        return nil
    }

    /// Does the same on the threads of `pool`; `nil` uses only the calling thread.
    static func firstNotFinite(in bytes: UnsafeRawBufferPointer, type: TensorType, pool: (any ParallelExecutor)?)
        -> Int?
    {
        let pieceBytes = 1 << 16
        guard let pool, pool.threads > 1, bytes.count > pieceBytes else {
            return firstNotFinite(in: bytes, type: type)
        }
        let pieces = (bytes.count + pieceBytes - 1) / pieceBytes
        let memory = OwnedBytes(count: pieces)
        let found = memory.bytes.bindMemory(to: Bool.self)
        pool.parallelFor(chunks: pieces) { piece in
            let end = min((piece + 1) * pieceBytes, bytes.count)
            let part = UnsafeRawBufferPointer(rebasing: bytes[piece * pieceBytes..<end])
            found[piece] = firstNotFinite(in: part, type: type) != nil
        }
        // The exact index is needed only for the error.
        return found.contains(true) ? firstNotFinite(in: bytes, type: type) : nil
    }

    private static func code(of type: TensorType) -> NotFiniteCode? {
        switch type {
        case .float8E4M3: .float8
        case .bfloat16: .bfloat16
        case .float16: .float16
        case .float32: .float32
        default: nil
        }
    }
}
