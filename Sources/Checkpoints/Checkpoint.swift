import Foundation

/// The weights of a model folder, mapped and checked; matrices keep their stored format.
///
/// `init` finds errors in names, types, shapes and scales from the files' headers: afterwards every tensor that `ModelConfig`
/// implies exists. ``checkFinite(_:pool:)`` reads the elements once, just before they are packed.
public final class Checkpoint {
    private struct Weight {
        var tensor: StoredTensor
        var scales: ScaleGrid?
        var role: ExpectedTensor.Role
    }

    private var weights: [String: Weight] = [:]
    private let quantizesToFloat8: Bool
    /// Size of the tensors that the model uses, as stored, scales included.
    public private(set) var bytes = 0

    /// Maps and checks the safetensors of `directory`.
    ///
    /// - Parameters:
    ///   - quantization: how FP8 weights are scaled; `nil` for a checkpoint without.
    ///   - quantizesToFloat8: whether `linear` turns wider matrices of linear layers and the LM head into FP8.
    /// - Throws: `CheckpointError.mismatch` with all missing, unexpected and wrong tensors at once, or the error of a file.
    public init(
        directory: URL, config: ModelConfig, quantization: QuantizationConfig?, quantizesToFloat8: Bool = false
    ) throws(CheckpointError) {
        self.quantizesToFloat8 = quantizesToFloat8
        let stored = try StoredTensors(directory: directory)
        var audit = CheckpointAudit(stored: stored, quantization: quantization)
        for expected in config.expectedTensors {
            guard let found = audit.check(expected) else { continue }
            weights[expected.name] = Weight(tensor: found.tensor, scales: found.scales, role: expected.role)
        }
        audit.checkUnexpected(tiesEmbeddings: config.tiesEmbeddings)
        guard audit.problems.isEmpty else {
            throw .mismatch(directory: directory.path, problems: audit.problems)
        }
        bytes = audit.bytes
    }

    /// Refuses a tensor with an element that is NaN or infinite, which would cause errors or wrong replies.
    ///
    /// Called just before the tensor is packed, so that its pages are read from disk once. O(size), at the speed of memory.
    ///
    /// - Parameters:
    ///   - name: the full name, such as `model.norm.weight`.
    ///   - pool: threads that do the check; `nil`: only the calling thread.
    /// - Throws: `CheckpointError.notFinite`.
    /// - Precondition: the model's configuration implies the tensor.
    public func checkFinite(_ name: String, pool: (any ParallelExecutor)? = nil) throws(CheckpointError) {
        let tensor = stored(name)
        let index = FiniteCheck.firstNotFinite(in: tensor.bytes, type: tensor.type, pool: pool)
        guard let index else { return }
        let size = tensor.type.size
        let element = UnsafeRawBufferPointer(rebasing: tensor.bytes[index * size..<(index + 1) * size])
        let value = FloatConversion.floats(element, type: tensor.type)?.first ?? .nan
        throw .notFinite(tensor: name, value: "\(value)", shape: tensor.shape, index: index)
    }

    /// Whether the model has a tensor of this full name, such as `model.norm.weight`.
    public func has(_ name: String) -> Bool { weights[name] != nil }

    /// Bytes of the weights once they are packed, without the rows that pad the last block of a matrix; `Int.max` if they do
    /// not fit an `Int`.
    public var packedBytes: Int {
        var total = 0
        for weight in weights.values {
            let elements = weight.tensor.bytes.count / weight.tensor.type.size
            let isQuantized = quantizesToFloat8 && (weight.role == .linear || weight.role == .lmHead)
            let width =
                isQuantized ? 1 : weight.tensor.type == .float16 || weight.role == .vector ? 4 : weight.tensor.type.size
            let (sum, overflow) = total.addingReportingOverflow(elements * width)
            if overflow { return .max }
            total = sum
        }
        return total
    }

    /// The matrix of the module `name`, such as `model.layers.0.self_attn.q_proj`; also `model.embed_tokens` and, unless tied,
    /// `lm_head`. Its bytes are aligned to its elements. If it is quantized while loading, each call quantizes it again.
    ///
    /// - Parameter pool: threads that quantize; `nil`: only the calling thread.
    /// - Precondition: the model's configuration implies the module.
    public func linear(_ name: String, pool: (any ParallelExecutor)? = nil) -> LinearWeight {
        guard let weight = weights["\(name).weight"], weight.role != .vector else {
            preconditionFailure("no linear weight \(name) in this model")
        }
        let linear = Self.linear(weight)
        let isQuantized = quantizesToFloat8 && weight.role != .sensitive
        return isQuantized ? WeightQuantizer.quantize(linear, pool: pool) : linear
    }

    /// The vector with this full name, such as `model.norm.weight`, as float32.
    ///
    /// - Precondition: the model's configuration implies it.
    public func vector(_ name: String) -> [Float] {
        guard let weight = weights[name], weight.role == .vector,
            let floats = FloatConversion.floats(weight.tensor.bytes, type: weight.tensor.type)
        else { preconditionFailure("no vector \(name) in this model") }
        return floats
    }

    /// The tensor with this full name as it is stored.
    ///
    /// - Precondition: the model's configuration implies it.
    public func stored(_ name: String) -> StoredTensor {
        guard let weight = weights[name] else { preconditionFailure("no tensor \(name) in this model") }
        return weight.tensor
    }

    /// Releases the pages of a tensor that were read; they can be read again.
    public func release(_ name: String) {
        guard let tensor = weights[name]?.tensor else { return }
        tensor.owner.release(tensor.bytes)
    }

    private static func linear(_ weight: Weight) -> LinearWeight {
        let tensor = weight.tensor
        let format: LinearWeight.Format =
            switch (tensor.type, weight.scales) {
            case (.float8E4M3, let scales?): .float8(scales)
            case (.bfloat16, nil): .bfloat16
            case (.float16, nil): .float16
            case (.float32, nil): .float32
            default: preconditionFailure("the audit lets no other type pass")
            }
        var linear = LinearWeight(
            rows: tensor.shape[0], columns: tensor.shape[1], format: format, bytes: tensor.bytes, owner: tensor.owner)
        // Old files place data directly after a header of any length.
        if Int(bitPattern: tensor.bytes.baseAddress) % tensor.type.size != 0 {
            let copy = OwnedBytes(count: tensor.bytes.count)
            copy.bytes.copyMemory(from: tensor.bytes)
            linear.bytes = UnsafeRawBufferPointer(copy.bytes)
            linear.owner = copy
        }
        return linear
    }
}
