import Checkpoints
import Engine
import Foundation
import JSON

/// Writes checkpoints of any shape with random weights, for benchmarks without a real model.
///
/// The elements of matrices have a standard deviation of 0.02. They are normally distributed, or uniformly distributed in formats
/// with fewer bits than FP8. Norms are ones, so that activations stay finite at any depth. The same shape, format and seed give
/// the same bytes on every machine and for any number of threads.
public struct CheckpointSynthesizer: Sendable {
    /// The format of the linear layers, and of the LM head if requested. In safetensors all other tensors are bfloat16, except
    /// the expert biases, which are float32.
    public enum Format: String, Sendable, CaseIterable {
        /// E4M3 with a scale for each 128 by 128 block, as in released FP8 checkpoints.
        case fp8Block = "fp8-block"
        case bf16
        /// The same formats as written by `trinity quantize`; the LM head, if requested, has 8 bits.
        case int4, nvfp4
        /// One GGUF file, with the types that `llama-quantize` chooses, also for the embeddings and the LM head.
        case q40 = "q4_0"
        case q4KM = "q4_k_m"

        fileprivate var quantization: WeightQuantization? {
            switch self {
            case .int4: .int4(groupColumns: 32)
            case .nvfp4: .nvfp4
            case .fp8Block: .float8
            case .bf16, .q40, .q4KM: nil
            }
        }

        fileprivate var mix: GGUFMix? {
            switch self {
            case .q40: .q40
            case .q4KM: .q4KM
            case .fp8Block, .bf16, .int4, .nvfp4: nil
            }
        }
    }

    public var shape: ModelShape
    public var format: Format
    public var seed: UInt64
    /// Whether the LM head is stored like a linear layer. It has no effect in GGUF, or if the head is tied to the embeddings.
    public var quantizesLMHead: Bool

    public init(shape: ModelShape, format: Format, seed: UInt64, quantizesLMHead: Bool = false) {
        self.shape = shape
        self.format = format
        self.seed = seed
        self.quantizesLMHead = quantizesLMHead
    }

    /// The number of bytes that are generated at a time.
    private static let pieceBytes = 16 << 20

    /// Writes the folder `directory`.
    ///
    /// - Parameter progress: called with the completed fraction, in 0...1. An error that it throws ends the work.
    /// - Throws: `CheckpointError.unwritable`, also if `directory` exists and is not empty; `ToolError.argument` for a shape that
    ///   the format cannot describe.
    public func write(to directory: URL, progress: (Double) throws -> Void = { _ in }) throws {
        try CheckpointWriter.fill(directory) {
            if let mix = format.mix {
                try writeGGUF(mix, to: directory, progress: progress)
            } else {
                try writeFolder(directory, progress: progress)
            }
        }
    }

    private func writeGGUF(_ mix: GGUFMix, to directory: URL, progress: (Double) throws -> Void) throws {
        let file = try SyntheticGGUF(shape.config, mix)
        let url = directory.appending(path: "model-\(format.rawValue.uppercased()).gguf")
        var writer = try GGUFWriter(url, metadata: file.metadata, entries: file.entries)
        let contents = file.entries.map { (bytes: $0.bytes, content: file.content(of: $0)) }
        try forEachPiece(of: contents) { piece in
            try writer.append(piece)
            try progress(Double(writer.writtenBytes) / Double(writer.totalBytes))
        }
        try writer.finish()
    }

    private func writeFolder(_ directory: URL, progress: (Double) throws -> Void) throws {
        guard !shape.json.isEmpty else {
            throw ToolError.argument("the shape of a GGUF file has no config.json to write; give a config.json")
        }
        let parts = shape.config.expectedTensors.flatMap(self.parts)
        var writer = try CheckpointWriter(directory: directory, entries: parts.map(\.entry))
        try forEachPiece(of: parts.map { ($0.entry.bytes, $0.content) }) { piece in
            try writer.append(piece)
            try progress(Double(writer.writtenBytes) / Double(writer.totalBytes))
        }
        try writer.finish()
        if !(try SyntheticTokenizer.write(to: directory, config: shape.config)) {
            try CheckpointWriter.write(["temperature": 1.0], to: "generation_config.json", in: directory)
        }
        // Written last, so that an incomplete folder is not mistaken for a model.
        var json = shape.json
        if let quantization = format.quantization {
            let tensors = shape.config.expectedTensors
            json["quantization_config"] = QuantizationConfig.json(
                quantization, quantizesLMHead: tensors.contains { $0.role == .lmHead && isQuantized($0) },
                wide: tensors.filter { $0.role == .linear && !isQuantized($0) }.map(\.module))
        }
        try CheckpointWriter.write(.object(json), to: "config.json", in: directory)
    }

    /// Calls `write` with the bytes of all tensors, in order.
    private func forEachPiece(
        of contents: [(bytes: Int, content: SyntheticContent)],
        write: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let source = SyntheticBytes(
            seed: seed, pool: WorkerPool(threads: ThreadPlan.defaultThreads, spinning: .zero))
        let piece = OwnedBytes(count: Self.pieceBytes)
        for (number, (total, content)) in contents.enumerated() {
            for start in stride(from: 0, to: total, by: Self.pieceBytes) {
                let bytes = UnsafeMutableRawBufferPointer(
                    rebasing: piece.bytes[..<min(Self.pieceBytes, total - start)])
                source.fill(bytes, of: content, number: number, start: start)
                try write(UnsafeRawBufferPointer(bytes))
            }
        }
    }

    // MARK: Tensors of a folder

    private typealias Part = (entry: CheckpointWriter.Entry, content: SyntheticContent)

    private func isQuantized(_ tensor: ExpectedTensor) -> Bool {
        guard let quantization = format.quantization,
            tensor.role == .linear || tensor.role == .lmHead && quantizesLMHead
        else { return false }
        return quantization == .float8 || CompressedMatrix(tensor, quantization) != nil
    }

    private func parts(_ tensor: ExpectedTensor) -> [Part] {
        typealias Entry = CheckpointWriter.Entry
        guard isQuantized(tensor), let quantization = format.quantization else { return [part(tensor)] }
        if let matrix = CompressedMatrix(tensor, quantization) {
            return zip(matrix.entries, contents(matrix, tensor)).map { ($0, $1) }
        }
        let grid = WeightQuantizer.gridShape(rows: tensor.shape[0], columns: tensor.shape[1])
        return [
            (Entry(name: tensor.name, type: .float8E4M3, shape: tensor.shape), .float8),
            (
                Entry(name: "\(tensor.name)_scale", type: .float32, shape: grid),
                .constant(SyntheticContent.float8Scale)
            ),
        ]
    }

    /// Returns the description and content of an unquantized tensor.
    private func part(_ tensor: ExpectedTensor) -> Part {
        // The bias is small, so that no expert is strongly preferred.
        if tensor.name.hasSuffix("expert_bias") {
            return (.init(name: tensor.name, type: .float32, shape: tensor.shape), .float32(isSmall: true))
        }
        return (
            .init(name: tensor.name, type: .bfloat16, shape: tensor.shape),
            tensor.role == .vector ? .constant(0x3F80 as UInt16) : .bfloat16
        )
    }

    /// Returns the contents of the codes, the scales, and the shape or the global scale.
    private func contents(_ matrix: CompressedMatrix, _ tensor: ExpectedTensor) -> [SyntheticContent] {
        let shape = SyntheticContent.constant(SIMD2(Int64(tensor.shape[0]), Int64(tensor.shape[1])))
        switch matrix.entries[1].type {
        case .bfloat16:
            let scale = SyntheticContent.scale(bits: 4).bitPattern
            return [.bytes, .signed(UInt16(scale >> 16)), shape]
        case .float16: return [.bytes, .signed(Float16(SyntheticContent.scale(bits: 8))), shape]
        default:
            // The scales are 1. The global scale divides the weights; 2.926 is the standard deviation of uniformly distributed
            // E2M1 codes.
            return [.bytes, .constant(0x38 as UInt8), .constant(2.926 / SyntheticContent.deviation)]
        }
    }
}
