import Foundation
import ModelTools
import TestSupport
import Testing
import Tokenizers

@testable import Engine

struct SyntheticModelTests {
    @Test(arguments: CheckpointSynthesizer.Format.allCases)
    func `a synthetic checkpoint loads, generates and has a tokenizer`(format: CheckpointSynthesizer.Format)
        async throws
    {
        let temporary = try TemporaryModel()
        let folder = temporary.directory.appending(path: "out")
        try CheckpointSynthesizer(shape: ModelShape("tiny"), format: format, seed: 1).write(to: folder)
        let embedded = try EmbeddedText(model: folder)?.tokenizer(guarding: [])
        let tokenizer = try embedded ?? Tokenizer(contentsOf: folder.appending(path: "tokenizer.json"))
        let prompt = tokenizer.encode("héllo\n", addSpecialTokens: true)
        #expect(prompt.count == 8)
        let harness = EngineHarness(folder, tokenizer: tokenizer)
        let model = try await harness.ready()
        // In GGUF every control token that ends a text is one of them.
        #expect(model.endOfSequenceIDs.first == 3)
        let (outcomes, _) = await harness.run([
            .test(1, prompt, maxTokens: 6, logprobs: 1, ignoresEndOfSequence: true)
        ])
        let outcome = try #require(outcomes.first)
        #expect(outcome.ids.count == 6)
        #expect(outcome.logprobs.allSatisfy { $0?.logprob.isFinite == true })
        await harness.stop()
        withExtendedLifetime(temporary) {}
    }
}
