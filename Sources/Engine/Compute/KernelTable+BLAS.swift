extension KernelTable {
    /// Matrix products by OpenBLAS over weights that are widened to float32 slice by slice: the plain way, to compare with.
    ///
    /// OpenBLAS takes another order of addition for another number of rows, so results depend on what else is in a batch.
    /// Everything else, routers too, is done by the fastest set that takes float32.
    ///
    /// - Throws: `EngineError.unsupported` when OpenBLAS is not installed.
    static func blas() throws(EngineError) -> KernelTable {
        let product = try OpenBLAS().matrixProduct
        let base = KernelSet.available.last { $0 != .avx512 }?.table(.exact) ?? .portable
        var table = base
        table.name = "openblas"
        table.matmulFloat32 = matmul(product, base.unpackRowFloat32)
        table.matmulBFloat16 = matmul(product, base.unpackRowBFloat16)
        table.matmulFloat8 = matmul(product, base.unpackRowFloat8)
        return table
    }

    private static func matmul(_ product: OpenBLAS.MatrixProduct, _ unpackRow: @escaping UnpackRow) -> Matmul {
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
            product(
                OpenBLAS.rowMajor, OpenBLAS.noTranspose, OpenBLAS.transpose, Int32(tokens), Int32(count),
                Int32(columns), 1, source, Int32(stride), matrix.base, Int32(columns), 0, y + firstRow, Int32(yStride))
        }
    }
}
