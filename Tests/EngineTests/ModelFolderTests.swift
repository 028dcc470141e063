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

    private func url(_ path: String) -> URL { URL(fileURLWithPath: path).standardizedFileURL }

    @Test func `a repository name gets an error with the download command`() {
        let message = refusal(url("arcee-ai/Trinity-Mini"))
        #expect(message?.contains("hf download arcee-ai/Trinity-Mini --local-dir Trinity-Mini") == true)
        for path in ["/arcee-ai/Trinity-Mini", "Trinity-Mini", "a/b/c", "../x/y", "a b/c"] {
            #expect(refusal(url(path))?.contains("hf download") == false, "\(path)")
        }
    }

    @Test(arguments: [
        ("model.GGUF", "a GGUF file"), ("model.safetensors", "give its folder"), ("model.bin", "is a file"),
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
        try model.write(Array("{}".utf8), to: name)
        #expect(refusal(model.directory) == nil)
    }
}
