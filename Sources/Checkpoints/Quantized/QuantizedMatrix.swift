import KernelInterface

/// A quantized matrix (rows, columns) = (out, in) of a checkpoint, as its files store it.
protocol QuantizedMatrix: QuantizedReader {
    var rows: Int { get }
    var columns: Int { get }
    /// What the files have of it: codes, scales and so on.
    var parts: [MappedBytes] { get }

    /// Whether all scales are finite numbers. O(scales), at the speed of memory.
    ///
    /// - Parameter pool: threads that do the check; `nil`: only the calling thread.
    func hasFiniteScales(pool: (any ParallelExecutor)?) -> Bool
}

extension QuantizedMatrix {
    /// Bytes of the packed matrix, with the factors of its rows.
    var packedBytes: Int { format.packedBytes(rows: rows, columns: columns) }

    /// Bytes in the files.
    var bytes: Int { parts.reduce(0) { $0 + $1.bytes.count } }
}

/// A range of a mapped file.
struct MappedBytes {
    var bytes: UnsafeRawBufferPointer
    var owner: MappedFile

    init(_ bytes: UnsafeRawBufferPointer, owner: MappedFile) {
        self.bytes = bytes
        self.owner = owner
    }

    init(_ tensor: StoredTensor) {
        self.init(tensor.bytes, owner: tensor.owner)
    }
}

/// The place of one row in ``QuantizedRows``.
struct QuantizedRow {
    let codes: UnsafeMutablePointer<UInt8>
    let scales: UnsafeMutableRawPointer
    let minima: UnsafeMutableRawPointer
    let superScales: UnsafeMutablePointer<UInt16>
    let superMinima: UnsafeMutablePointer<UInt16>
    let factor: UnsafeMutablePointer<Float>

    /// - Parameter row: the number of the row in the matrix.
    init(_ rows: QuantizedRows, _ row: Int) {
        let slot = row % 16
        codes = rows.codes + slot * rows.codeStride
        scales = rows.scales + slot * rows.groupStride * rows.format.scales.bytes
        minima = rows.minima + slot * rows.groupStride * rows.format.minima.bytes
        superScales = rows.superScales + slot * rows.superStride
        superMinima = rows.superMinima + slot * rows.superStride
        factor = rows.rowFactors + slot
    }

    /// Splits bytes of two codes: the low halves are `count` columns, and the high ones the next `count`.
    @inline(__always)
    func setHalves(_ source: UnsafeRawPointer, at column: Int, count: Int) {
        for index in 0..<count {
            let byte = source.load(fromByteOffset: index, as: UInt8.self)
            codes[column + index] = byte & 15
            codes[column + count + index] = byte >> 4
        }
    }
}
