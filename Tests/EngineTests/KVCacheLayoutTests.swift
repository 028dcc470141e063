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
            #expect(numbers.sorted() == Array(0..<blocks * layout.layersPerPart))
            #expect(places.allSatisfy { $0.part < blocks && $0.index < layout.layersPerPart })
        }
    }

    @Test(arguments: [(56, 4), (56, 1), (5, 2), (7, 3), (24, 4)] as [(Int, Int)])
    func `stages have blocks of the same numbers, and as few bytes as their layers need`(
        layers: Int, globalEvery: Int
    ) throws {
        let config = try config(layers: layers, globalEvery: globalEvery)
        let whole = KVCacheLayout(config: config, dataType: .bf16)
        for start in 0..<layers {
            for end in start + 1...layers {
                let stage = Stage(rank: 0, ranks: 1, layers: start..<end)
                let layout = KVCacheLayout(config: config, dataType: .bf16, stage: stage)
                #expect(layout.geometry(totalBlocks: 9) == whole.geometry(totalBlocks: 9))
                let places = stage.layers.map { layer in
                    (config.layerTypes[layer], layout.place(ofLayer: layer), whole.place(ofLayer: layer))
                }
                // A layer reads its blocks in the tables of the whole model.
                #expect(places.allSatisfy { $0.1.part == $0.2.part && $0.1.index < layout.layersPerPart })
                #expect(Set(places.map { "\($0.0) \($0.1)" }).count == places.count)
                // Parts of a group differ by one layer at most.
                let needed = [ModelConfig.LayerType.full, .sliding].map { type in
                    let (count, parts) = (places.count { $0.0 == type }, layout.blocksPerLogicalBlock(type))
                    return count == 0 ? 0 : (count + parts - 1) / parts
                }
                #expect(layout.layersPerPart == needed.max())
            }
        }
        // Borders at multiples of the pattern's period waste nothing.
        if layers % 8 == 0, globalEvery == 4 {
            let half = KVCacheLayout(
                config: config, dataType: .bf16, stage: Stage(rank: 1, ranks: 2, layers: layers / 2..<layers))
            #expect(2 * half.bytesPerBlock == whole.bytesPerBlock)
        }
    }
}
