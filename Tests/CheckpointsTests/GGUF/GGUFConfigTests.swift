import JSON
import TestSupport
import Testing

@testable import Checkpoints

struct GGUFConfigTests {
    static let models = [
        "gguf_bf16_pattern", "gguf_f16_tied", "gguf_iq4_xs", "gguf_legacy_mix", "gguf_mxfp4", "gguf_q4_0",
        "gguf_q4_k_m", "gguf_q8_0_split",
    ]

    @Test(arguments: models)
    func `the metadata means the configuration that the model was made from`(name: String) throws {
        let files = try ModelFiles(Fixtures.root.appending(path: "low-bit/model/\(name)"))
        let json = try #require(try Fixtures.json("low-bit/model/\(name)/goldens.json")["config"])
        var expected = try ModelConfig(parsing: json)
        // These files have no tokenizer, so they have no ids of tokens either.
        expected.endOfSequenceIDs = []
        expected.bosID = nil
        #expect(try files.modelConfig() == expected)
    }

    @Test(arguments: models)
    func `every tensor of a model is found, in its type`(name: String) throws {
        let files = try ModelFiles(Fixtures.root.appending(path: "low-bit/model/\(name)"))
        let config = try files.modelConfig()
        let checkpoint = try files.checkpoint(config)
        for tensor in config.expectedTensors { #expect(checkpoint.has(tensor.name)) }
        #expect(checkpoint.has("lm_head.weight") != config.tiesEmbeddings)
        let types = try #require(try Fixtures.json("low-bit/model/\(name)/goldens.json")["tensor_types"]?.object)
        let gguf = try #require(files.gguf)
        #expect(gguf.tensors.count == types.count)
        for (name, type) in types { #expect(gguf.tensors[name]?.type.name == type.string, "\(name)") }
    }

    /// A new value of a key.
    enum Change: Sendable {
        case absent
        case integer(Int)
        case number(Double)
        case bool(Bool)
        case text(StaticString)
        /// The list of tokens.
        case tokens

        var value: GGUFValue? {
            switch self {
            case .absent: nil
            case .integer(let value): .integer(value)
            case .number(let value): .number(value)
            case .bool(let value): .bool(value)
            case .text(let text): .string(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
            case .tokens: nil
            }
        }
    }

    private static func tokens() throws -> GGUFValue {
        let file = try GGUFFile(Fixtures.root.appending(path: "low-bit/tokenizers/trinity_like/vocab.gguf"))
        return try #require(file.metadata["tokenizer.ggml.tokens"])
    }

    /// The configuration of a small model, with changes of its metadata.
    private func config(_ changes: [String: Change]) throws -> ModelConfig {
        let files = try ModelFiles(Fixtures.root.appending(path: "low-bit/model/gguf_q4_0"))
        let gguf = try #require(files.gguf)
        var metadata = gguf.metadata
        for (key, change) in changes {
            metadata[key] = if case .tokens = change { try Self.tokens() } else { change.value }
        }
        return try GGUFConfig(metadata, hasHead: true).modelConfig()
    }

    @Test(
        arguments: [
            ("afmoe.block_count", .absent), ("afmoe.embedding_length", .integer(0)),
            ("afmoe.attention.layer_norm_rms_epsilon", .bool(true)), ("afmoe.expert_gating_func", .integer(3)),
            ("afmoe.attention.value_length", .integer(8)), ("afmoe.rope.dimension_count", .integer(8)),
            ("afmoe.attention.sliding_window_pattern", .integer(3)), ("afmoe.attention.sliding_window", .integer(-1)),
            ("afmoe.attention.key_length_swa", .integer(8)), ("afmoe.rope.dimension_count_swa", .integer(8)),
            ("afmoe.attention.causal", .bool(false)), ("afmoe.rope.scale_linear", .number(4)),
            ("afmoe.rope.scaling.attn_factor", .number(2)), ("afmoe.rope.scaling.yarn_ext_factor", .number(0.5)),
            ("afmoe.rope.scaling.yarn_log_multiplier", .number(0.1)), ("afmoe.rope.scaling.alpha", .integer(2)),
            ("afmoe.rope.scaling.factor", .number(0.5)), ("afmoe.rope.scaling.type", .text("longrope")),
            ("afmoe.expert_used_count", .integer(.max)), ("afmoe.mup_enabled", .bool(false)),
            ("afmoe.global_attn_every_n_layers", .integer(2)), ("afmoe.mlp_only_layers", .tokens),
            ("afmoe.rope.freq_base_swa", .number(0)), ("afmoe.vocab_size", .integer(0)),
        ] as [(String, Change)])
    func `a value that is missing or not supported is refused by its key`(key: String, value: Change) throws {
        let error = try #require(throws: ModelConfigError.self) { try config([key: value]) }
        #expect(error.description.contains("\(key) "))
    }

    @Test func `keys that would change the arithmetic are refused, and others reported`() throws {
        #expect(throws: ModelConfigError.self) { try config(["afmoe.attn_logit_softcapping": .number(30)]) }
        #expect(throws: ModelConfigError.self) { try config(["afmoe.logit_scale": .number(2)]) }
        #expect(try config(["afmoe.something_new": .integer(3)]).unknownKeys == ["afmoe.something_new"])
    }

    @Test func `an id beyond the vocabulary is refused by the key of the file`() throws {
        let files = try ModelFiles(Fixtures.root.appending(path: "low-bit/model/gguf_q4_0"))
        var generation = GenerationConfig()
        generation.endOfSequenceIDs = [1 << 30]
        let config = try files.modelConfig()
        let error = try #require(throws: ModelConfigError.self) { try files.checkIDs(generation, of: config) }
        #expect(error.description.hasPrefix("tokenizer.ggml.eos_token_id is 1073741824, expected ids below"))
    }

    @Test func `optional keys have the values of other programs`() throws {
        let config = try config([
            "afmoe.expert_weights_norm": .absent, "afmoe.expert_weights_scale": .absent,
            "afmoe.rope.freq_base": .absent,
            "afmoe.leading_dense_block_count": .absent, "afmoe.expert_gating_func": .integer(1),
            "afmoe.rope.freq_base_swa": .number(500), "afmoe.attention.key_length": .absent,
            "afmoe.attention.value_length": .absent, "afmoe.rope.dimension_count": .absent,
        ])
        #expect(!config.normalizesRoutes && config.routeScale == 1 && config.denseLayers == 0)
        #expect(config.scoreFunction == .softmax && config.rope.theta == 500 && config.scalesEmbeddings)
        #expect(config.headDimension == config.hiddenSize / config.attentionHeads)
    }

    @Test(arguments: [Change.absent, .integer(0)])
    func `without a window all layers attend to everything, and positions stay in the same layers`(
        window: Change
    ) throws {
        let usual = try self.config([:])
        let config = try self.config([
            "afmoe.attention.sliding_window": window, "afmoe.rope.freq_base": .number(700),
            "afmoe.rope.freq_base_swa": .number(500),
        ])
        #expect(config.slidingWindow == config.maxPositions && config.slidingWindow != usual.slidingWindow)
        // Layers with a window are those with positions.
        #expect(config.layerTypes == usual.layerTypes && config.layerTypes.contains(.full))
        #expect(config.rope.theta == 700)
    }

    @Test func `positions are scaled as the converter of llama.cpp writes it`() throws {
        #expect(try config(["afmoe.rope.scaling.factor": .number(4)]).rope.scaling == .linear(factor: 4))
        #expect(try config(["afmoe.rope.scaling.factor": .number(0)]).rope.scaling == .none)
        let changes: [String: Change] = [
            "afmoe.rope.scaling.type": .text("yarn"), "afmoe.rope.scaling.factor": .number(4),
            "afmoe.rope.scaling.original_context_length": .integer(64),
            "afmoe.rope.scaling.yarn_ext_factor": .number(1),
            "afmoe.rope.scaling.yarn_attn_factor": .number(1.5), "afmoe.rope.scaling.yarn_beta_fast": .number(16),
        ]
        guard case .yarn(let factor, let positions, let fast, _, _, let attention) = try config(changes).rope.scaling
        else {
            Issue.record("not yarn")
            return
        }
        #expect(factor == 4 && positions == 64 && fast == 16 && attention == 1.5)
        #expect(try config(changes).unknownKeys.isEmpty)
    }

    @Test func `sampling parameters and special tokens are the defaults of generation`() throws {
        let files = try ModelFiles(Fixtures.root.appending(path: "low-bit/tokenizers/trinity_like/vocab.gguf"))
        let gguf = try #require(files.gguf)
        var metadata = gguf.metadata
        metadata["general.sampling.temp"] = .number(0.5)
        metadata["general.sampling.top_k"] = .integer(50)
        metadata["general.sampling.penalty_repeat"] = .number(1.25)
        let generation = try GGUFConfig(metadata, hasHead: true).generationConfig()
        #expect(generation.sampling.temperature == 0.5 && generation.sampling.topK == 50)
        #expect(generation.sampling.repetitionPenalty == 1.25)
        // <|im_end|> is the end of sequence, and <|end_of_text|> is spelled like one.
        #expect(generation.endOfSequenceIDs == [3, 1] && generation.bosID == 0 && generation.padID == 12)
        metadata["general.sampling.temp"] = .number(9)
        let error = try #require(throws: ModelConfigError.self) {
            try GGUFConfig(metadata, hasHead: true).generationConfig()
        }
        #expect(error.description.contains("general.sampling.temp"))
    }
}
