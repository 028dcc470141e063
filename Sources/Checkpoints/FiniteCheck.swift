import PortableKernels

/// Searches tensors for non-finite elements.
enum FiniteCheck {
    /// Returns the index of the first element that is NaN or infinite; `nil` if all are finite, or if the type is not a
    /// floating-point type of weights. It checks about ten bytes per nanosecond.
    ///
    /// - Parameter areScales: whether the elements are multiplied with integers of up to 8 bits. Elements with products that may
    ///   be infinite are then found too.
    static func firstNotFinite(
        in bytes: UnsafeRawBufferPointer, type: TensorType, areScales: Bool = false
    ) -> Int? {
        guard let code = code(of: type, areScales), let base = bytes.baseAddress else { return nil }
        var offset = Portable.finitePrefix(base, count: bytes.count, code: code)
        while offset + code.size <= bytes.count {
            if !code.isFinite(base + offset) { return offset / code.size }
            offset += code.size
        }
        return nil
    }

    /// Does the same on the threads of `pool`; `nil` uses only the calling thread.
    static func firstNotFinite(
        in bytes: UnsafeRawBufferPointer, type: TensorType, areScales: Bool = false, pool: (any ParallelExecutor)?
    ) -> Int? {
        let pieceBytes = 1 << 16
        guard let pool, pool.threads > 1, bytes.count > pieceBytes else {
            return firstNotFinite(in: bytes, type: type, areScales: areScales)
        }
        let pieces = (bytes.count + pieceBytes - 1) / pieceBytes
        let memory = OwnedBytes(count: pieces)
        let found = memory.bytes.bindMemory(to: Bool.self)
        pool.parallelFor(chunks: pieces) { piece in
            let end = min((piece + 1) * pieceBytes, bytes.count)
            let part = UnsafeRawBufferPointer(rebasing: bytes[piece * pieceBytes..<end])
            found[piece] = firstNotFinite(in: part, type: type, areScales: areScales) != nil
        }
        // The exact index is needed only for the error.
        return found.contains(true) ? firstNotFinite(in: bytes, type: type, areScales: areScales) : nil
    }

    private static func code(of type: TensorType, _ areScales: Bool) -> NotFiniteCode? {
        switch type {
        case .float8E4M3: .float8
        case .bfloat16: areScales ? .bfloat16Scale : .bfloat16
        case .float16: .float16
        case .float32: areScales ? .float32Scale : .float32
        default: nil
        }
    }
}
