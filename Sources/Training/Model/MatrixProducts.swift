import Engine
import KernelInterface

/// A matrix product: out = op(left) op(right), or out += op(left) op(right).
struct MatrixProduct {
    var left: Matrix
    var transposesLeft = false
    var right: Matrix
    var transposesRight = false
    var out: Matrix
    /// Whether the product is added to `out` instead of replacing it.
    var adds = false
    /// A factor by which the product is multiplied.
    var factor: Float = 1

    /// Returns the product Y = X W^T: x (tokens, in), weight (out, in).
    static func output(_ x: Matrix, _ weight: Matrix, into y: Matrix) -> MatrixProduct {
        MatrixProduct(left: x, right: weight, transposesRight: true, out: y)
    }

    /// Returns the product dX = dY W, or dX += dY W.
    static func inputGradient(_ dy: Matrix, _ weight: Matrix, into dx: Matrix, adds: Bool) -> MatrixProduct {
        MatrixProduct(left: dy, right: weight, out: dx, adds: adds)
    }

    /// Returns the product dW += dY^T X.
    static func weightGradient(_ dy: Matrix, _ x: Matrix, into dw: Matrix) -> MatrixProduct {
        MatrixProduct(left: dy, transposesLeft: true, right: x, out: dw, adds: true)
    }

    /// The number of terms in the sum of each element.
    var depth: Int { transposesLeft ? left.rows : left.columns }

    /// Returns the part of the product that computes some rows and columns of `out`.
    func part(rows: Range<Int>, columns: Range<Int>) -> MatrixProduct {
        var part = self
        part.left = transposesLeft ? left.columns(rows) : left.rows(rows)
        part.right = transposesRight ? right.rows(columns) : right.columns(columns)
        part.out = out.rows(rows).columns(columns)
        return part
    }
}

/// Computes products in float32 with OpenBLAS or with Trinity's own kernels. Each part of a result is computed by one thread.
///
/// A result is split into parts of a fixed size. Sums are never split, so the bits of the result do not depend on the number of
/// threads.
struct MatrixProducts {
    /// The numbers of rows and columns of a part.
    private static let partRows = 128
    private static let partColumns = 512

    let pool: WorkerPool
    private let product: OpenBLAS.MatrixProduct
    private let kernels: (any TrainingKernels.Type)?

    /// - Parameter kernels: used for products whose left factor is not transposed, or `nil` to use OpenBLAS for all products.
    /// - Throws: `TrainingError.unsupported` if OpenBLAS is not installed.
    init(pool: WorkerPool, kernels: (any TrainingKernels.Type)? = nil) throws(TrainingError) {
        (self.pool, self.kernels) = (pool, kernels)
        do throws(EngineError) {
            product = try OpenBLAS().matrixProduct
        } catch {
            throw .unsupported("training in float32 needs OpenBLAS (libopenblas0): \(error)")
        }
    }

    /// Computes products that are independent and write to separate places, on all threads.
    func run(_ products: [MatrixProduct]) {
        var parts: [MatrixProduct] = []
        for product in products {
            for row in stride(from: 0, to: product.out.rows, by: Self.partRows) {
                for column in stride(from: 0, to: product.out.columns, by: Self.partColumns) {
                    parts.append(
                        product.part(
                            rows: row..<min(row + Self.partRows, product.out.rows),
                            columns: column..<min(column + Self.partColumns, product.out.columns)))
                }
            }
        }
        pool.parallelFor(chunks: parts.count) { compute(parts[$0]) }
    }

    /// Computes one product on the calling thread. If the depth is 0, nothing is added.
    func compute(_ item: MatrixProduct) {
        guard item.out.rows > 0, item.out.columns > 0, item.depth > 0 else {
            precondition(item.adds || item.out.rows == 0 || item.out.columns == 0, "a product replaces by sums")
            return
        }
        if let kernels, !item.transposesLeft { return multiply(item, kernels) }
        product(
            OpenBLAS.rowMajor, item.transposesLeft ? OpenBLAS.transpose : OpenBLAS.noTranspose,
            item.transposesRight ? OpenBLAS.transpose : OpenBLAS.noTranspose, Int32(item.out.rows),
            Int32(item.out.columns), Int32(item.depth), item.factor, item.left.base, Int32(item.left.stride),
            item.right.base, Int32(item.right.stride), item.adds ? 1 : 0, item.out.base, Int32(item.out.stride))
    }

    /// May read up to 15 elements past the end of a row of the right factor, if it is not transposed.
    private func multiply(_ item: MatrixProduct, _ kernels: any TrainingKernels.Type) {
        let size = MemoryLayout<Float>.size
        func multiply(_ right: PairFactor) {
            kernels.multiplyFloats(
                PairProduct(
                    left: PairFactor(rows: item.left.base, stride: item.left.stride * size), right: right,
                    pairs: item.depth, out: item.out.base, outStride: item.out.stride, rows: item.out.rows,
                    columns: item.out.columns, adds: item.adds))
        }
        if item.transposesRight {
            let block = item.depth * 64
            Scratch.with(bytes: item.right.rows.roundedUp(to: 16) / 16 * block) { scratch in
                let panels = scratch.bytes(item.right.rows.roundedUp(to: 16) / 16 * block)
                let count = 2 * item.right.rows * item.right.stride
                item.right.base.withMemoryRebound(to: UInt16.self, capacity: count) { base in
                    kernels.packColumns(
                        PairSource(
                            base: base, stride: 2 * item.right.stride, rows: item.right.rows, columns: 2 * item.depth),
                        into: panels, block: block)
                }
                multiply(PairFactor(panels: panels, block: block))
            }
        } else {
            multiply(PairFactor(base: item.right.base, row: size, block: 64, step: item.right.stride * size))
        }
        guard item.factor != 1 else { return }
        precondition(!item.adds, "a factor is not applied to what was there before")
        for row in 0..<item.out.rows {
            kernels.scale(item.out.row(row), by: item.factor, into: item.out.row(row), count: item.out.columns)
        }
    }
}
