import TestSupport
import Testing

@testable import Checkpoints
@testable import Engine

/// A trained model: FP8 in blocks of 128, prompts longer than its window.
struct ChatModelTests {
    @Test(arguments: KernelTable.exact)
    func `the chat model generates the reference tokens`(kernels: KernelTable) throws {
        let config = try ModelConfig(directory: Fixtures.chatModel)
        let checkpoint = try Checkpoint(
            directory: Fixtures.chatModel, config: config,
            quantization: QuantizationConfig(directory: Fixtures.chatModel))
        let weights = try ModelWeights(checkpoint: checkpoint, config: config, pool: .shared, kernels: kernels)
        let driver = try SequenceDriver(
            config: config, weights: weights, pool: .shared, kernels: kernels, maxTokens: config.maxPositions)
        let cases = try #require(Fixtures.json("model/trinity-tiny-goldens.json")["cases"]?.array)
        #expect(!cases.isEmpty)
        for golden in cases {
            let prompt = (golden["prompt_ids"]?.array ?? []).compactMap { $0.integer.map(Int32.init) }
            let want = (golden["until_eos_ids"]?.array ?? []).compactMap { $0.integer.map(Int32.init) }
            let output = try #require(driver.run([prompt], chunk: 50, count: want.count).first)
            #expect(output.ids == want, "\(golden["name"]?.string ?? "")")
        }
    }
}
