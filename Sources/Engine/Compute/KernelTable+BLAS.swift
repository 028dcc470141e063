import COpenBLAS

extension KernelTable {
    /// Matrix products by OpenBLAS over weights that are widened to float32 slice by slice: the plain way, to compare with.
    ///
    /// OpenBLAS takes another order of addition for another number of rows, so results depend on what else is in a batch.
    /// Everything else, routers too, is done by the fastest set that takes float32.
    static let blas: KernelTable = {
        // The workers are the threads; it would start as many again for each of them.
        openblas_set_num_threads(1)
        let base = KernelSet.available.last { $0 != .avx512 }?.table(.exact) ?? .portable
        var table = base
        table.name = "openblas"
        table.matmulFloat32 = matmul(base.unpackRowFloat32)
        table.matmulBFloat16 = matmul(base.unpackRowBFloat16)
        table.matmulFloat8 = matmul(base.unpackRowFloat8)
        return table
    }()

    private static func matmul(_ unpackRow: @escaping UnpackRow) -> Matmul {
        {
            weights, scales, scaleColumns, scaleWidth, rows, columns, firstBlock, blocks, x, xStride, xRows, tokens, y,
            yStride in
            let firstRow = firstBlock * 16
            let count = min(blocks * 16, rows - firstRow)
            let matrix = Buffer<Float>(count: count * columns)
            for row in 0..<count {
                unpackRow(
                    weights, scales, scaleColumns, scaleWidth, columns, firstRow + row, 1, matrix.base + row * columns)
            }
            var (source, stride) = (x.assumingMemoryBound(to: Float.self), xStride)
            let gathered = Buffer<Float>(count: xRows == nil ? 0 : tokens * columns)
            if let xRows {
                for token in 0..<tokens {
                    (gathered.base + token * columns).update(from: source + Int(xRows[token]) * xStride, count: columns)
                }
                (source, stride) = (UnsafePointer(gathered.base), columns)
            }
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, blasint(tokens), blasint(count), blasint(columns), 1, source,
                blasint(stride), matrix.base, blasint(columns), 0, y + firstRow, blasint(yStride))
        }
    }
}
