import KernelInterface

extension KernelTable {
    /// Returns a table that computes matrix products with OpenBLAS. Weights are converted to float32 slice by slice. This is a
    /// simple implementation for comparison.
    ///
    /// OpenBLAS changes the order of additions with the number of rows, so results depend on the batch. Everything else, including
    /// the routers, uses the fastest set with float32 activations.
    ///
    /// - Throws: `EngineError.unsupported` if OpenBLAS is not installed.
    static func blas() throws(EngineError) -> KernelTable {
        let product = try OpenBLAS().matrixProduct
        let base = KernelSet.available.last { !$0.multipliesBFloat16 }?.table(.exact) ?? .portable
        return KernelTable(name: "openblas", family: base.family) { matrix, arguments in
            multiply(product, matrix, arguments, base.family)
        }
    }

    private static func multiply(
        _ product: OpenBLAS.MatrixProduct, _ matrix: PackedContents, _ arguments: MatmulArguments,
        _ family: any KernelFamily.Type
    ) {
        let (columns, tokens, firstRow) = (matrix.columns, arguments.tokens, arguments.firstBlock * 16)
        let count = min(arguments.blocks * 16, matrix.rows - firstRow)
        let values = Buffer<Float>(count: count * columns)
        for row in 0..<count {
            matrix.unpackRow(firstRow + row, factor: 1, out: values.base + row * columns, family: family)
        }
        var (source, stride) = (arguments.x.assumingMemoryBound(to: Float.self), arguments.xStride)
        let gathered = Buffer<Float>(count: arguments.xRows == nil ? 0 : tokens * columns)
        if let xRows = arguments.xRows {
            for token in 0..<tokens {
                (gathered.base + token * columns).update(from: source + Int(xRows[token]) * stride, count: columns)
            }
            (source, stride) = (UnsafePointer(gathered.base), columns)
        }
        product(
            OpenBLAS.rowMajor, OpenBLAS.noTranspose, OpenBLAS.transpose, Int32(tokens), Int32(count), Int32(columns), 1,
            source, Int32(stride), values.base, Int32(columns), 0, arguments.y + firstRow, Int32(arguments.yStride))
    }
}
