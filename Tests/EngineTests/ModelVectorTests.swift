import TestSupport
import Testing

@testable import Checkpoints
@testable import Engine

/// The model compared with the reference's tensors, and with itself for every way of running the same prompts.
struct ModelVectorTests {
    private static let cases = [
        "a_base", "b1_nomup_tied_shared2", "b2_no_route_norm", "b3_groups", "c_odd_sharded", "c2_layer_types", "d_long",
        "e_bf16", "f1_fp8_ct_channel", "f2_fp8_ct_tensor", "f3_fp8_ct_block", "f4_fp8_ds_block_ragged", "g_yarn",
    ]
    /// Models in GGUF and in quantized formats of safetensors.
    private static let quantized = [
        "gguf_bf16_pattern", "gguf_f16_tied", "gguf_iq4_xs", "gguf_legacy_mix", "gguf_mxfp4", "gguf_q4_0",
        "gguf_q4_k_m", "gguf_q8_0_split", "f5_w4a16", "ct_w4a16_g32", "ct_w4a16_g128", "ct_w4a16_channel",
        "ct_w4a16_asym_g32", "ct_w8a16_g32", "ct_w8a16_asym", "ct_int8", "ct_nvfp4", "ct_mxfp4", "modelopt_nvfp4",
        "modelopt_mixed", "awq_g32", "gptq_g32",
    ]
    /// Relative to the largest value of a tensor; correct float32 code reaches 1e-5, activations as pairs of bfloat16 3.7e-5.
    private static func tolerance(_ kernels: KernelTable) -> Float {
        kernels.family.encodesActivations ? 5e-5 : 3e-5
    }

    @Test(arguments: cases + quantized, KernelTable.exact)
    func `logits and greedy ids equal the reference's`(name: String, kernels: KernelTable) throws {
        let model = try ModelCase(name)
        let driver = try makeDriver(model, pool: .single, kernels: kernels)
        for prompt in model.prompts {
            let output = try #require(driver.run([prompt.promptIDs], count: prompt.greedyIDs.count).first)
            #expect(output.ids == prompt.greedyIDs, "\(prompt.name)")
            let promptLogits = try #require(model.golden("\(prompt.name).prompt_logits"))
            expectClose(
                output.logits.prefix(prompt.promptIDs.count).flatMap(\.self), promptLogits, prompt.name, kernels)
            let decodeLogits = try #require(model.golden("\(prompt.name).decode_logits"))
            expectClose(
                output.logits.dropFirst(prompt.promptIDs.count - 1).flatMap(\.self), decodeLogits, prompt.name, kernels)
        }
    }

    @Test(arguments: cases, KernelTable.exact)
    func `every layer equals the reference's`(name: String, kernels: KernelTable) throws {
        let model = try ModelCase(name)
        let driver = try makeDriver(model, pool: .shared, kernels: kernels)
        var seen: [String: [Float]] = [:]
        driver.transformer.observe { probe, layer, values in
            seen[probe == .finalHidden ? "prompt_final_hidden" : "\(Self.names[probe] ?? "").\(layer)"] = Array(values)
        }
        var compared = 0
        for prompt in model.prompts {
            seen = [:]
            _ = driver.run([prompt.promptIDs], count: 1)
            for (tensor, values) in seen where !tensor.hasPrefix("router") {
                guard let golden = model.golden("\(prompt.name).\(tensor)") else { continue }
                expectClose(values, golden, "\(prompt.name).\(tensor)", kernels)
                compared += 1
            }
            for layer in 0..<model.config.layers {
                guard let ids = seen["router_ids.\(layer)"], let weights = seen["router_weights.\(layer)"],
                    let goldenIDs = model.golden("\(prompt.name).router_ids.\(layer)"),
                    let goldenWeights = model.golden("\(prompt.name).router_weights.\(layer)")
                else { continue }
                // The reference lists experts by score, we by id.
                expectClose(
                    scatter(ids, weights, model.config), scatter(goldenIDs, goldenWeights, model.config),
                    "\(prompt.name).router.\(layer)", kernels)
                compared += 1
            }
        }
        // One case has only the tensors of its last layer.
        #expect(compared >= (name == "d_long" ? 4 : model.config.layers * 3 + 1))
    }

    @Test(
        .enabled(if: KernelTable.hasFast, "this CPU does not multiply bfloat16"),
        arguments: ["e_bf16", "f1_fp8_ct_channel", "f3_fp8_ct_block", "f4_fp8_ds_block_ragged"])
    func `activations in bfloat16 stay close to the reference`(name: String) throws {
        let kernels = KernelTable.best(.fast)
        let model = try ModelCase(name)
        let driver = try makeDriver(model, pool: .shared, kernels: kernels)
        for prompt in model.prompts {
            let output = try #require(driver.run([prompt.promptIDs], count: 1).first)
            let golden = try #require(model.golden("\(prompt.name).prompt_logits"))
            // Not for every row: if two experts are nearly equal, rounding may choose the other one.
            let errors = output.logits.prefix(prompt.promptIDs.count).enumerated().map { row, logits in
                let want = golden[row * logits.count..<(row + 1) * logits.count]
                let scale = want.reduce(0) { $0 + $1 * $1 }
                return (zip(logits, want).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / scale).squareRoot()
            }
            #expect(errors.sorted()[errors.count / 2] < 2e-2, "\(prompt.name)")
        }
    }

    /// The codes of a block have 3 bits of fraction, which rounds a weight by 2.6 % in the mean square.
    @Test(arguments: ["f1_fp8_ct_channel", "f3_fp8_ct_block", "f4_fp8_ds_block_ragged"], KernelTable.exact)
    func `a head that is quantized while loading stays close to the stored one`(name: String, kernels: KernelTable)
        throws
    {
        let model = try ModelCase(name)
        let weights = try model.weights(pool: .shared, kernels: kernels, quantizing: .float8)
        #expect(weights.vocabulary?.lmHead.format == .numbers(.float8))
        #expect(weights.vocabulary.map { $0.embedding.format != .numbers(.float8) } == true)
        let driver = try SequenceDriver(
            config: model.config, weights: weights, pool: .shared, kernels: kernels,
            maxTokens: model.prompts.reduce(0) { $0 + $1.promptIDs.count })
        for prompt in model.prompts {
            let output = try #require(driver.run([prompt.promptIDs], count: 1).first)
            let golden = try #require(model.golden("\(prompt.name).prompt_logits"))
            let logits = output.logits.prefix(prompt.promptIDs.count).flatMap(\.self)
            let scale = golden.reduce(0) { $0 + $1 * $1 }
            let error = (zip(logits, golden).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / scale).squareRoot()
            #expect((0.001...0.04).contains(error), "\(prompt.name)")
        }
    }

    @Test(arguments: quantized)
    func `a quantized matrix takes the memory that is planned from the header`(name: String) throws {
        let (config, checkpoint) = try ModelCase(name).checkpoint()
        let memory = WeightMemory()
        var planned = 0
        for tensor in config.expectedTensors where tensor.role != .vector && checkpoint.has(tensor.name) {
            let weight = checkpoint.linear(String(tensor.name.dropLast(".weight".count)))
            guard case .quantized(let reader) = weight.format else { continue }
            let matrix = PackedMatrix(weight, memory: memory, nodes: NodePlan(threads: 1))
            #expect(matrix.bytes == (reader as? any QuantizedMatrix)?.packedBytes)
            planned += matrix.bytes
        }
        #expect((planned > 0) == checkpoint.hasQuantizedMatrices)
        #expect(planned <= checkpoint.packedBytes)
    }

    @Test(arguments: cases + quantized, KernelTable.chosen)
    func `a prompt's results do not depend on chunks, batch or threads`(name: String, kernels: KernelTable) throws {
        let model = try ModelCase(name)
        try expectInvariant(model, kernels: kernels, dataType: .f32, chunks: [1, 7, 64])
    }

    @Test(arguments: ["a_base", "b1_nomup_tied_shared2", "d_long", "f4_fp8_ds_block_ragged"], KernelTable.available)
    func `nor with a cache of fewer bits`(name: String, kernels: KernelTable) throws {
        let model = try ModelCase(name)
        for type in [KVDataType.bf16, .fp8] {
            try expectInvariant(model, kernels: kernels, dataType: type, chunks: [1, 7])
        }
    }

    /// For comparison: close to the reference for every format, but not bit for bit.
    @Test(arguments: ["a_base", "c_odd_sharded", "e_bf16", "f4_fp8_ds_block_ragged"])
    func `products by OpenBLAS are close to the reference`(name: String) throws {
        let model = try ModelCase(name)
        for pool in [WorkerPool.single, .shared] {
            let blas = try makeDriver(model, pool: pool, kernels: .blas())
            let own = try makeDriver(model, pool: pool, kernels: .portable)
            for prompt in model.prompts {
                let (got, want) = (blas.run([prompt.promptIDs], count: 1)[0], own.run([prompt.promptIDs], count: 1)[0])
                expectClose(got.logits.flatMap { $0 }, want.logits.flatMap { $0 }, name, .portable)
            }
        }
    }

    /// Runs all prompts alone and as a whole, and then in every other way, and compares all logits bit for bit.
    private func expectInvariant(
        _ model: ModelCase, kernels: KernelTable, dataType: KVDataType, chunks: [Int]
    ) throws {
        let prompts = model.prompts.map(\.promptIDs)
        let count = 48
        let alone = try makeDriver(model, pool: .single, kernels: kernels, dataType: dataType)
        let expected = prompts.flatMap { alone.run([$0], count: count) }
        for pool in [WorkerPool.single, .shared] {
            let driver = try makeDriver(model, pool: pool, kernels: kernels, dataType: dataType)
            for chunk in chunks {
                let outputs = prompts.flatMap { driver.run([$0], chunk: chunk, count: count) }
                #expect(outputs == expected, "alone, chunks of \(chunk), \(pool.threads) threads")
            }
            for chunk in [Int.max, 7] {
                let outputs = driver.run(prompts, chunk: chunk, count: count)
                #expect(outputs == expected, "together, chunks of \(chunk), \(pool.threads) threads")
            }
        }
    }

    private static let names: [TransformerProbe: String] = [
        .layerInput: "layer_in", .layerOutput: "layer_out", .attentionBranch: "attn_branch", .mlpBranch: "mlp_branch",
        .routerLogits: "router_logits", .routerIDs: "router_ids", .routerWeights: "router_weights",
    ]

    private func makeDriver(
        _ model: ModelCase, pool: WorkerPool, kernels: KernelTable, dataType: KVDataType = .f32
    ) throws -> SequenceDriver {
        try SequenceDriver(
            config: model.config, weights: model.weights(pool: pool, kernels: kernels), pool: pool, kernels: kernels,
            dataType: dataType,
            maxTokens: model.prompts.reduce(0) { $0 + $1.promptIDs.count })
    }

    /// One weight for each expert of each row, 0 for those not chosen.
    private func scatter(_ ids: [Float], _ weights: [Float], _ config: ModelConfig) -> [Float] {
        var result = [Float](repeating: 0, count: ids.count / config.expertsPerToken * config.experts)
        for (index, (id, weight)) in zip(ids, weights).enumerated() {
            result[index / config.expertsPerToken * config.experts + Int(id)] = weight
        }
        return result
    }

    private func expectClose(_ got: [Float], _ want: [Float], _ what: String, _ kernels: KernelTable) {
        #expect(got.count == want.count, "\(what)")
        let scale = want.reduce(0) { max($0, abs($1)) }
        let error = zip(got, want).reduce(0) { max($0, abs($1.0 - $1.1)) } / scale
        let isNumber = got.allSatisfy { !$0.isNaN }
        #expect(isNumber && error <= Self.tolerance(kernels), "\(what): \(error)")
    }
}
