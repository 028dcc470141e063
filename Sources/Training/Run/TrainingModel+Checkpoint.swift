import Checkpoints
import Engine
import Foundation

extension TrainingModel {
    /// Loads the model of a checkpoint in F32, BF16, F16 or FP8. Expert biases that are missing in the checkpoint are zero.
    ///
    /// - Throws: `ModelConfigError` or `CheckpointError` with the name of the file or tensor; `TrainingError.unsupported`.
    package convenience init(
        checkpoint folder: URL, pool: WorkerPool, precision: Precision = .exact,
        kernels: KernelSet = KernelSet.available.last ?? .portable, frozen: Set<String> = []
    ) throws {
        try ModelFolder.check(folder)
        let config = try ModelConfig(directory: folder)
        try self.init(config, pool: pool, precision: precision, kernels: kernels, frozen: frozen)
        if let checkpoint = try Self.quantized(folder, config) {
            try load(checkpoint)
            return
        }
        let stored = try StoredTensors(directory: folder).tensors
        try Self.check(stored, config, in: folder)
        var problems: [String] = []
        func copy(_ name: String, to target: UnsafeMutablePointer<Float>) {
            guard stored[name]?.copyFiniteFloats(to: target) == false else { return }
            problems.append("\(name): has numbers that are not finite")
        }
        for parameter in layout.parameters { copy(parameter.name, to: weights.pointer(parameter)) }
        for index in biases.indices {
            let bias = Buffer(biases[index])
            copy(biasName(index), to: bias.base)
            biases[index] = Array(bias.contents)
        }
        guard problems.isEmpty else { throw CheckpointError.mismatch(directory: folder.path, problems: problems) }
    }

    /// Copies the weights of a checkpoint with FP8 matrices.
    ///
    /// - Throws: `CheckpointError` for a tensor that is not finite.
    private func load(_ checkpoint: Checkpoint) throws(CheckpointError) {
        func copy(_ name: String, to target: UnsafeMutablePointer<Float>) throws(CheckpointError) {
            try checkpoint.checkFinite(name)
            checkpoint.copyFloats(name, into: target)
            checkpoint.release(name)
        }
        for parameter in layout.parameters { try copy(parameter.name, to: weights.pointer(parameter)) }
        for index in biases.indices {
            let bias = Buffer(biases[index])
            try copy(biasName(index), to: bias.base)
            biases[index] = Array(bias.contents)
        }
    }

    /// Checks the tensors of a checkpoint, mostly from their headers.
    ///
    /// - Throws: `CheckpointError` with all differences; `ModelConfigError` or `TrainingError.unsupported` for quantized weights
    ///   other than FP8.
    static func check(_ folder: URL, _ config: ModelConfig) throws {
        guard try quantized(folder, config) == nil else { return }
        try check(StoredTensors(directory: folder).tensors, config, in: folder)
    }

    /// Opens a checkpoint whose configuration describes quantized weights; `nil` if it does not.
    private static func quantized(_ folder: URL, _ config: ModelConfig) throws -> Checkpoint? {
        guard let quantization = try QuantizationConfig(directory: folder) else { return nil }
        let checkpoint = try Checkpoint(directory: folder, config: config, quantization: quantization)
        guard !checkpoint.hasQuantizedMatrices else {
            throw TrainingError.unsupported(
                "\(folder.path) has quantized weights; only F32, BF16, F16 and FP8 can be trained")
        }
        return checkpoint
    }

    /// Checks the names, types and shapes of the tensors of a checkpoint. Expert biases may be missing.
    ///
    /// - Throws: `CheckpointError.mismatch` with all differences.
    static func check(
        _ stored: [String: StoredTensor], _ config: ModelConfig, in folder: URL
    ) throws(CheckpointError) {
        let expected = config.expectedTensors.filter {
            !$0.name.hasSuffix(".expert_bias") || stored[$0.name] != nil
        }
        let problems = expected.compactMap { StoredTensor.problem($0.name, $0.shape, in: stored) }
        let known = Set(expected.map(\.name))
        let unexpected = stored.filter { name, tensor in
            !known.contains(name)
                && !StoredTensors.isUnused(name, tensor, tiesEmbeddings: config.tiesEmbeddings)
        }.keys.sorted().map { "unexpected: \($0)" }
        guard problems.isEmpty, unexpected.isEmpty else {
            // The shorter list comes first, because a long list is cut off in the message.
            throw .mismatch(
                directory: folder.path,
                problems: unexpected.count < problems.count ? unexpected + problems : problems + unexpected)
        }
    }

    /// Returns the name of the tensor with the biases of a layer, by its index among the layers with experts.
    func biasName(_ index: Int) -> String { "model.layers.\(config.denseLayers + index).mlp.expert_bias" }

    /// Writes `model.safetensors` in float32.
    func write(to folder: URL) throws(CheckpointError) {
        let biasIndices = Dictionary(uniqueKeysWithValues: biases.indices.map { (biasName($0), $0) })
        let tensors = config.expectedTensors
        var writer = try CheckpointWriter(
            directory: folder,
            entries: tensors.map { CheckpointWriter.Entry(name: $0.name, type: .float32, shape: $0.shape) })
        for tensor in tensors {
            if let index = biasIndices[tensor.name] {
                let bias = Buffer(biases[index])
                try writer.append(UnsafeRawBufferPointer(bias.contents))
                withExtendedLifetime(bias) {}
            } else {
                try writer.append(weights.bytes(layout.parameter(tensor.name)))
            }
        }
        try writer.finish()
    }
}

extension TrainedTensors {
    /// Returns the bytes of a parameter, which are valid as long as the memory.
    func bytes(_ parameter: Parameter) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(UnsafeBufferPointer(start: pointer(parameter), count: parameter.count))
    }
}
