import KernelInterface

/// A matrix that is quantized in groups of columns, stored as tensors of compressed-tensors (``CompressedLayout``).
public struct CompressedMatrix {
    private let layout: CompressedLayout
    private let format: QuantizedFormat

    /// - Returns: `nil` if the matrix is left unchanged, because the quantization does not apply to it, or because its columns
    ///   are not whole groups, which other tools do not read.
    public init?(_ tensor: ExpectedTensor, _ quantization: WeightQuantization) {
        guard let format = quantization.format(tensor.role), tensor.shape[1].isMultiple(of: format.groupColumns) else {
            return nil
        }
        layout = CompressedLayout(module: tensor.module, rows: tensor.shape[0], columns: tensor.shape[1])
        self.format = format
    }

    private var isInteger: Bool { format.codes != .e2m1 }
    private var groups: Int { layout.columns / format.groupColumns }

    private var parts: [CompressedLayout.Part] {
        guard isInteger else {
            return [layout.floats, layout.scales(.float8E4M3, groups: groups), layout.globalScale]
        }
        let scales: TensorType = format.scales == .float16 ? .float16 : .bfloat16
        return [layout.integers(bits: format.codes.bits), layout.scales(scales, groups: groups), layout.shape]
    }

    /// The tensors to write, in the order of ``contents(_:pool:)``.
    public var entries: [CheckpointWriter.Entry] {
        parts.map { CheckpointWriter.Entry(name: $0.name, type: $0.type, shape: $0.shape) }
    }

    /// Returns the contents of the tensors.
    ///
    /// - Parameter reader: the reader of this matrix, in the format of its quantization.
    package func contents(_ reader: any QuantizedReader, pool: any ParallelExecutor) -> [OwnedBytes] {
        let contents = entries.map { OwnedBytes(count: $0.bytes) }
        let last = contents[2].bytes
        guard let codes = contents[0].bytes.baseAddress, let scales = contents[1].bytes.baseAddress else {
            return contents
        }
        let (rows, columns, bits) = (layout.rows, layout.columns, format.codes.bits)
        let (bytesOfCodes, bytesOfScales) = (columns * bits / 8, groups * format.scales.bytes)
        pool.parallelFor(chunks: (rows + 15) / 16) { block in
            let source = QuantizedRows.allocate(format, columns: columns)
            defer { source.deallocate() }
            let range = block * 16..<min(block * 16 + 16, rows)
            reader.read(range, into: source)
            for row in range {
                let place = QuantizedRow(source, row)
                place.writePacked(codes + row * bytesOfCodes, columns: columns, bits: bits)
                (scales + row * bytesOfScales).copyMemory(from: place.scales, byteCount: bytesOfScales)
            }
            if block == 0, !isInteger { last.storeBytes(of: QuantizedRow(source, 0).factor.pointee, as: Float.self) }
        }
        if isInteger {
            last.storeBytes(of: Int64(rows), as: Int64.self)
            last.storeBytes(of: Int64(columns), toByteOffset: 8, as: Int64.self)
        }
        return contents
    }
}
