import KernelInterface

/// A matrix that is quantized in groups of columns, as tensors of compressed-tensors: `pack-quantized` for integers,
/// `nvfp4-pack-quantized` for E2M1. ``PackedIntegers`` and ``PackedFloats`` read them.
public struct CompressedMatrix {
    private let module: String
    private let rows: Int
    private let columns: Int
    private let format: QuantizedFormat

    /// - Returns: `nil` if the matrix stays as it is: it has no such format, or columns that are not whole groups, which other
    ///   tools do not read.
    public init?(_ tensor: ExpectedTensor, _ quantization: WeightQuantization) {
        guard let format = quantization.format(tensor.role), tensor.shape[1].isMultiple(of: format.groupColumns) else {
            return nil
        }
        module = tensor.module
        rows = tensor.shape[0]
        columns = tensor.shape[1]
        self.format = format
    }

    private var isInteger: Bool { format.codes != .e2m1 }
    private var groups: Int { columns / format.groupColumns }
    /// Codes of a row, without padding: columns are whole groups.
    private var bytesPerRow: Int { columns * format.codes.bits / 8 }

    /// The tensors, in the order of ``contents(_:pool:)``.
    public var entries: [CheckpointWriter.Entry] {
        func entry(_ part: String, _ type: TensorType, _ shape: [Int]) -> CheckpointWriter.Entry {
            CheckpointWriter.Entry(name: "\(module).weight_\(part)", type: type, shape: shape)
        }
        guard isInteger else {
            return [
                entry("packed", .uint8, [rows, bytesPerRow]), entry("scale", .float8E4M3, [rows, groups]),
                entry("global_scale", .float32, [1]),
            ]
        }
        return [
            entry("packed", .int32, [rows, bytesPerRow / 4]),
            entry("scale", format.scales == .float16 ? .float16 : .bfloat16, [rows, groups]),
            entry("shape", .int64, [2]),
        ]
    }

    /// The contents of the tensors.
    ///
    /// - Parameter reader: of this matrix in the format of its quantization.
    package func contents(_ reader: any QuantizedReader, pool: any ParallelExecutor) -> [OwnedBytes] {
        let contents = entries.map { OwnedBytes(count: $0.bytes) }
        let (codes, scales, last) = (contents[0].bytes, contents[1].bytes, contents[2].bytes)
        let bytesOfScales = groups * format.scales.bytes
        pool.parallelFor(chunks: (rows + 15) / 16) { block in
            let source = QuantizedRows.allocate(format, columns: columns)
            defer { source.deallocate() }
            let range = block * 16..<min(block * 16 + 16, rows)
            reader.read(range, into: source)
            for row in range {
                let place = QuantizedRow(source, row)
                write(place.codes, to: codes, at: row * bytesPerRow)
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: scales[row * bytesOfScales..<(row + 1) * bytesOfScales])
                target.copyMemory(from: UnsafeRawBufferPointer(start: place.scales, count: bytesOfScales))
            }
            if block == 0, !isInteger { last.storeBytes(of: QuantizedRow(source, 0).factor.pointee, as: Float.self) }
        }
        if isInteger {
            last.storeBytes(of: Int64(rows), as: Int64.self)
            last.storeBytes(of: Int64(columns), toByteOffset: 8, as: Int64.self)
        }
        return contents
    }

    private func write(_ codes: UnsafePointer<UInt8>, to target: UnsafeMutableRawBufferPointer, at offset: Int) {
        for index in 0..<bytesPerRow {
            target[offset + index] =
                format.codes.bits == 8 ? codes[index] : codes[2 * index] | codes[2 * index + 1] << 4
        }
    }
}
