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
}
