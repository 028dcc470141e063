import Foundation
import JSON

/// How the FP8 weights of a checkpoint are scaled, from `quantization_config` of `config.json`.
///
/// Supported formats are `float-quantized` of compressed-tensors and the `fp8` method of DeepSeek, both E4M3. The type of each
/// tensor decides whether it is quantized, not this configuration. Quantized activations are an option at run time that this
/// server does not use: only weights are FP8.
public struct QuantizationConfig: Sendable, Equatable {
    /// The part of a weight that shares one scale.
    public enum Granularity: Sendable, Equatable {
        case tensor
        /// One scale per row, which is one output channel.
        case channel
        case block(rows: Int, columns: Int)
    }

    public var granularity: Granularity

    public init(granularity: Granularity) {
        self.granularity = granularity
    }

    /// Reads a whole `config.json`; `nil` if its weights are not quantized.
    ///
    /// - Throws: `ModelConfigError.unsupportedQuantization` with the format's name.
    public init?(parsing json: JSONValue) throws(ModelConfigError) {
        guard let reader = try ConfigReader(json, file: "config.json").object("quantization_config") else { return nil }
        switch try reader.string("quant_method") {
        case "compressed-tensors": granularity = try Self.parseCompressedTensors(reader)
        case "fp8": granularity = try Self.parseDeepSeek(reader)
        case let method: throw Self.refusal(method ?? "unnamed")
        }
    }

    /// Reads `config.json` of the model folder `directory`; `nil` if its weights are not quantized.
    public init?(directory: URL) throws(ModelConfigError) {
        guard let json = try ConfigReader.load("config.json", in: directory) else { return nil }
        try self.init(parsing: json)
    }

    private static func refusal(_ name: String) -> ModelConfigError {
        .unsupportedQuantization(
            name: name, supported: "compressed-tensors float-quantized 8 bits, fp8 e4m3, or none at all")
    }

    private static func parseCompressedTensors(_ reader: ConfigReader) throws(ModelConfigError) -> Granularity {
        try checkExtensions(reader)
        let format = try reader.string("format")
        var granularities: [Granularity] = []
        for (_, group) in try reader.object("config_groups")?.members ?? [] {
            guard let weights = try group.object("weights") else { continue }
            let type = try weights.string("type") ?? "int"
            let bits = try weights.integer("num_bits", default: 8, in: 1...64)
            let groupFormat = try group.string("format") ?? format ?? "unnamed"
            guard groupFormat == "float-quantized", type == "float", bits == 8 else {
                throw refusal("compressed-tensors \(groupFormat) \(type)\(bits)")
            }
            guard try weights.bool("symmetric", default: true) else { throw refusal("compressed-tensors asymmetric") }
            granularities.append(try parseStrategy(weights))
        }
        guard let first = granularities.first else { throw refusal("compressed-tensors without weights") }
        guard granularities.allSatisfy({ $0 == first }) else {
            throw refusal("compressed-tensors with several strategies")
        }
        return first
    }

    /// Sparse storage and rotations change the meaning of the stored numbers.
    private static func checkExtensions(_ reader: ConfigReader) throws(ModelConfigError) {
        if let sparsity = try reader.object("sparsity_config")?.string("format"), sparsity != "dense" {
            throw refusal("compressed-tensors \(sparsity)")
        }
        if let transform = try reader.object("transform_config"), !transform.members.isEmpty {
            throw refusal("compressed-tensors with transforms")
        }
    }

    private static func parseStrategy(_ weights: ConfigReader) throws(ModelConfigError) -> Granularity {
        switch try weights.string("strategy") {
        case nil, "tensor": return .tensor
        case "channel": return .channel
        case "block":
            guard let block = try parseBlock(weights, "block_structure") else {
                throw weights.invalid("block_structure", "two positive integers")
            }
            return block
        case let strategy?: throw refusal("compressed-tensors float-quantized strategy \(strategy)")
        }
    }

    private static func parseDeepSeek(_ reader: ConfigReader) throws(ModelConfigError) -> Granularity {
        if let format = try reader.string("fmt"), format != "e4m3" { throw refusal("fp8 \(format)") }
        return try parseBlock(reader, "weight_block_size") ?? .tensor
    }

    private static func parseBlock(_ reader: ConfigReader, _ key: String) throws(ModelConfigError) -> Granularity? {
        guard let sizes = try reader.array(key) else { return nil }
        let integers = sizes.compactMap(\.integer)
        guard sizes.count == 2, integers.count == 2, integers.allSatisfy((1...1 << 24).contains) else {
            throw reader.invalid(key, "two integers in 1...\(1 << 24)")
        }
        return .block(rows: integers[0], columns: integers[1])
    }
}
