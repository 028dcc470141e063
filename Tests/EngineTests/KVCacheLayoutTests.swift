import Checkpoints
import Testing

@testable import Engine

struct KVCacheLayoutTests {
    private func config(layers: Int, globalEvery: Int) throws -> ModelConfig {
        try ModelConfig(
            parsing: [
                "model_type": "afmoe", "architectures": ["AfmoeForCausalLM"], "num_hidden_layers": .integer(layers),
                "global_attn_every_n_layers": .integer(globalEvery), "num_attention_heads": 8, "num_key_value_heads": 2,
                "head_dim": 128, "hidden_size": 1024, "sliding_window": 2048,
            ])
    }

    @Test
    func `56 layers, one in four global, share blocks of 14 layers`() throws {
        let layout = try KVCacheLayout(config: config(layers: 56, globalEvery: 4), dataType: .bf16)
        #expect(layout.layersPerPart == 14)
        let geometry = layout.geometry(totalBlocks: 7)
        #expect(geometry.globalBlocksPerLogicalBlock == 1 && geometry.slidingBlocksPerLogicalBlock == 3)
        #expect(geometry.blockSize == 16 && geometry.slidingWindow == 2048 && geometry.totalBlocks == 7)
        // Layers, tokens, keys and values, heads, channels, bytes.
        #expect(layout.bytesPerBlock == 14 * 16 * 2 * 2 * 128 * 2)
        let wide = try KVCacheLayout(config: config(layers: 56, globalEvery: 4), dataType: .f32)
        #expect(wide.bytesPerBlock == 2 * layout.bytesPerBlock)
    }

    @Test(arguments: [(56, 4), (5, 2), (7, 3), (1, 1), (3, 1), (3, 9)] as [(Int, Int)])
    func `each layer has a separate place in the blocks of its group's logical block`(
        layers: Int, globalEvery: Int
    ) throws {
        let config = try config(layers: layers, globalEvery: globalEvery)
        let layout = KVCacheLayout(config: config, dataType: .f32)
        for (type, blocks) in [
            (ModelConfig.LayerType.full, layout.globalBlocksPerLogicalBlock),
            (.sliding, layout.slidingBlocksPerLogicalBlock),
        ] {
            let places = zip(config.layerTypes, layout.places).filter { $0.0 == type }.map(\.1)
            let numbers = places.map { $0.part * layout.layersPerPart + $0.index }
            #expect(numbers == Array(0..<blocks * layout.layersPerPart))
            #expect(places.allSatisfy { $0.part < blocks && $0.index < layout.layersPerPart })
        }
    }
}
