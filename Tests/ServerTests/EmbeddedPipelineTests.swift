import Engine
import Foundation
import JSON
import TestSupport
import Testing

@testable import Server

/// The tokenizer and the chat template of a model that is a GGUF file.
struct EmbeddedPipelineTests {
    private let folder: URL
    private let model: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        model = folder.appending(path: "model.gguf")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: Fixtures.root.appending(path: "low-bit/tokenizers/trinity_like/vocab.gguf"), to: model)
    }

    private func removeFolder() { try? FileManager.default.removeItem(at: folder) }

    private func render(_ text: TextPipeline) throws -> String {
        let context: JSONObject = [
            "messages": [["role": "user", "content": "Hi"]], "add_generation_prompt": true,
            "bos_token": text.specialTokens["bos_token"] ?? .null,
        ]
        return try #require(text.template).render(context, now: Date(timeIntervalSince1970: 0))
    }

    @Test(arguments: ["model.gguf", "."])
    func `one file is enough to chat`(path: String) throws {
        defer { removeFolder() }
        let text = try #require(try TextPipeline(model: folder.appending(path: path).standardizedFileURL))
        let prompt = try render(text)
        #expect(prompt == "<|begin_of_text|><|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
        let ids = text.tokenizer.encode(prompt, addSpecialTokens: false)
        #expect(ids.first == 0 && ids.contains(2) && ids.contains(3))
        #expect(text.tokenizer.decode(ids, skipSpecialTokens: false) == prompt)
        #expect(text.warnings.isEmpty)
    }

    @Test func `a tokenizer that was asked for, or is beside the file, replaces one that is not supported`() throws {
        defer { removeFolder() }
        var bytes = try Data(contentsOf: model)
        // The value of the key: its kind and its length are between them.
        let key = try #require(bytes.range(of: Data("tokenizer.ggml.pre".utf8)))
        let value = try #require(bytes.range(of: Data("afmoe".utf8), in: key.upperBound..<key.upperBound + 17))
        bytes.replaceSubrange(value, with: Data("other".utf8))
        try bytes.write(to: model)
        let error = try #require(throws: TextPipelineError.self) { try TextPipeline(model: model) }
        #expect(error.description.contains("other"))
        let source = try #require(try EmbeddedText.chatTemplate(of: model))
        let given = try #require(try TextPipeline(model: model, tokenizer: Fixtures.chatModel))
        let own = try #require(try TextPipeline(directory: Fixtures.chatModel))
        #expect(given.tokenizer.vocabularySize == own.tokenizer.vocabularySize)
        try FileManager.default.copyItem(
            at: Fixtures.chatModel.appending(path: "tokenizer.json"), to: folder.appending(path: "tokenizer.json"))
        let beside = try #require(try TextPipeline(model: model))
        #expect(beside.tokenizer.vocabularySize == own.tokenizer.vocabularySize && beside.templateSource == source)
    }

    @Test func `text files beside the model win, and a folder that was asked for over them`() throws {
        defer { removeFolder() }
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.copyItem(
                at: Fixtures.chatModel.appending(path: name), to: folder.appending(path: name))
        }
        let beside = try #require(try TextPipeline(model: model))
        let other = try #require(try TextPipeline(directory: Fixtures.chatModel))
        #expect(beside.tokenizer.vocabularySize == other.tokenizer.vocabularySize)
        try Data("{}".utf8).write(to: folder.appending(path: "tokenizer.json"))
        let given = try #require(try TextPipeline(model: model, tokenizer: Fixtures.chatModel))
        #expect(given.tokenizer.vocabularySize == other.tokenizer.vocabularySize)
        #expect(given.templateSource == other.templateSource)
        let error = try #require(throws: TextPipelineError.self) {
            try TextPipeline(model: model, tokenizer: Fixtures.root)
        }
        #expect(error.description.contains("no tokenizer.json in it"))
    }
}
