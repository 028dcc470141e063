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

    @Test func `the name of a repository is told how to download it`() {
        let message = refusal(url("arcee-ai/Trinity-Mini"))
        #expect(message?.contains("hf download arcee-ai/Trinity-Mini --local-dir Trinity-Mini") == true)
        for path in ["/arcee-ai/Trinity-Mini", "Trinity-Mini", "a/b/c", "../x/y", "a b/c"] {
            #expect(refusal(url(path))?.contains("hf download") == false, "\(path)")
        }
    }

    @Test(arguments: [
        ("model.GGUF", "a GGUF file"), ("model.safetensors", "give its folder"), ("model.bin", "is a file"),
    ])
    func `a file is told from a folder`(name: String, words: String) throws {
        let model = try TemporaryModel()
        try model.write([1], to: name)
        #expect(refusal(model.directory.appending(path: name))?.contains(words) == true)
        #expect(refusal(model.directory) == nil)
    }

    @Test(arguments: ["tokenizer.json", "model-00001-of-00002.safetensors", "notes"])
    func `a pointer of Git LFS is named, whichever file it stands for`(name: String) throws {
        let model = try TemporaryModel()
        try model.write(
            Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 123\n".utf8), to: name)
        #expect(refusal(model.directory)?.contains("/\(name) is a pointer of Git LFS") == true)
        try model.write(Array("{}".utf8), to: name)
        #expect(refusal(model.directory) == nil)
    }
}
