import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Engine

/// The error of a model from rounding activations to bfloat16 in products, layer by layer.
@Suite(.enabled(if: KernelTable.hasFast, "this CPU does not multiply bfloat16"))
struct FastModeErrorTests {
    /// Relative errors of the residual stream after each layer, root of the sum of squares, over all rows of a prompt.
    private static func errors(_ name: String, tokens: [Int32], cacheType: KVDataType) throws -> [Double] {
        let model = try ModelCase(name)
        func outputs(_ kernels: KernelTable, _ type: KVDataType) throws -> [[Float]] {
            let driver = try SequenceDriver(
                config: model.config, weights: model.weights(pool: .single, kernels: kernels), pool: .single,
                kernels: kernels, dataType: type, maxTokens: tokens.count)
            var layers: [[Float]] = []
            driver.transformer.observe { probe, _, values in
                if probe == .layerOutput { layers.append(Array(values)) }
            }
            _ = driver.run([tokens], count: 1)
            return layers
        }
        let exact = try outputs(.best(.exact), .f32)
        let fast = try outputs(.best(.fast), cacheType)
        return zip(exact, fast).map { exact, fast in
            let (difference, size) = zip(exact, fast).reduce((0.0, 0.0)) { sums, pair in
                (sums.0 + pow(Double(pair.0 - pair.1), 2), sums.1 + pow(Double(pair.0), 2))
            }
            return (difference / size).squareRoot()
        }
    }

    /// Models in which rounding does not change the choice of any router, which would dominate the error.
    @Test(arguments: ["f3_fp8_ct_block", "f4_fp8_ds_block_ragged"], [KVDataType.bf16, .fp8])
    func `the error of a layer is small but not zero`(name: String, cacheType: KVDataType) throws {
        let prompt = try #require(ModelCase(name).prompts.first).promptIDs
        let errors = try Self.errors(name, tokens: prompt, cacheType: cacheType)
        #expect(!errors.isEmpty)
        #expect(errors.allSatisfy { $0 > 1e-4 && $0 < (cacheType == .fp8 ? 0.06 : 0.02) }, "\(errors)")
    }

    /// A router chooses, so its input must not be rounded.
    @Test func `routers read activations that are not rounded`() throws {
        let model = try ModelCase("e_bf16")
        let prompt = try #require(model.prompts.first).promptIDs
        let weights = try model.weights(pool: .single, kernels: .best(.fast))
        let driver = try SequenceDriver(
            config: model.config, weights: weights, pool: .single, kernels: .best(.fast), dataType: .bf16,
            maxTokens: prompt.count)
        var observed: [TransformerProbe: [Int: [Float]]] = [:]
        driver.transformer.observe { observed[$0, default: [:]][$1] = Array($2) }
        _ = driver.run([prompt], count: 1)

        let number = model.config.denseLayers
        let layer = weights.layers[number]
        guard case .experts(let experts) = layer.mlp else {
            Issue.record("a layer with experts")
            return
        }
        #expect(experts.router.format == .numbers(.bfloat16), "the router must read encoded rows")
        let input = try #require(number == 0 ? observed[.layerInput]?[0] : observed[.layerOutput]?[number - 1])
        let branch = try #require(observed[.attentionBranch]?[number])
        let logits = try #require(observed[.routerLogits]?[number])
        let (width, count) = (model.config.hiddenSize, model.config.experts)
        for row in 0..<logits.count / count {
            let range = row * width..<(row + 1) * width
            let added = normalized(branch[range], layer.postAttentionNorm, model.config)
            let residual: [Float] = zip(input[range], added).map { Float(Double($0) + $1) }
            let normed = normalized(residual, layer.preMLPNorm, model.config)
            var (largest, error) = (0.0, 0.0)
            for expert in 0..<count {
                var weights = [Float](repeating: 0, count: width)
                experts.router.unpack(row: expert, factor: 1, into: &weights, kernels: .best(.fast))
                var product = 0.0
                for (weight, value) in zip(weights, normed) { product += Double(weight) * value }
                largest = max(largest, abs(product))
                error = max(error, abs(Double(logits[row * count + expert]) - product))
            }
            #expect(error < 1e-4 * largest, "row \(row): \(error / largest)")
        }
    }

    private func normalized(_ row: some Collection<Float>, _ weight: Buffer<Float>, _ config: ModelConfig) -> [Double] {
        let squares = row.reduce(0) { $0 + Double($1) * Double($1) }
        let factor = 1 / (squares / Double(row.count) + Double(config.normEpsilon)).squareRoot()
        return zip(row, weight.contents).map { Double($0) * factor * Double($1) }
    }
}
