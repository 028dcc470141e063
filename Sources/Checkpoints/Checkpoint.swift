import Foundation
import KernelInterface
import PortableKernels

/// The weights of a model, mapped and checked; matrices keep their stored format.
///
/// `init` checks names, types, shapes and scales, mostly from the files' headers. Afterwards every tensor that `ModelConfig`
/// requires exists. ``checkFinite(_:pool:)`` reads the elements once, just before they are packed.
public final class Checkpoint {
    private struct Weight {
        var stored: StoredWeight
        var role: ExpectedTensor.Role
    }

    private var weights: [String: Weight] = [:]
    private let quantizing: WeightQuantization?
    /// The size of the tensors that the model uses, as stored, in bytes, including scales.
    public private(set) var bytes = 0
    /// Whether the files contain scales of activations or of the KV cache, which are not used.
    public private(set) var hasUnusedScales = false

    /// Maps and checks the safetensors of `directory`.
    ///
    /// - Parameters:
    ///   - quantization: the quantization of the files; `nil` if they have none.
    ///   - quantizing: the format to which `linear` converts linear layers and the LM head. `fp8` and `int8` leave matrices that
    ///     are already quantized unchanged.
    /// - Throws: `CheckpointError.mismatch` with all missing, unexpected and wrong tensors, `.alreadyQuantized`, or the error of
    ///   a file.
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
    /// - Throws: `CheckpointError.mismatch` with all missing, unexpected and wrong tensors, or `.alreadyQuantized`.
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

    /// Checks that no element or scale of a tensor is NaN or infinite, which would cause errors or wrong replies.
    ///
    /// It is called just before the tensor is packed, so that the tensor's pages are read from disk only once. O(size), at memory
    /// speed.
    ///
    /// - Parameters:
    ///   - name: the full name, such as `model.norm.weight`.
    ///   - pool: the threads that do the check; `nil` uses only the calling thread.
    /// - Throws: `CheckpointError.notFinite` or `.notFiniteScale`.
    /// - Precondition: the model's configuration requires the tensor.
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

    /// Whether the model has a tensor with this full name, such as `model.norm.weight`.
    public func has(_ name: String) -> Bool { weights[name] != nil }

    /// The size of the packed weights in bytes; `Int.max` if it does not fit in an `Int`. The scales of FP8 matrices, and the
    /// rows that pad the last block of unquantized and FP8 matrices, are not counted.
    public var packedBytes: Int { packedBytes { _ in 0 }[0, default: 0] }

    /// Returns ``packedBytes`` for each group of tensors; `key` returns the group of a full name.
    public func packedBytes<Key: Hashable>(by key: (String) -> Key) -> [Key: Int] {
        var totals: [Key: Int] = [:]
        for (name, weight) in weights {
            let key = key(name)
            let (sum, overflow) = totals[key, default: 0].addingReportingOverflow(packedBytes(of: weight))
            totals[key] = overflow ? .max : sum
        }
        return totals
    }

    /// A fingerprint of the names and sizes of the tensors. It is computed from the files' headers, so it does not depend on the
    /// tensors' contents.
    public var fingerprint: Fingerprint {
        var fingerprint = Fingerprint()
        for name in weights.keys.sorted() {
            guard let weight = weights[name] else { continue }
            let stored = weight.stored.parts.map { "\($0.bytes.count)" }.joined(separator: "+")
            fingerprint.add("\(name) \(weight.stored.elements) \(stored)")
        }
        return fingerprint
    }

    /// Returns the average bytes per element of the packed matrices with this role, without the scales of FP8; `nil` if there are
    /// no such matrices.
    public func packedBytesPerWeight(_ role: ExpectedTensor.Role) -> Double? {
        let weights = weights.values.filter { $0.role == role }
        let elements = weights.reduce(0.0) { $0 + Double($1.stored.elements) }
        return elements == 0 ? nil : weights.reduce(0.0) { $0 + Double(packedBytes(of: $1)) } / elements
    }

    /// Whether any matrix is in a quantized format other than FP8.
    public var hasQuantizedMatrices: Bool {
        weights.values.contains { if case .quantized = $0.stored { true } else { false } }
    }

    /// Whether matrices are in FP8.
    public var hasFloat8Matrices: Bool {
        weights.values.contains { if case .float8 = $0.stored { true } else { false } }
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

    /// Returns the format with groups of columns to which a matrix is quantized during loading; `nil` if there is none.
    private func format(of weight: Weight) -> QuantizedFormat? {
        if case .quantized = weight.stored { nil } else { quantizing?.format(weight.role) }
    }

    /// Returns the matrix of the module `name`, such as `model.layers.0.self_attn.q_proj`, `model.embed_tokens` or, if not tied,
    /// `lm_head`. Its bytes are aligned to its elements. If it is quantized during loading, each call quantizes it again.
    ///
    /// - Parameters:
    ///   - pool: the threads that quantize; `nil` uses only the calling thread.
    ///   - family: the kernels that quantize in groups of columns.
    /// - Precondition: the model's configuration requires the module.
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

    /// Returns the vector with this full name, such as `model.norm.weight`, as float32.
    ///
    /// - Precondition: the model's configuration requires it.
    public func vector(_ name: String) -> [Float] {
        guard let weight = weights[name], weight.role == .vector, case .wide(let tensor) = weight.stored,
            let floats = FloatConversion.floats(tensor.bytes, type: tensor.type)
        else { preconditionFailure("no vector \(name) in this model") }
        return floats
    }

    /// Returns the tensor with this full name as stored.
    ///
    /// - Precondition: the model's configuration requires it, and it is not quantized or is FP8.
    public func stored(_ name: String) -> StoredTensor {
        switch weights[name]?.stored {
        case .wide(let tensor), .float8(let tensor, _): return tensor
        case .quantized, nil: preconditionFailure("no tensor \(name) in this model")
        }
    }

    /// Returns the tensor with this full name, rounded to bfloat16.
    ///
    /// - Precondition: the model's configuration requires it, and it is not quantized or is FP8.
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

    /// Copies the tensor with this full name as float32.
    ///
    /// - Precondition: the model's configuration requires it, it is not quantized or is FP8, and `target` has room for it.
    package func copyFloats(_ name: String, into target: UnsafeMutablePointer<Float>) {
        guard let weight = weights[name] else { preconditionFailure("no tensor \(name) in this model") }
        if weight.role == .vector {
            let numbers = vector(name)
            for (index, number) in numbers.enumerated() { target[index] = number }
            return
        }
        let linear = Self.linear(weight.stored)
        for row in 0..<linear.rows { linear.copyRow(row, into: target + row * linear.columns) }
    }

    /// Releases the pages of a tensor from memory; they are loaded again on the next read.
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
        // In old files, the data may start at any address after the header.
        if Int(bitPattern: tensor.bytes.baseAddress) % tensor.type.size != 0 {
            let copy = OwnedBytes(count: tensor.bytes.count)
            copy.bytes.copyMemory(from: tensor.bytes)
            linear.bytes = UnsafeRawBufferPointer(copy.bytes)
            linear.owner = copy
        }
        return linear
    }
}
