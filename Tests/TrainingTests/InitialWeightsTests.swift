import Engine
import Foundation
import Testing

@testable import Training

@Suite struct InitialWeightsTests {
    @Test func `numbers are normal, at most three, and depend on the seed and the name`() {
        let weights = InitialWeights(seed: 4)
        let key = weights.key(of: "model.embed_tokens.weight")
        #expect(key != weights.key(of: "lm_head.weight"))
        #expect(key != InitialWeights(seed: 5).key(of: "model.embed_tokens.weight"))
        let count = 200_000
        var (sum, squares, inner, largest) = (0.0, 0.0, 0, 0.0)
        for index in 0..<count {
            let value = InitialWeights.normal(key: key, index: index)
            sum += value
            squares += value * value
            inner += abs(value) < 1 ? 1 : 0
            largest = max(largest, abs(value))
        }
        let (mean, variance) = (sum / Double(count), squares / Double(count))
        // Four standard errors around the moments of the normal distribution cut at 3.
        #expect(largest <= 3 && largest > 2.9)
        #expect(abs(mean) < 4 * 0.98658 / Double(count).squareRoot())
        #expect(
            abs(variance - 0.973337) < 4 * (2.680043 - 0.973337 * 0.973337).squareRoot() / Double(count).squareRoot())
        #expect(abs(Double(inner) / Double(count) - 0.684537) < 4 * 0.465 / Double(count).squareRoot())
    }

    @Test func `a new model has the same bytes for any number of threads`() throws {
        let folder = TrainingFixture.root.appending(path: "model_untied")
        let models = try [1, 3].map { threads in
            let model = try TrainingModel(checkpoint: folder, pool: .init(threads: threads, spinning: .zero))
            InitialWeights(seed: 9).fill(model)
            return model
        }
        #expect(models[0].weights.memory.array == models[1].weights.memory.array)
        #expect(models[0].biases.joined().allSatisfy { $0 == 0 })
        let layout = models[0].layout
        let gain = layout.parameter("model.layers.2.post_mlp_layernorm.weight")
        #expect(models[0].weights.pointer(gain)[3] == 0.5)
        #expect(models[0].weights.pointer(layout.parameter("model.layers.2.self_attn.q_norm.weight"))[3] == 1)
        let matrix = models[0].weights.matrix(layout.parameter("model.layers.0.mlp.up_proj.weight"))
        let limit = Float(3 * 0.5 / 32.0.squareRoot())
        #expect((0..<48 * 32).allSatisfy { abs(matrix.base[$0]) <= limit && matrix.base[$0] != 0 })
    }
}
