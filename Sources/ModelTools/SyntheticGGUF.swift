import Checkpoints

/// The metadata, tokenizer and tensors of a synthetic GGUF file.
struct SyntheticGGUF {
    let metadata: [(key: String, value: GGUFWriter.Value)]
    let entries: [GGUFWriter.Entry]

    /// - Throws: `ToolError.argument` for a model that GGUF metadata cannot describe.
    init(_ config: ModelConfig, _ mix: GGUFMix) throws(ToolError) {
        let isUsual = config.layerTypes.enumerated().allSatisfy { ($0 + 1).isMultiple(of: 4) == ($1 == .full) }
        guard isUsual, config.scalesEmbeddings, config.rope.scaling == .none else {
            throw .argument(
                """
                GGUF describes only models with scaled embeddings, a window in all layers but every fourth, and no scaling of \
                positions
                """)
        }
        metadata =
            [
                ("general.architecture", .string("afmoe")), ("general.type", .string("model")),
                ("general.name", .string("random weights")), ("general.file_type", .uint32(mix.fileType)),
                ("general.quantization_version", .uint32(2)),
            ] + Self.shape(config).map { ("afmoe.\($0)", $1) } + SyntheticTokenizer.metadata(config)
        let names = GGUFNames(config)
        var entries: [GGUFWriter.Entry] = []
        var known: Set<String> = []
        for tensor in config.expectedTensors {
            // The experts of a layer share one tensor.
            guard let (name, shape) = names.tensor(of: tensor), known.insert(name).inserted else { continue }
            entries.append(
                GGUFWriter.Entry(name: name, type: mix.type(of: name, shape: shape, in: config), shape: shape))
        }
        self.entries = entries
    }

    /// Returns the content of a tensor; norms are ones.
    func content(of entry: GGUFWriter.Entry) -> SyntheticContent {
        if entry.shape.count > 1 { return .gguf(entry.type) }
        return entry.name.hasSuffix("exp_probs_b.bias") ? .float32(isSmall: true) : .constant(1 as Float)
    }

    private static func shape(_ config: ModelConfig) -> [(String, GGUFWriter.Value)] {
        [
            ("block_count", .uint32(config.layers)), ("context_length", .uint32(config.maxPositions)),
            ("embedding_length", .uint32(config.hiddenSize)),
            ("feed_forward_length", .uint32(config.intermediateSize)),
            ("attention.head_count", .uint32(config.attentionHeads)),
            ("attention.head_count_kv", .uint32(config.keyValueHeads)),
            ("attention.key_length", .uint32(config.headDimension)),
            ("attention.value_length", .uint32(config.headDimension)),
            ("attention.layer_norm_rms_epsilon", .float32(config.normEpsilon)),
            ("attention.sliding_window", .uint32(config.slidingWindow)),
            ("rope.dimension_count", .uint32(config.headDimension)),
            ("rope.freq_base", .float32(Float(config.rope.theta))),
            ("leading_dense_block_count", .uint32(config.denseLayers)),
            ("expert_count", .uint32(config.experts)), ("expert_used_count", .uint32(config.expertsPerToken)),
            ("expert_shared_count", .uint32(config.sharedExperts)),
            ("expert_feed_forward_length", .uint32(config.expertIntermediateSize)),
            ("expert_group_count", .uint32(config.expertGroups)),
            ("expert_group_used_count", .uint32(config.topGroups)),
            ("expert_weights_norm", .bool(config.normalizesRoutes)),
            ("expert_weights_scale", .float32(config.routeScale)),
            ("expert_gating_func", .uint32(config.scoreFunction == .softmax ? 1 : 2)),
            ("vocab_size", .uint32(config.vocabularySize)),
        ]
    }
}
