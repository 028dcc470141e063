import Engine
import KernelInterface

/// A row-major bfloat16 matrix that does not own its memory.
struct RoundedMatrix {
    let base: UnsafeMutablePointer<UInt16>
    let rows: Int
    let columns: Int
    /// The number of elements from row to row, at least `columns`.
    let stride: Int

    init(_ base: UnsafeMutablePointer<UInt16>, rows: Int, columns: Int, stride: Int? = nil) {
        self.base = base
        self.rows = rows
        self.columns = columns
        self.stride = stride ?? columns
    }

    func rows(_ range: Range<Int>) -> RoundedMatrix {
        RoundedMatrix(base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
    }

    func columns(_ range: Range<Int>) -> RoundedMatrix {
        RoundedMatrix(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
    }

    func row(_ index: Int) -> UnsafeMutablePointer<UInt16> { base + index * stride }

    /// The matrix as the left factor of a product.
    var factor: PairFactor { PairFactor(rows: base, stride: stride * MemoryLayout<UInt16>.size) }

    func source(indices: UnsafePointer<Int32>? = nil) -> PairSource {
        PairSource(base: base, stride: stride, indices: indices, rows: rows, columns: columns)
    }
}

/// Panels of pairs of rows of a bfloat16 matrix, for sums over its rows.
struct PairPanels {
    let base: UnsafeMutableRawPointer
    /// The number of bytes from one block of 16 columns to the next.
    let blockBytes: Int

    /// - Parameters:
    ///   - rows: the number of rows that fit, an even number.
    init(_ base: UnsafeMutableRawPointer, rows: Int) {
        self.base = base
        blockBytes = rows / 2 * 64
    }

    /// Returns the size of a matrix's panels in bytes.
    static func bytes(rows: Int, columns: Int) -> Int { rows / 2 * 64 * (columns.roundedUp(to: 16) / 16) }

    /// Returns the address of a row, which must be even, and a column, which must be a multiple of 16.
    func place(row: Int = 0, column: Int = 0) -> UnsafeMutableRawPointer {
        base + column / 16 * blockBytes + row / 2 * 64
    }

    func factor(row: Int = 0, column: Int = 0) -> PairFactor {
        PairFactor(panels: place(row: row, column: column), block: blockBytes)
    }
}

extension Int {
    /// Returns the number rounded up to a multiple of `unit`.
    func roundedUp(to unit: Int) -> Int { (self + unit - 1) / unit * unit }
}

/// Temporary memory for one chunk of work, handed out in parts.
struct Scratch {
    private var next: UnsafeMutableRawPointer
    private var left: Int

    /// Calls `body` with `bytes` of uninitialized memory.
    static func with(bytes: Int, _ body: (inout Scratch) -> Void) {
        // Each part begins at a multiple of 64 bytes.
        withUnsafeTemporaryAllocation(byteCount: bytes + 64 * 16, alignment: 64) { memory in
            guard let base = memory.baseAddress else { return }
            var scratch = Scratch(next: base, left: memory.count)
            body(&scratch)
        }
    }

    mutating func bytes(_ count: Int) -> UnsafeMutableRawPointer {
        let size = count.roundedUp(to: 64)
        precondition(size <= left, "the parts fit the scratch memory")
        defer { (next, left) = (next + size, left - size) }
        return next
    }

    mutating func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
        bytes(count * MemoryLayout<Float>.size).bindMemory(to: Float.self, capacity: count)
    }

    /// Returns a matrix whose rows begin at multiples of 16 elements. The gaps between rows are zero: products multiply them with
    /// zeros, which would give NaN for some bits.
    mutating func rounded(_ rows: Int, _ columns: Int) -> RoundedMatrix {
        let stride = columns.roundedUp(to: 16)
        let base = bytes(rows * stride * MemoryLayout<UInt16>.size).bindMemory(
            to: UInt16.self, capacity: rows * stride)
        if stride > columns {
            for row in 0..<rows { (base + row * stride + columns).update(repeating: 0, count: stride - columns) }
        }
        return RoundedMatrix(base, rows: rows, columns: columns, stride: stride)
    }
}
