import KernelInterface

/// A quantized matrix (rows, columns) = (out, in), as a checkpoint's files store it.
protocol QuantizedMatrix: QuantizedReader {
    var rows: Int { get }
    var columns: Int { get }
    /// The parts of the files that store it: codes, scales and so on.
    var parts: [MappedBytes] { get }

    /// Returns whether all scales are finite numbers. O(scales), at memory speed.
    ///
    /// - Parameter pool: the threads that do the check; `nil` uses only the calling thread.
    func hasFiniteScales(pool: (any ParallelExecutor)?) -> Bool
}

extension QuantizedMatrix {
    /// The size of the packed matrix in bytes, including the row factors.
    var packedBytes: Int { format.packedBytes(rows: rows, columns: columns) }

    /// The size in the files, in bytes.
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

    /// - Parameter row: the index of the row in the matrix.
    init(_ rows: QuantizedRows, _ row: Int) {
        let slot = row % 16
        codes = rows.codes + slot * rows.codeStride
        scales = rows.scales + slot * rows.groupStride * rows.format.scales.bytes
        minima = rows.minima + slot * rows.groupStride * rows.format.minima.bytes
        superScales = rows.superScales + slot * rows.superStride
        superMinima = rows.superMinima + slot * rows.superStride
        factor = rows.rowFactors + slot
    }

    /// Splits bytes that hold two codes: the low halves are `count` columns, the high halves the next `count` columns.
    @inline(__always)
    func setHalves(_ source: UnsafeRawPointer, at column: Int, count: Int) {
        for index in 0..<count {
            let byte = source.load(fromByteOffset: index, as: UInt8.self)
            codes[column + index] = byte & 15
            codes[column + count + index] = byte >> 4
        }
    }
}
