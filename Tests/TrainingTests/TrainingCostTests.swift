import Checkpoints
import JSON
import Testing

@testable import Training

@Suite struct TrainingCostTests {
    /// 6 layers of hidden size 256 with 8 experts of 64, and a vocabulary of 3072.
    private static func config() throws -> ModelConfig {
        try ModelConfig(parsing: [
            "vocab_size": 3072, "hidden_size": 256, "intermediate_size": 512, "moe_intermediate_size": 64,
            "num_hidden_layers": 6, "num_dense_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 64, "num_experts": 8, "num_experts_per_tok": 2, "num_shared_experts": 1, "sliding_window": 128,
            "global_attn_every_n_layers": 4,
        ])
    }

    @Test func `operations are those of the products, counted by hand`() throws {
        let cost = TrainingCost(try Self.config(), precision: .exact)
        #expect(cost.parameters == 5_768_192)
        let attention: Double = 6 * 256 * 1024
        let dense: Double = 3 * 256 * 512
        let sparse: Double = 3 * 256 * 64 * 3 + 256 * 8
        let head: Double = 3072 * 256
        let products: Double = 6 * (attention + dense + 5 * sparse + head)
        // A row of 200: 5 layers see at most 128 keys, on average 87.36; one sees all, on average 100.5.
        let windowed: Double = (128 * 129 / 2 + 72 * 128) / 200
        let keys: Double = 5 * windowed + 100.5
        let expected: Double = products + 14 * 256 * keys
        #expect(abs(cost.operationsPerToken(length: 200) / expected - 1) < 1e-12)
        #expect((14e9...18e9).contains(cost.optimizerOperations))
    }

    @Test func `frozen tensors take no optimizer state`() throws {
        let config = try Self.config()
        let all = TrainingCost(config, precision: .exact)
        let frozen = TrainingCost(
            config, frozen: ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight"], precision: .exact)
        #expect(all.trained == all.parameters)
        #expect(all.trained - frozen.trained == 3072 * 256 + 512 * 256)
        #expect(all.optimizerBytes - frozen.optimizerBytes == 4 * (2 * 3072 * 256 + 512 * 256))
        #expect(all.gradientBytes - frozen.gradientBytes == 4 * (3072 * 256 + 512 * 256))
        #expect(frozen.weightBytes == all.weightBytes && all.stateBytes == 2 * all.weightBytes + all.optimizerBytes)
        // Two forms of two bytes.
        let rounded = TrainingCost(config, precision: .bf16)
        #expect(rounded.stateBytes == all.stateBytes + all.weightBytes)
        #expect(rounded.activationBytes(tokens: 1024) < all.activationBytes(tokens: 1024))
    }

    @Test func `frozen tensors take fewer operations, and frozen layers at the beginning a third`() throws {
        let config = try Self.config()
        func operations(_ frozen: Set<String>) -> Double {
            TrainingCost(config, frozen: frozen, precision: .exact).operationsPerToken(length: 200)
        }
        let all = operations([])
        // Its gradient is not computed; those of the inputs are.
        let difference = all - operations(["model.layers.0.mlp.up_proj.weight"])
        #expect(abs(difference / (2 * 256 * 512) - 1) < 1e-9)
        let layers = ParameterLayout(config).parameters.map(\.name)
        let head = Set(layers.filter { $0 != "lm_head.weight" })
        // Forward the layers and attention, and all of the head.
        let products = (all - 6 * 3072 * 256) / 3
        let keys: Double = 5 * (128 * 129 / 2 + 72 * 128) / 200 + 100.5
        #expect(abs(operations(head) / (products - (14.0 / 3 - 4) * 256 * keys + 6 * 3072 * 256) - 1) < 1e-9)
    }

    @Test func `a plan has readable lines`() throws {
        let lines = TrainingEstimate.lines(
            TrainingCost(try Self.config(), precision: .bf16), length: 8192, tokens: 10_000_000, batch: 8192, rate: 1e11
        )
        let text = lines.joined(separator: "\n")
        for part in [
            "activations of a row of 1024", "activations of a row of 4096", "activations of a row of 8192", "time",
            "at 100 GFLOP/s", "of them trained", "rounded weights, bfloat16",
        ] {
            #expect(text.contains(part), "\(part)")
        }
    }
}
