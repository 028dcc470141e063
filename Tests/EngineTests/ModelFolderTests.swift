import Foundation
import TestSupport
import Testing

@testable import Engine

@Suite struct ModelFolderTests {
    private func refusal(_ url: URL) -> String? {
        do throws(EngineError) {
            try ModelFolder.check(url)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `a folder that does not exist is named`() {
        #expect(refusal(URL(fileURLWithPath: "/nowhere/model")) == "there is no folder /nowhere/model")
    }

    @Test(arguments: [
        ("model.safetensors", "give its folder"), ("model.bin", "is a file"),
    ])
    func `a file gets an error that asks for its folder`(name: String, words: String) throws {
        let model = try TemporaryModel()
        try model.write([1], to: name)
        #expect(refusal(model.directory.appending(path: name))?.contains(words) == true)
        #expect(refusal(model.directory) == nil)
    }

    @Test(arguments: ["tokenizer.json", "model-00001-of-00002.safetensors", "notes"])
    func `a Git LFS pointer is named, for any kind of file`(name: String) throws {
        let model = try TemporaryModel()
        try model.write(
            Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 123\n".utf8), to: name)
        #expect(refusal(model.directory)?.contains("/\(name) is a pointer of Git LFS") == true)
        try model.write(try [UInt8](Data(contentsOf: model.directory.appending(path: name))), to: "model.gguf")
        #expect(refusal(model.directory.appending(path: "model.gguf"))?.contains("pointer of Git LFS") == true)
        for file in [name, "model.gguf"] { try model.write(Array("{}".utf8), to: file) }
        #expect(refusal(model.directory) == nil)
        #expect(refusal(model.directory.appending(path: "model.gguf")) == nil)
    }
}
