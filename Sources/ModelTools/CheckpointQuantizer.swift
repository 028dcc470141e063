import Basics
import Checkpoints
import Engine
import Foundation
import JSON

/// Writes a copy of a checkpoint with its linear layers in FP8, identical to the result of `--quantization fp8`.
public struct CheckpointQuantizer {
    /// A folder whose weights are BF16, F16 or F32.
    public var source: URL
    public var destination: URL
    /// Whether the LM head is quantized too, as with `--quantization fp8`; other tools expect it unquantized. No effect if it
    /// is tied to the embeddings.
    public var quantizesLMHead: Bool

    public init(source: URL, destination: URL, quantizesLMHead: Bool = false) {
        self.source = source
        self.destination = destination
        self.quantizesLMHead = quantizesLMHead
    }

    /// Files of these kinds are copied unchanged, except those that describe the weights.
    private static let copiedKinds: Set<String> = ["json", "jinja", "model", "txt", "md", "py", ""]

    /// Writes the folder `destination`: E4M3 codes and a float32 `weight_scale` for each block of 128 by 128; embeddings,
    /// routers, norms and biases are unchanged, and so is the LM head unless ``quantizesLMHead``.
    ///
    /// - Parameter progress: called with the completed fraction.
    /// - Throws: `ToolError.checkpoint` for a source in FP8, `EngineError.model` if the source is not a folder,
    ///   `CheckpointError` (including `.notFinite`), or `ModelConfigError`; `CheckpointError.unwritable` also if `destination`
    ///   exists and is not empty.
    public func write(progress: (Double) -> Void = { _ in }) throws {
        try ModelFolder.check(source)
        guard try ModelFiles(source).gguf == nil else {
            throw ToolError.checkpoint("\(source.path) is a GGUF model; give a folder with safetensors")
        }
        let config = try ModelConfig(directory: source)
        guard try QuantizationConfig(directory: source) == nil else {
            throw ToolError.checkpoint("\(source.path) is already quantized")
        }
        let checkpoint = try Checkpoint(
            directory: source, config: config, quantization: nil, quantizesToFloat8: true)
        try CheckpointWriter.fill(destination) { try fill(from: checkpoint, config: config, progress: progress) }
    }

    private func fill(from checkpoint: Checkpoint, config: ModelConfig, progress: (Double) -> Void) throws {
        let pool = WorkerPool(threads: WorkerPool.defaultThreadCount(), spinning: .zero)
        let tensors = config.expectedTensors
        var writer = try CheckpointWriter(
            directory: destination, entries: tensors.flatMap { entries($0, stored: checkpoint.stored($0.name)) })
        for tensor in tensors {
            if isQuantized(tensor) {
                try Self.append(tensor, of: checkpoint, pool: pool, to: &writer)
            } else {
                try checkpoint.checkFinite(tensor.name, pool: pool)
                try writer.append(checkpoint.stored(tensor.name).bytes)
            }
            checkpoint.release(tensor.name)
            progress(Double(writer.writtenBytes) / Double(writer.totalBytes))
        }
        try writer.finish()
        try copyOtherFiles()
        // Written last, so that an incomplete folder is not mistaken for a model.
        var json = try ConfigReader.load("config.json", in: source)?.object ?? JSONObject()
        json["quantization_config"] = QuantizationConfig.blockJSON(quantizesLMHead: quantizesLMHead)
        try CheckpointWriter.write(.object(json), to: "config.json", in: destination)
    }

    private func isQuantized(_ tensor: ExpectedTensor) -> Bool {
        tensor.role == .linear || quantizesLMHead && tensor.role == .lmHead
    }

    private func entries(_ tensor: ExpectedTensor, stored: StoredTensor) -> [CheckpointWriter.Entry] {
        guard isQuantized(tensor) else {
            return [CheckpointWriter.Entry(name: tensor.name, type: stored.type, shape: tensor.shape)]
        }
        let grid = WeightQuantizer.gridShape(rows: tensor.shape[0], columns: tensor.shape[1])
        return [
            CheckpointWriter.Entry(name: tensor.name, type: .float8E4M3, shape: tensor.shape),
            CheckpointWriter.Entry(name: "\(tensor.name)_scale", type: .float32, shape: grid),
        ]
    }

    private static func append(
        _ tensor: ExpectedTensor, of checkpoint: Checkpoint, pool: WorkerPool, to writer: inout CheckpointWriter
    ) throws {
        try checkpoint.checkFinite(tensor.name, pool: pool)
        let weight = checkpoint.linear(String(tensor.name.dropLast(".weight".count)), pool: pool)
        guard case .float8(let grid) = weight.format else {
            preconditionFailure("a linear layer of a checkpoint that quantises is FP8")
        }
        try withExtendedLifetime(weight.owner) { try writer.append(weight.bytes) }
        // A typed error cannot leave a rethrowing closure of the standard library.
        let scales = Buffer(grid.values)
        try writer.append(UnsafeRawBufferPointer(scales.contents))
        withExtendedLifetime(scales) {}
    }

    /// Maximum size in bytes of other files that are copied.
    private static let largestCopy = 256 << 20

    private func copyOtherFiles() throws {
        let files = FileManager.default
        for name in try files.contentsOfDirectory(atPath: source.path).sorted() {
            guard Self.copiedKinds.contains((name as NSString).pathExtension), !name.hasPrefix("."),
                name != "config.json", name != StoredTensors.indexName
            else { continue }
            let content: [UInt8]
            do throws(RegularFile.Failure) {
                content = try RegularFile.read(source.appending(path: name).path, atMost: Self.largestCopy)
            } catch {
                // Skips folders and files on which reading would block.
                if case .kind = error { continue }
                throw CheckpointError.unreadable(file: source.appending(path: name).path, reason: error.description)
            }
            try CheckpointWriter.write(Data(content), to: name, in: destination)
        }
    }
}
