import Foundation
import JSON

extension ModelConfig {
    /// Reads the `config.json` of an AFMoE model, in the old style (`rope_theta`, `rope_scaling`) or in the style of Transformers
    /// 5 (`rope_parameters`). An absent key takes the default of Transformers' `AfmoeConfig`.
    /// (`rope_parameters`); an absent key takes the default of Transformers' `AfmoeConfig`.
    ///
    /// - Throws: `ModelConfigError` for a value outside its bound, another architecture, or an unsupported setting.
    public init(parsing json: JSONValue) throws(ModelConfigError) {
        let reader = try ConfigReader(json, file: "config.json")
        try Self.checkArchitecture(reader)

        let layerTypes = try Self.parseLayerTypes(reader)
        let attentionHeads = try reader.integer("num_attention_heads", default: 16, in: 1...Bound.heads)
        let keyValueHeads = try reader.integer("num_key_value_heads", default: attentionHeads, in: 1...attentionHeads)
        guard attentionHeads.isMultiple(of: keyValueHeads) else {
            throw reader.invalid("num_key_value_heads", "a divisor of num_attention_heads (\(attentionHeads))")
        }
        let headDimension = try reader.integer("head_dim", default: 128, in: 2...Bound.headDimension)
        guard headDimension.isMultiple(of: 2) else { throw reader.invalid("head_dim", "an even number") }

        let experts = try reader.integer("num_experts", default: 64, in: 1...Bound.experts)
        let expertsPerToken = try reader.integer("num_experts_per_tok", default: min(6, experts), in: 1...experts)
        let groups = try Self.parseGroups(reader, experts: experts, expertsPerToken: expertsPerToken)
        let maxPositions = try reader.integer("max_position_embeddings", default: 16384, in: 1...Bound.positions)

        self.init(
            vocabularySize: try reader.integer("vocab_size", default: 200_192, in: 1...Bound.width),
            hiddenSize: try reader.integer("hidden_size", default: 2048, in: 1...Bound.width),
            intermediateSize: try reader.integer("intermediate_size", default: 6144, in: 1...Bound.width),
            expertIntermediateSize: try reader.integer("moe_intermediate_size", default: 1408, in: 1...Bound.width),
            layerTypes: layerTypes,
            denseLayers: try reader.integer("num_dense_layers", default: 1, in: 0...layerTypes.count),
            attentionHeads: attentionHeads,
            keyValueHeads: keyValueHeads,
            headDimension: headDimension,
            experts: experts,
            expertsPerToken: expertsPerToken,
            sharedExperts: try reader.integer("num_shared_experts", default: 2, in: 0...Bound.experts),
            scoreFunction: try Self.parseScoreFunction(reader),
            normalizesRoutes: try reader.bool("route_norm", default: true),
            routeScale: Float(
                try reader.number("route_scale", default: 1, "a number above 0 and up to 1e6") { $0 > 0 && $0 <= 1e6 }),
            expertGroups: groups.count,
            topGroups: groups.top,
            slidingWindow: try reader.integer("sliding_window", default: 1024, in: 1...Bound.positions),
            maxPositions: maxPositions,
            rope: try RoPEConfig(reader, maxPositions: maxPositions),
            normEpsilon: Float(
                try reader.number("rms_norm_eps", default: 1e-5, "a number from 1e-30 to 1") {
                    $0 >= 1e-30 && $0 <= 1
                }),
            scalesEmbeddings: try reader.bool("mup_enabled", default: false),
            tiesEmbeddings: try reader.bool("tie_word_embeddings", default: false),
            endOfSequenceIDs: try reader.tokenIDs("eos_token_id") ?? [],
            bosID: try reader.tokenID("bos_token_id"))
        try checkTotals()
        unknownKeys = try ConfigKeys.check(reader, of: self) + RoPEConfig.checkKeys(reader)
    }

    /// Checks the totals. Each size is within its bound, but together they could still require excessive memory before the
    /// weights are read.
    private func checkTotals() throws(ModelConfigError) {
        let tensors = tensorCount
        guard tensors <= Bound.tensors else {
            throw .invalid(
                key: "num_hidden_layers", value: "\(layers) with num_experts \(experts): \(tensors) tensors",
                expected: "at most \(Bound.tensors) tensors")
        }
        // Computed in floating point, which does not overflow.
        let (hidden, expert) = (Double(hiddenSize), Double(expertIntermediateSize))
        let heads = Double((attentionHeads + keyValueHeads) * headDimension)
        let sparse = Double(layers - denseLayers) * 3 * hidden * expert * Double(experts + sharedExperts)
        let dense = Double(denseLayers) * 3 * hidden * Double(intermediateSize)
        let parameters = 2 * Double(vocabularySize) * hidden + Double(layers) * 3 * heads * hidden + sparse + dense
        guard parameters <= Double(Bound.parameters) else {
            throw .invalid(
                key: "hidden_size", value: "\(hiddenSize) with the other sizes: some \(parameters) parameters",
                expected: "at most \(Bound.parameters) parameters")
        }
    }

    /// Reads `config.json` in the model folder `directory`.
    public init(directory: URL) throws(ModelConfigError) {
        guard let json = try ConfigReader.load("config.json", in: directory) else {
            throw .unreadable(file: directory.appending(path: "config.json").path, reason: "no such file")
        }
        try self.init(parsing: json)
    }

    /// Upper bounds, far above any real model, which ensure that no product of sizes overflows and that the list of tensors stays
    /// small (262,144 tensors take about 40 MB; the largest released model has 42,000 tensors and 4e11 parameters).
    private enum Bound {
        static let tensors = 1 << 18
        static let parameters = 1 << 43
        static let width = 1 << 24
        static let heads = 1 << 14
        static let headDimension = 1 << 14
        static let layers = 1 << 10
        static let experts = 1 << 10
        static let positions = 1 << 30
    }

    private static func checkArchitecture(_ reader: ConfigReader) throws(ModelConfigError) {
        if let architectures = try reader.array("architectures"), !architectures.contains("AfmoeForCausalLM") {
            throw reader.unsupported("architectures", supported: "AfmoeForCausalLM")
        }
        if let type = try reader.string("model_type"), type != "afmoe" {
            throw reader.unsupported("model_type", supported: "afmoe")
        }
        if let activation = try reader.string("hidden_act"), activation != "silu" {
            throw reader.unsupported("hidden_act", supported: "silu")
        }
        if try reader.bool("attention_bias", default: false) {
            throw reader.unsupported("attention_bias", supported: "false")
        }
    }

    private static func parseLayerTypes(_ reader: ConfigReader) throws(ModelConfigError) -> [LayerType] {
        guard let types = try reader.array("layer_types") else {
            let layers = try reader.integer("num_hidden_layers", default: 32, in: 1...Bound.layers)
            let period = try reader.integer("global_attn_every_n_layers", default: 4, in: 1...Int(Int32.max))
            return (1...layers).map { $0.isMultiple(of: period) ? .full : .sliding }
        }
        let layers = try reader.integer("num_hidden_layers", default: types.count, in: 1...Bound.layers)
        guard types.count == layers else {
            throw reader.invalid(
                "layer_types", "num_hidden_layers (\(layers)) entries", value: "a list of \(types.count)")
        }
        var result: [LayerType] = []
        for (index, type) in types.enumerated() {
            switch type.string {
            case "sliding_attention": result.append(.sliding)
            case "full_attention": result.append(.full)
            default:
                throw .invalid(
                    key: "layer_types[\(index)]", value: String(decoding: type.serialized, as: UTF8.self),
                    expected: "\"sliding_attention\" or \"full_attention\"")
            }
        }
        return result
    }

    private static func parseScoreFunction(_ reader: ConfigReader) throws(ModelConfigError) -> ScoreFunction {
        switch try reader.string("score_func") {
        case nil, "sigmoid": return .sigmoid
        case "softmax": return .softmax
        default: throw reader.unsupported("score_func", supported: "sigmoid, softmax")
        }
    }

    private static func parseGroups(
        _ reader: ConfigReader, experts: Int, expertsPerToken: Int
    ) throws(ModelConfigError) -> (count: Int, top: Int) {
        let count = try reader.integer("n_group", default: 1, in: 1...experts)
        // A group's score is the sum of its two best experts.
        guard experts.isMultiple(of: count), count == 1 || experts / count >= 2 else {
            throw reader.invalid("n_group", "a divisor of num_experts (\(experts)) with at least two experts a group")
        }
        let top = try reader.integer("topk_group", default: 1, in: 1...count)
        guard expertsPerToken <= top * (experts / count) else {
            throw reader.invalid(
                "topk_group",
                "enough groups of \(experts / count) experts for num_experts_per_tok (\(expertsPerToken))")
        }
        return (count, top)
    }
}
