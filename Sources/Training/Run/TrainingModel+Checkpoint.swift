import Checkpoints
import Engine
import Foundation

extension TrainingModel {
    /// The model of a checkpoint in F32, BF16 or F16. A checkpoint without biases of the experts gets zeros.
    ///
    /// - Throws: `ModelConfigError` or `CheckpointError` with the name of the file or tensor, and
    ///   `TrainingError.unsupported`.
    package convenience init(
        checkpoint folder: URL, pool: WorkerPool, precision: Precision = .exact,
        kernels: KernelSet = KernelSet.available.last ?? .portable
    ) throws {
        try ModelFolder.check(folder)
        let config = try ModelConfig(directory: folder)
        try self.init(config, pool: pool, precision: precision, kernels: kernels)
        let stored = try StoredTensors(directory: folder).tensors
        var problems: [String] = []
        func floats(_ name: String, _ shape: [Int]) -> [Float]? {
            guard let tensor = stored[name] else { return nil }
            if tensor.shape == shape, let floats = tensor.finiteFloats { return floats }
            problems.append(
                "\(name): \(tensor.type.rawValue) \(tensor.shape), expected finite F32, BF16 or F16 \(shape)")
            return nil
        }
        for parameter in layout.parameters {
            if let values = floats(parameter.name, parameter.shape) {
                weights.pointer(parameter).update(from: values, count: parameter.count)
            } else if stored[parameter.name] == nil {
                problems.append("missing: \(parameter.name) \(parameter.shape)")
            }
        }
        for index in biases.indices {
            biases[index] = floats(biasName(index), [config.experts]) ?? biases[index]
        }
        guard problems.isEmpty else { throw CheckpointError.mismatch(directory: folder.path, problems: problems) }
    }

    /// The tensor with the biases of a layer, by its index among the layers with experts.
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
    /// The elements of a parameter; valid as long as the memory.
    func bytes(_ parameter: Parameter) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(UnsafeBufferPointer(start: pointer(parameter), count: parameter.count))
    }
}
