import Checkpoints
import TestSupport
import Testing

@testable import Engine
@testable import ModelTools

struct MemoryTrafficTests {
    /// One token uses as many experts as it is routed to, so the result does not depend on chance.
    @Test(arguments: ["a_base", "e_bf16", "f4_fp8_ds_block_ragged"])
    func `the traffic of a step is that of the plan`(name: String) throws {
        let model = try ModelCase(name)
        let driver = try SequenceDriver(
            config: model.config, weights: model.weights(pool: .single, kernels: .best(.exact)), pool: .single,
            kernels: .best(.exact), maxTokens: 40)
        _ = driver.run([[5]], count: 1)
        let stored: Double = name.hasPrefix("a") ? 4 : 2
        let cost = StepCost(
            config: model.config, linearSize: name.hasPrefix("f") ? 1 : stored, lmHeadSize: stored,
            sensitiveSize: stored, cacheType: .f32)
        let predicted = cost.decodeBytes(sequences: 1, context: 1)
        let counted = Double(driver.transformer.traffic.bytes)
        // The plan does not include the scales of one (4 bytes per row) and the padding that these narrow matrices have.
        #expect((1..<1.1).contains(counted / predicted), "\(counted) of \(predicted)")
        let moeLayers = model.config.layers - model.config.denseLayers
        #expect(driver.transformer.traffic.expertsTouched == moeLayers * model.config.expertsPerToken)
    }
}
