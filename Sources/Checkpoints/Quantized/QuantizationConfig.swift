import Foundation
import JSON

/// The quantization of a checkpoint's weights, from `quantization_config` in `config.json` or from `hf_quant_config.json`.
///
/// The tensors of each module show whether it is quantized, and in which format; this configuration has what they do not show.
/// Quantized activations are a run-time option that this server does not use: only weights are quantized.
public struct QuantizationConfig: Sendable, Equatable {
    /// The part of an FP8 weight that shares one scale.
    public enum Granularity: Sendable, Equatable {
        case tensor
        /// One scale per row, that is, per output channel.
        case channel
        case block(rows: Int, columns: Int)
    }

    /// The granularities of FP8 (E4M3) weights; empty if there are none. The shape of a matrix's scales shows which one it has.
    public private(set) var granularities: [Granularity] = []
    /// The numbers of columns of integers that share a scale; a number larger than the row means one group per row.
    var groupWidths: [Int] = []
    /// Whether the model was made for activations in 8-bit integers, as with W8A8.
    public private(set) var hasIntegerActivations = false
    /// The order of words in AWQ or GPTQ; `nil` for other methods.
    var order: TransposedIntegers.Order?

    /// - Parameter granularity: the granularity of FP8 weights; there are no other quantized weights.
    public init(granularity: Granularity) {
        granularities = [granularity]
    }

    /// Reads a whole `config.json`; `nil` if its weights are not quantized.
    ///
    /// - Throws: `ModelConfigError.unsupportedQuantization` with the format's name.
    public init?(parsing json: JSONValue) throws(ModelConfigError) {
        guard let reader = try ConfigReader(json, file: "config.json").object("quantization_config") else { return nil }
        switch try reader.string("quant_method") {
        case "compressed-tensors": try parseCompressedTensors(reader)
        case "fp8": granularities = [try Self.parseDeepSeek(reader)]
        case "modelopt": try parseModelOpt(reader)
        case "awq": try parseAWQ(reader)
        case "gptq": try parseGPTQ(reader)
        case let method: throw Self.refusal(method ?? "unnamed")
        }
    }

    /// Reads `config.json` in the model folder `directory`, or `hf_quant_config.json` if the former has no quantization; `nil` if
    /// the weights are not quantized.
    public init?(directory: URL) throws(ModelConfigError) {
        if let json = try ConfigReader.load("config.json", in: directory), let config = try Self(parsing: json) {
            self = config
            return
        }
        let name = "hf_quant_config.json"
        guard let json = try ConfigReader.load(name, in: directory),
            let reader = try ConfigReader(json, file: name).object("quantization")
        else { return nil }
        try parseModelOpt(reader)
    }

    static func refusal(_ name: String) -> ModelConfigError {
        .unsupportedQuantization(
            name: name,
            supported: """
                compressed-tensors float-quantized 8 bits, int-quantized 8 bits, pack-quantized 4 and 8 bits, \
                nvfp4-pack-quantized, mxfp4-pack-quantized; fp8 e4m3; modelopt NVFP4, FP8 and both mixed; awq gemm 4 bits; \
                gptq 4 bits; or none at all
                """)
    }

    private mutating func parseCompressedTensors(_ reader: ConfigReader) throws(ModelConfigError) {
        try Self.checkExtensions(reader)
        let format = try reader.string("format")
        // Only the KV cache may be quantized, which this server decides itself.
        var isEmpty = try reader.object("kv_cache_scheme") == nil
        for (name, group) in try reader.object("config_groups")?.members ?? [] {
            // A group without members is a list of targets with the name of a preset.
            guard !group.members.isEmpty else { throw Self.refusal("compressed-tensors group \(name.prefix(80))") }
            guard let weights = try group.object("weights") else { continue }
            isEmpty = false
            let type = try weights.string("type") ?? "int"
            let bits = try weights.integer("num_bits", default: 8, in: 1...64)
            let groupFormat = try group.string("format") ?? format ?? "unnamed"
            let isSymmetric = try weights.bool("symmetric", default: true)
            if let activations = try group.object("input_activations"), try activations.string("type") ?? "int" == "int"
            {
                hasIntegerActivations = true
            }
            switch (groupFormat, type, bits) {
            // The second name is used if activations are not quantized.
            case ("float-quantized", "float", 8), ("naive-quantized", "float", 8):
                guard isSymmetric else { throw Self.refusal("compressed-tensors asymmetric") }
                granularities.append(try Self.parseStrategy(weights))
            case ("pack-quantized", "int", 4), ("pack-quantized", "int", 8), ("int-quantized", "int", 8),
                ("naive-quantized", "int", 8):
                if let width = try Self.parseGroups(weights, groupFormat) { groupWidths.append(width) }
            case ("nvfp4-pack-quantized", "float", 4), ("mxfp4-pack-quantized", "float", 4): break
            default: throw Self.refusal("compressed-tensors \(groupFormat) \(type)\(bits)")
            }
        }
        guard !isEmpty else { throw Self.refusal("compressed-tensors without weights") }
        let blocks = granularities.filter { if case .block = $0 { true } else { false } }
        guard blocks.allSatisfy({ $0 == blocks[0] }) else {
            throw Self.refusal("compressed-tensors with several block structures")
        }
    }

    /// Returns the width of the groups of integers; `nil` if each row is one group, or the whole matrix.
    private static func parseGroups(_ weights: ConfigReader, _ format: String) throws(ModelConfigError) -> Int? {
        // Without a strategy, a group size means groups; -1 means a whole row.
        let hasGroups = weights.value("group_size").map { $0.integer != -1 }
        switch (try weights.string("strategy"), hasGroups) {
        case ("channel"?, _), (nil, false?): return nil
        case ("tensor"?, _) where format != "pack-quantized", (nil, nil) where format != "pack-quantized": return nil
        case ("group"?, _), (nil, true?): return try weights.integer("group_size", default: 0, in: 1...1 << 24)
        case (let strategy, _): throw refusal("compressed-tensors \(format) strategy \(strategy ?? "tensor")")
        }
    }

    /// Rejects sparse storage and rotations, which change the meaning of the stored numbers.
    private static func checkExtensions(_ reader: ConfigReader) throws(ModelConfigError) {
        if let sparsity = try reader.object("sparsity_config")?.string("format"), sparsity != "dense" {
            throw refusal("compressed-tensors \(sparsity)")
        }
        let transforms = try reader.object("transform_config")?.object("config_groups")?.members ?? []
        guard transforms.isEmpty else { throw refusal("compressed-tensors with transforms") }
    }

    private mutating func parseModelOpt(_ reader: ConfigReader) throws(ModelConfigError) {
        let algorithm = try reader.string("quant_algo")
        // Only the KV cache is quantized, which this server decides itself.
        if algorithm == nil, try reader.string("kv_cache_quant_algo") != nil { return }
        guard algorithm == "MIXED_PRECISION" else {
            try parseModelOpt(reader, algorithm, layer: nil)
            return
        }
        let layers = try reader.object("quantized_layers")?.members ?? []
        guard !layers.isEmpty else { throw Self.refusal("modelopt MIXED_PRECISION without quantized_layers") }
        for (name, layer) in layers { try parseModelOpt(layer, layer.string("quant_algo"), layer: name) }
    }

    /// - Parameter layer: the layer that has the algorithm, for the error; `nil` for all layers.
    private mutating func parseModelOpt(
        _ reader: ConfigReader, _ algorithm: String?, layer: String?
    ) throws(ModelConfigError) {
        let place = layer.map { " of \($0.prefix(80))" } ?? ""
        var granularity: Granularity?
        switch algorithm {
        // They differ in the activations only.
        case "NVFP4", "W4A16_NVFP4":
            let width = try reader.integer("group_size", default: 16, in: 1...1 << 24)
            guard width == 16 else { throw Self.refusal("modelopt NVFP4 with groups of \(width)\(place)") }
        case "FP8": granularity = .tensor
        case "FP8_PER_CHANNEL_PER_TOKEN": granularity = .channel
        default: throw Self.refusal("modelopt \(algorithm ?? "unnamed")\(place)")
        }
        if let granularity, !granularities.contains(granularity) { granularities.append(granularity) }
    }

    private mutating func parseAWQ(_ reader: ConfigReader) throws(ModelConfigError) {
        let version = try reader.string("version")?.lowercased() ?? "gemm"
        guard version == "gemm" else { throw Self.refusal("awq \(version)") }
        try parseIntegers(reader, "awq")
        order = .outputs
    }

    private mutating func parseGPTQ(_ reader: ConfigReader) throws(ModelConfigError) {
        try parseIntegers(reader, "gptq")
        switch try reader.string("checkpoint_format") {
        case nil, "gptq": order = .inputs(zeroOffset: 1)
        case "gptq_v2": order = .inputs(zeroOffset: 0)
        case let format?: throw Self.refusal("gptq \(format)")
        }
    }

    private mutating func parseIntegers(_ reader: ConfigReader, _ method: String) throws(ModelConfigError) {
        // Older AWQ files use `w_bit` and `q_group_size`.
        let bits = try reader.integer(reader.value("bits") == nil ? "w_bit" : "bits", default: 0, in: 0...64)
        guard bits == 4 else { throw Self.refusal("\(method) with\(bits == 0 ? "out" : " \(bits)") bits") }
        // -1 means one group per row.
        let width = try reader.integer(
            reader.value("group_size") == nil ? "q_group_size" : "group_size", default: -1, in: -1...1 << 24)
        if width > 0 { groupWidths.append(width) }
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
