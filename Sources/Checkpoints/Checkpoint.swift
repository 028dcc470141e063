import Foundation
import KernelInterface
import PortableKernels

/// The weights of a model, mapped and checked; matrices keep their stored format.
///
/// `init` finds errors in names, types, shapes and scales from the files' headers: afterwards every tensor that `ModelConfig`
/// implies exists. ``checkFinite(_:pool:)`` reads the elements once, just before they are packed.
public final class Checkpoint {
    private struct Weight {
        var stored: StoredWeight
        var role: ExpectedTensor.Role
    }

    private var weights: [String: Weight] = [:]
    private let quantizing: WeightQuantization?
    /// Size of the tensors that the model uses, as stored, scales included.
    public private(set) var bytes = 0
    /// Whether the files have scales of activations or of the KV cache, which are not used.
    public private(set) var hasUnusedScales = false

    /// Maps and checks the safetensors of `directory`.
    ///
    /// - Parameters:
    ///   - quantization: how FP8 weights are scaled; `nil` for a checkpoint without.
    ///   - quantizing: the format into which `linear` turns linear layers and the LM head. In FP8 and `int8` those that are
    ///     quantized already stay as they are.
    /// - Throws: `CheckpointError.mismatch` with all missing, unexpected and wrong tensors at once, `.alreadyQuantized`, or the
    ///   error of a file.
    public init(
        directory: URL, config: ModelConfig, quantization: QuantizationConfig?, quantizing: WeightQuantization? = nil
    ) throws(CheckpointError) {
        self.quantizing = quantizing
        let stored = try StoredTensors(directory: directory)
        try take(CheckpointAudit(stored: stored, quantization: quantization), config, path: directory.path)
    }

    /// Checks the tensors of a GGUF file.
    ///
    /// - Parameter quantizing: as in ``init(directory:config:quantization:quantizing:)``.
    /// - Throws: `CheckpointError.mismatch` with all missing, unexpected and wrong tensors at once, or `.alreadyQuantized`.
    public init(_ file: GGUFFile, config: ModelConfig, quantizing: WeightQuantization? = nil) throws(CheckpointError) {
        self.quantizing = quantizing
        try take(GGUFAudit(file, config: config), config, path: file.url.path)
    }

    private func take(
        _ audit: some WeightAudit, _ config: ModelConfig, path: String
    ) throws(CheckpointError) {
        var audit = audit
        for expected in config.expectedTensors {
            guard let stored = audit.check(expected) else { continue }
            weights[expected.name] = Weight(stored: stored, role: expected.role)
        }
        audit.checkUnexpected(tiesEmbeddings: config.tiesEmbeddings)
        guard audit.problems.isEmpty else { throw .mismatch(directory: path, problems: audit.problems) }
        if let quantizing, !quantizing.keepsQuantized, hasQuantizedMatrices { throw .alreadyQuantized(file: path) }
        bytes = audit.bytes
        hasUnusedScales = audit.hasUnusedScales
    }

    /// Refuses a tensor with an element or a scale that is NaN or infinite, which would cause errors or wrong replies.
    ///
    /// Called just before the tensor is packed, so that its pages are read from disk once. O(size), at the speed of memory.
    ///
    /// - Parameters:
    ///   - name: the full name, such as `model.norm.weight`.
    ///   - pool: threads that do the check; `nil`: only the calling thread.
    /// - Throws: `CheckpointError.notFinite` or `.notFiniteScale`.
    /// - Precondition: the model's configuration implies the tensor.
    public func checkFinite(_ name: String, pool: (any ParallelExecutor)? = nil) throws(CheckpointError) {
        guard let weight = weights[name] else { preconditionFailure("no tensor \(name) in this model") }
        if case .quantized(let matrix) = weight.stored {
            guard matrix.hasFiniteScales(pool: pool) else { throw .notFiniteScale(tensor: name) }
            return
        }
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
    public var packedBytes: Int { packedBytes { _ in 0 }[0, default: 0] }

    /// The same for groups of tensors, by a key of their full names.
    public func packedBytes<Key: Hashable>(by key: (String) -> Key) -> [Key: Int] {
        var totals: [Key: Int] = [:]
        for (name, weight) in weights {
            let key = key(name)
            let (sum, overflow) = totals[key, default: 0].addingReportingOverflow(packedBytes(of: weight))
            totals[key] = overflow ? .max : sum
        }
        return totals
    }

    /// Differs between models with different tensors, but not between different contents of the same tensors: it is computed
    /// from the files' headers.
    public var fingerprint: Fingerprint {
        var fingerprint = Fingerprint()
        for name in weights.keys.sorted() {
            guard let weight = weights[name] else { continue }
            let stored = weight.stored.parts.map { "\($0.bytes.count)" }.joined(separator: "+")
            fingerprint.add("\(name) \(weight.stored.elements) \(stored)")
        }
        return fingerprint
    }

    /// Bytes of an element of the matrices with this role once they are packed, on average; scales of FP8 are not counted.
    /// `nil` if there are no such matrices.
    public func packedBytesPerWeight(_ role: ExpectedTensor.Role) -> Double? {
        let weights = weights.values.filter { $0.role == role }
        let elements = weights.reduce(0.0) { $0 + Double($1.stored.elements) }
        return elements == 0 ? nil : weights.reduce(0.0) { $0 + Double(packedBytes(of: $1)) } / elements
    }

    /// Whether matrices are in a quantized format other than FP8.
    public var hasQuantizedMatrices: Bool {
        weights.values.contains { if case .quantized = $0.stored { true } else { false } }
    }

    private func packedBytes(of weight: Weight) -> Int {
        switch weight.stored {
        case .quantized(let matrix): return matrix.packedBytes
        case .wide(let tensor), .float8(let tensor, _):
            if let format = format(of: weight), tensor.shape.count == 2 {
                return format.packedBytes(rows: tensor.shape[0], columns: tensor.shape[1])
            }
            let isFloat8 = quantizing == .float8 && (weight.role == .linear || weight.role == .lmHead)
            let isWidened = tensor.type == .float16 || weight.role == .vector
            return tensor.bytes.count / tensor.type.size * (isFloat8 ? 1 : isWidened ? 4 : tensor.type.size)
        }
    }

    /// The format in groups of columns in which a matrix is quantized while it is loaded.
    private func format(of weight: Weight) -> QuantizedFormat? {
        if case .quantized = weight.stored { nil } else { quantizing?.format(weight.role) }
    }

    /// The matrix of the module `name`, such as `model.layers.0.self_attn.q_proj`; also `model.embed_tokens` and, unless tied,
    /// `lm_head`. Its bytes are aligned to its elements. If it is quantized while loading, each call quantizes it again.
    ///
    /// - Parameters:
    ///   - pool: threads that quantize; `nil`: only the calling thread.
    ///   - family: kernels that quantize in groups of columns.
    /// - Precondition: the model's configuration implies the module.
    public func linear(
        _ name: String, pool: (any ParallelExecutor)? = nil, family: any KernelFamily.Type = Portable.self
    ) -> LinearWeight {
        guard let weight = weights["\(name).weight"], weight.role != .vector else {
            preconditionFailure("no linear weight \(name) in this model")
        }
        let linear = Self.linear(weight.stored)
        guard weight.role != .sensitive else { return linear }
        if quantizing == .float8 { return WeightQuantizer.quantize(linear, pool: pool) }
        guard let format = format(of: weight) else { return linear }
        let reader = GroupQuantizer(linear, to: format, pool: pool, family: family)
        return LinearWeight(
            rows: linear.rows, columns: linear.columns, format: .quantized(reader),
            bytes: UnsafeRawBufferPointer(start: nil, count: 0), owner: reader)
    }

    /// The vector with this full name, such as `model.norm.weight`, as float32.
    ///
    /// - Precondition: the model's configuration implies it.
    public func vector(_ name: String) -> [Float] {
        guard let weight = weights[name], weight.role == .vector, case .wide(let tensor) = weight.stored,
            let floats = FloatConversion.floats(tensor.bytes, type: tensor.type)
        else { preconditionFailure("no vector \(name) in this model") }
        return floats
    }

    /// The tensor with this full name as it is stored.
    ///
    /// - Precondition: the model's configuration implies it, and it is not quantized, or is in FP8.
    public func stored(_ name: String) -> StoredTensor {
        switch weights[name]?.stored {
        case .wide(let tensor), .float8(let tensor, _): return tensor
        case .quantized, nil: preconditionFailure("no tensor \(name) in this model")
        }
    }

    /// The tensor with this full name rounded to bfloat16.
    ///
    /// - Precondition: the model's configuration implies it, and it is not quantized, or is in FP8.
    package func bfloat16(_ name: String) -> OwnedBytes {
        guard let weight = weights[name] else { preconditionFailure("no tensor \(name) in this model") }
        if weight.role == .vector {
            let numbers = vector(name)
            let target = OwnedBytes(count: numbers.count * 2)
            let elements = target.bytes.bindMemory(to: UInt16.self)
            for (index, number) in numbers.enumerated() { elements[index] = FloatConversion.bfloat16Bits(number) }
            return target
        }
        let linear = Self.linear(weight.stored)
        let target = OwnedBytes(count: linear.rows * linear.columns * 2)
        let elements = target.bytes.bindMemory(to: UInt16.self)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: max(linear.columns, 1)) { numbers in
            guard let base = numbers.baseAddress else { return }
            for row in 0..<linear.rows {
                linear.copyRow(row, into: base)
                for column in 0..<linear.columns {
                    elements[row * linear.columns + column] = FloatConversion.bfloat16Bits(base[column])
                }
            }
        }
        return target
    }

    /// Releases the pages of a tensor that were read; they can be read again.
    public func release(_ name: String) {
        for part in weights[name]?.stored.parts ?? [] { part.owner.release(part.bytes) }
    }

    private static func linear(_ weight: StoredWeight) -> LinearWeight {
        let (tensor, format): (StoredTensor, LinearWeight.Format)
        switch weight {
        case .quantized(let matrix):
            return LinearWeight(
                rows: matrix.rows, columns: matrix.columns, format: .quantized(matrix),
                bytes: UnsafeRawBufferPointer(start: nil, count: 0), owner: matrix)
        case .float8(let stored, let scales): (tensor, format) = (stored, .float8(scales))
        case .wide(let stored):
            tensor = stored
            switch stored.type {
            case .bfloat16: format = .bfloat16
            case .float16: format = .float16
            case .float32: format = .float32
            default: preconditionFailure("the audit lets no other type pass")
            }
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
