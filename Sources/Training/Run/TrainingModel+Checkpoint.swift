import Checkpoints
import Engine
import Foundation

extension TrainingModel {
    /// Loads the model of a checkpoint in F32, BF16 or F16. Expert biases that are missing in the checkpoint are zero.
    ///
    /// - Throws: `ModelConfigError` or `CheckpointError` with the name of the file or tensor; `TrainingError.unsupported`.
    package convenience init(
        checkpoint folder: URL, pool: WorkerPool, precision: Precision = .exact,
        kernels: KernelSet = KernelSet.available.last ?? .portable, frozen: Set<String> = []
    ) throws {
        try ModelFolder.check(folder)
        let config = try ModelConfig(directory: folder)
        try self.init(config, pool: pool, precision: precision, kernels: kernels, frozen: frozen)
        let stored = try StoredTensors(directory: folder).tensors
        var problems: [String] = []
        func copy(_ name: String, _ shape: [Int], to target: UnsafeMutablePointer<Float>) {
            if let problem = StoredTensor.problem(name, shape, in: stored) {
                problems.append(problem)
            } else if stored[name]?.copyFiniteFloats(to: target) == false {
                problems.append("\(name): has numbers that are not finite")
            }
        }
        for parameter in layout.parameters {
            copy(parameter.name, parameter.shape, to: weights.pointer(parameter))
        }
        for index in biases.indices where stored[biasName(index)] != nil {
            let bias = Buffer(biases[index])
            copy(biasName(index), [config.experts], to: bias.base)
            biases[index] = Array(bias.contents)
        }
        guard problems.isEmpty else { throw CheckpointError.mismatch(directory: folder.path, problems: problems) }
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
