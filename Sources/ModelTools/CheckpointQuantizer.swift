import Basics
import Checkpoints
import Engine
import Foundation
import JSON

/// Writes a copy of a checkpoint with quantized linear layers. The quantized weights are identical to those of `--quantization`.
public struct CheckpointQuantizer {
    /// The folder of the checkpoint, with BF16, F16 or F32 weights, or FP8 weights unless the target is FP8.
    public var source: URL
    public var destination: URL
    /// The quantization of the linear layers; `nil` to write BF16.
    let quantization: WeightQuantization?
    /// Whether the LM head is quantized too, as with `--quantization`; other tools expect it unquantized. It has no effect if the
    /// head is tied to the embeddings.
    public var quantizesLMHead: Bool
    /// Whether unquantized F32 tensors are rounded to BF16, except the expert biases; without ``quantization`` also F16 tensors.
    public var roundsOthers: Bool

    /// The format of the linear layers: BF16, or a format of ``EngineOptions/Quantization``.
    public enum Format: String, CaseIterable, Sendable {
        case fp8, int4, int8, nvfp4, bf16
    }

    /// - Parameter groupColumns: the number of columns that share a scale in `int4`: 32, 64 or 128.
    public init(
        source: URL, destination: URL, format: Format = .fp8, groupColumns: Int = 32, quantizesLMHead: Bool = false,
        roundsOthers: Bool = false
    ) {
        self.source = source
        self.destination = destination
        quantization =
            switch format {
            case .fp8: .float8
            case .int4: .int4(groupColumns: groupColumns)
            case .int8: .int8
            case .nvfp4: .nvfp4
            case .bf16: nil
            }
        self.quantizesLMHead = quantizesLMHead && quantization != nil
        self.roundsOthers = roundsOthers || quantization == nil
    }

    /// The extensions of files that are copied unchanged, except files that describe the weights.
    private static let copiedKinds: Set<String> = ["json", "jinja", "model", "txt", "md", "py", ""]

    /// Writes the folder `destination` in the form of compressed-tensors. Embeddings, routers, norms and biases keep their format
    /// unless ``roundsOthers`` is true, and so does the LM head unless ``quantizesLMHead`` is true. Matrices whose columns are
    /// not whole groups are not quantized either. Unquantized FP8 matrices become BF16.
    ///
    /// - Parameter progress: called with the completed fraction, in 0...1. An error that it throws ends the work.
    /// - Returns: the names of the linear layers' matrices, and of the LM head with ``quantizesLMHead``, that were not quantized.
    /// - Throws: `ToolError.checkpoint` for a source that is GGUF or already quantized, `EngineError.model` if the source is
    ///   not a folder, `CheckpointError` (including `.notFinite`), or `ModelConfigError`; `CheckpointError.unwritable` also if
    ///   `destination` exists and is not empty.
    @discardableResult
    public func write(progress: (Double) throws -> Void = { _ in }) throws -> [String] {
        try ModelFolder.check(source)
        guard try ModelFiles(source).gguf == nil else {
            throw ToolError.checkpoint("\(source.path) is a GGUF model; give a folder with safetensors")
        }
        let config = try ModelConfig(directory: source)
        let stored = try QuantizationConfig(directory: source)
        let checkpoint = try Checkpoint(
            directory: source, config: config, quantization: stored, quantizing: quantization)
        guard !checkpoint.hasQuantizedMatrices, quantization != .float8 || !checkpoint.hasFloat8Matrices else {
            throw ToolError.checkpoint("\(source.path) is already quantized")
        }
        try CheckpointWriter.fill(destination) {
            try fill(from: checkpoint, config: config, progress: progress)
        }
        return quantization == nil
            ? [] : config.expectedTensors.filter { isWanted($0) && !isQuantized($0) }.map(\.name)
    }

    private func fill(
        from checkpoint: Checkpoint, config: ModelConfig, progress: (Double) throws -> Void
    ) throws {
        let pool = WorkerPool(threads: ThreadPlan.defaultThreads, spinning: .zero)
        let tensors = config.expectedTensors
        // A file that cannot be copied is reported before the work.
        try copyOtherFiles()
        var writer = try CheckpointWriter(
            directory: destination, entries: tensors.flatMap { entries($0, stored: checkpoint.stored($0.name)) })
        for tensor in tensors {
            try checkpoint.checkFinite(tensor.name, pool: pool)
            if isQuantized(tensor) {
                try append(tensor, of: checkpoint, pool: pool, to: &writer)
            } else if writtenType(tensor, checkpoint.stored(tensor.name)) != checkpoint.stored(tensor.name).type {
                let wide = checkpoint.bfloat16(tensor.name)
                try withExtendedLifetime(wide) { try writer.append(UnsafeRawBufferPointer(wide.bytes)) }
            } else {
                try writer.append(checkpoint.stored(tensor.name).bytes)
            }
            checkpoint.release(tensor.name)
            try progress(Double(writer.writtenBytes) / Double(writer.totalBytes))
        }
        try writer.finish()
        // Written last, so that an incomplete folder is not mistaken for a model.
        var json = try ConfigReader.load("config.json", in: source)?.object ?? JSONObject()
        json["quantization_config"] = quantization.map {
            QuantizationConfig.json(
                $0, quantizesLMHead: tensors.contains { $0.role == .lmHead && isQuantized($0) },
                wide: tensors.filter { $0.role == .linear && !isQuantized($0) }.map(\.module))
        }
        if roundsOthers { json["dtype"] = "bfloat16" }
        try CheckpointWriter.write(.object(json), to: "config.json", in: destination)
    }

    private func isWanted(_ tensor: ExpectedTensor) -> Bool {
        tensor.role == .linear || quantizesLMHead && tensor.role == .lmHead
    }

    /// Returns whether the matrix is wanted, and its columns are whole groups.
    private func isQuantized(_ tensor: ExpectedTensor) -> Bool {
        isWanted(tensor) && quantization.map { $0 == .float8 || CompressedMatrix(tensor, $0) != nil } ?? false
    }

    /// Returns the type in which an unquantized tensor is written.
    private func writtenType(_ tensor: ExpectedTensor, _ stored: StoredTensor) -> TensorType {
        if stored.type == .float8E4M3 { return .bfloat16 }
        let types: [TensorType] = quantization == nil ? [.float32, .float16] : [.float32]
        // Expert biases are sums of small training steps, which BF16 would lose.
        let isRounded = roundsOthers && types.contains(stored.type) && !tensor.name.hasSuffix(".expert_bias")
        return isRounded ? .bfloat16 : stored.type
    }

    private func entries(_ tensor: ExpectedTensor, stored: StoredTensor) -> [CheckpointWriter.Entry] {
        guard isQuantized(tensor) else {
            return [
                CheckpointWriter.Entry(name: tensor.name, type: writtenType(tensor, stored), shape: tensor.shape)
            ]
        }
        if let quantization, let matrix = CompressedMatrix(tensor, quantization) { return matrix.entries }
        let grid = WeightQuantizer.gridShape(rows: tensor.shape[0], columns: tensor.shape[1])
        return [
            CheckpointWriter.Entry(name: tensor.name, type: .float8E4M3, shape: tensor.shape),
            CheckpointWriter.Entry(name: "\(tensor.name)_scale", type: .float32, shape: grid),
        ]
    }

    private func append(
        _ tensor: ExpectedTensor, of checkpoint: Checkpoint, pool: WorkerPool, to writer: inout CheckpointWriter
    ) throws {
        let weight = checkpoint.linear(tensor.module, pool: pool, family: KernelTable.best(.exact).family)
        switch weight.format {
        case .quantized(let reader):
            for content in quantization.flatMap({ CompressedMatrix(tensor, $0) })?.contents(reader, pool: pool) ?? [] {
                try withExtendedLifetime(content) { try writer.append(UnsafeRawBufferPointer(content.bytes)) }
            }
        case .float8(let grid):
            try withExtendedLifetime(weight.owner) { try writer.append(weight.bytes) }
            // Copied to a buffer, because a rethrowing closure of the standard library cannot throw a typed error.
            let scales = Buffer(grid.values)
            try writer.append(UnsafeRawBufferPointer(scales.contents))
            withExtendedLifetime(scales) {}
        case .float32, .bfloat16, .float16: preconditionFailure("a linear layer of a checkpoint that quantizes")
        }
    }

    /// The maximum size in bytes of the other files that are copied.
    private static let largestCopy = 256 << 20

    private func copyOtherFiles() throws {
        let files = FileManager.default
        for name in try files.contentsOfDirectory(atPath: source.path).sorted() {
            guard Self.copiedKinds.contains((name as NSString).pathExtension), !name.hasPrefix("."),
                !["config.json", "hf_quant_config.json", "trainer.json", StoredTensors.indexName].contains(name)
            else { continue }
            let content: [UInt8]
            do throws(RegularFile.Failure) {
                content = try RegularFile.read(source.appending(path: name).path, atMost: Self.largestCopy)
            } catch {
                // Skip folders, and files that would block when read.
                if case .kind = error { continue }
                throw CheckpointError.unreadable(file: source.appending(path: name).path, reason: error.description)
            }
            try CheckpointWriter.write(Data(content), to: name, in: destination)
        }
    }
}
