import Foundation
import JSON
import TestSupport
import Testing

@testable import Engine
@testable import ModelTools

@Suite struct ModelEvaluationTests {
    private var options: EngineOptions {
        var options = EngineOptions(modelDirectory: Fixtures.chatModel)
        options.threads = 2
        options.pinsThreads = false
        // Several steps in a window, and several parts of rows in a step.
        options.maxBatchedTokens = 40
        options.maxSequences = 16
        return options
    }

    private func tokens(_ count: Int) -> [Int32] { (0..<count).map { Int32(10 + $0 * 37 % 200) } }

    @Test func `a model does not diverge from itself, not by a bit`() throws {
        let report = try ModelEvaluation(options: options, reference: options, context: 100).run(tokens: tokens(250))
        #expect(report.windows == 3 && report.tokens == 99 + 99 + 49)
        #expect(report.meanDivergence == 0 && report.agreement == 1)
        #expect(report.perplexity == report.referencePerplexity && report.perplexity > 1)
    }

    @Test func `a quantized model diverges a little, and more tokens agree than not`() throws {
        var quantized = options
        quantized.quantization = .fp8
        let report = try ModelEvaluation(options: quantized, reference: options, context: 64).run(tokens: tokens(64))
        #expect(report.meanDivergence > 0 && report.meanDivergence < 0.1)
        #expect(report.agreement > 0.8 && report.perplexity != report.referencePerplexity)
        let json = try JSONValue(parsing: Array(report.json.utf8))
        #expect(json["tokens"] == 63 && json["windows"] == 1 && json["context"] == 64)
        #expect(json["mean_kl_divergence"]?.double == report.meanDivergence)
        #expect(json["perplexity"]?.double == report.perplexity)
    }

    @Test func `windows do not depend on the steps in which they are computed`() throws {
        var wide = options
        wide.maxBatchedTokens = 512
        wide.maxSequences = 64
        let narrow = try ModelEvaluation(options: options, reference: options, context: 100).run(tokens: tokens(150))
        let other = try ModelEvaluation(options: wide, reference: wide, context: 100).run(tokens: tokens(150))
        #expect(narrow.perplexity == other.perplexity)
        let first = try ModelEvaluation(options: wide, reference: wide, context: 100)
            .run(tokens: tokens(150), windows: 1)
        #expect(first.windows == 1 && first.tokens == 99)
    }

    @Test func `a score is the divergence by its definition`() throws {
        let (own, other): ([Float], [Float]) = ([0, 1, 2], [2, 1, 0])
        let score = try #require(
            own.withUnsafeBufferPointer { own in
                other.withUnsafeBufferPointer { TokenScore(target: 2, logits: own, reference: $0) }
            })
        let sum = exp(0.0) + exp(1.0) + exp(2.0)
        let (rising, falling) = ([0, 1, 2].map { exp($0) / sum }, [2, 1, 0].map { exp($0) / sum })
        let divergence = zip(falling, rising).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
        #expect(abs(score.divergence - divergence) < 1e-12 && !score.agrees)
        #expect(abs(score.loss + log(rising[2])) < 1e-12 && abs(score.referenceLoss + log(falling[2])) < 1e-12)
        for bad: Float in [.nan, .infinity, -.infinity] {
            let broken = [0, bad, 0]
            broken.withUnsafeBufferPointer { broken in
                own.withUnsafeBufferPointer { own in
                    #expect(TokenScore(target: 0, logits: broken, reference: own) == nil)
                }
            }
        }
    }

    @Test(arguments: ["", "{}", "[1, -1]", "[1.5]", "[\"a\"]", "[5000000000]"])
    func `a file without token ids is refused`(text: String) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let evaluation = ModelEvaluation(options: options, reference: options, context: 100)
        #expect(throws: ToolError.self) { try evaluation.tokens(ofIDs: file.path) }
        try Data("[1, 2]".utf8).write(to: file)
        #expect(try evaluation.tokens(ofIDs: file.path) == [1, 2])
    }

    @Test func `windows beyond the positions of a model are reported`() throws {
        let source = Fixtures.root.appending(path: "model/e_bf16")
        let model = try TemporaryModel()
        for name in ["config.json", "model.safetensors"] {
            try model.write([UInt8](Data(contentsOf: source.appending(path: name))), to: name)
        }
        var json = try #require(
            try JSONValue(parsing: [UInt8](Data(contentsOf: source.appending(path: "config.json")))).object)
        json["max_position_embeddings"] = 16
        try model.write(JSONValue.object(json).serialized, to: "config.json")
        var other = options
        other.modelDirectory = model.directory
        for (context, isReported) in [(16, false), (17, true), (100, true)] {
            let report = try ModelEvaluation(options: other, reference: other, context: context).run(tokens: tokens(20))
            #expect((report.warning?.contains("max_position_embeddings (16)") == true) == isReported)
        }
    }

    @Test func `a file that cannot be read is not said to have no token ids`() throws {
        let evaluation = ModelEvaluation(options: options, reference: options, context: 100)
        let error = try #require(throws: ToolError.self) { try evaluation.tokens(ofIDs: "/nowhere/ids.json") }
        #expect(error.description == "/nowhere/ids.json: No such file or directory")
    }

    @Test func `a model whose tokenizer encodes the text differently is refused`() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data("some plain text".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        func evaluation(_ folder: URL) -> ModelEvaluation {
            var other = options
            other.modelDirectory = folder
            return ModelEvaluation(options: other, reference: options, context: 100)
        }
        let ids = try evaluation(Fixtures.chatModel).tokens(ofText: file.path)
        let error = try #require(throws: ToolError.self) {
            try evaluation(Fixtures.root.appending(path: "text/tokenizers/qwen_like")).tokens(ofText: file.path)
        }
        #expect(error.description.contains("encode \(file.path) differently"))
        // A copy of the tokenizer, and a model without one.
        let copy = try TemporaryModel()
        #expect(try evaluation(copy.directory).tokens(ofText: file.path) == ids)
        let tokenizer = try Data(contentsOf: Fixtures.chatModel.appending(path: "tokenizer.json"))
        try copy.write([UInt8](tokenizer), to: "tokenizer.json")
        #expect(try evaluation(copy.directory).tokens(ofText: file.path) == ids)
    }

    @Test func `tokens must be in the vocabulary, and two at least`() throws {
        let evaluation = ModelEvaluation(options: options, reference: options, context: 100)
        #expect(throws: ToolError.self) { try evaluation.run(tokens: [1]) }
        #expect(throws: ToolError.self) { try evaluation.run(tokens: [1, 1 << 30]) }
    }
}
