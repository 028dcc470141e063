import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// Files of a model, and tensors inside of them.
struct GGUFFileTests {
    private let models = Fixtures.root.appending(path: "low-bit/model")

    private func withFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    @Test func `a file of a set that is missing is named`() throws {
        try withFolder { folder in
            for number in [1, 3] {
                let name = "model-0000\(number)-of-00003.gguf"
                try FileManager.default.copyItem(
                    at: models.appending(path: "gguf_q8_0_split/\(name)"), to: folder.appending(path: name))
            }
            let error = try #require(throws: CheckpointError.self) { try ModelFiles(folder) }
            #expect(error.description.contains("model-00002-of-00003.gguf"))
            #expect(error.description.contains("missing"))
            let later = try #require(throws: CheckpointError.self) {
                try ModelFiles(folder.appending(path: "model-00003-of-00003.gguf"))
            }
            #expect(later.description.contains("give the first one"))
            // A file in the place of another one.
            try FileManager.default.copyItem(
                at: folder.appending(path: "model-00003-of-00003.gguf"),
                to: folder.appending(path: "model-00002-of-00003.gguf"))
            let wrong = try #require(throws: CheckpointError.self) { try ModelFiles(folder) }
            #expect(wrong.description.contains("split.no is not 1"))
        }
    }

    @Test func `a tensor without bytes has a place in the file`() throws {
        // One tensor of no elements; its data would begin at byte 64.
        var file: [UInt8] = Array("GGUF".utf8) + [3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 8)
        file += [1, 0, 0, 0, 0, 0, 0, 0] + Array("t".utf8) + [1, 0, 0, 0] + [UInt8](repeating: 0, count: 20)
        try withFolder { folder in
            let url = folder.appending(path: "model.gguf")
            try Data(file).write(to: url)
            let error = try #require(throws: CheckpointError.self) { try GGUFFile(url) }
            #expect(error.description.contains("tensor t: a tensor beyond the file"))
            try Data(file + [UInt8](repeating: 0, count: 64 - file.count)).write(to: url)
            #expect(try GGUFFile(url).tensors["t"]?.bytes.isEmpty == true)
        }
    }

    /// A file of which only the header is written, with one pair of metadata: its key, then `value`.
    private func sparseFile(_ key: String, _ value: [UInt8], in folder: URL) throws -> URL {
        var header = Array("GGUF".utf8) + bytes(UInt32(3))
        header += bytes(UInt64(0)) + bytes(UInt64(1))
        header += bytes(UInt64(key.utf8.count)) + Array(key.utf8)
        let url = folder.appending(path: "model.gguf")
        try Data(header + value).write(to: url)
        try #require(truncate(url.path, 1 << 39) == 0)
        return url
    }

    private func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    @Test(.timeLimit(.minutes(5))) func `a header of a sparse file is bounded in size and time`() throws {
        let string = bytes(GGUFValueKind.string.rawValue) + bytes(UInt64(1) << 38)
        let array =
            bytes(GGUFValueKind.array.rawValue) + bytes(GGUFValueKind.string.rawValue) + bytes(UInt64(1) << 34)
        for (value, reason) in [(string, "a string beyond"), (array, "counts beyond")] {
            try withFolder { folder in
                let url = try sparseFile("tokenizer.chat_template", value, in: folder)
                let error = try #require(throws: CheckpointError.self) { try GGUFFile(url) }
                #expect(error.description.contains("tokenizer.chat_template: \(reason)"))
                #expect(error.description.contains("the limit of 256 MiB of a header"))
            }
        }
    }

    @Test func `the tensors of all files of a set are bounded`() throws {
        try withFolder { folder in
            for number in 0..<2 {
                let file = folder.appending(path: "m-0000\(number + 1)-of-00002.gguf")
                var writer = try GGUFWriter(
                    file, metadata: [("split.no", .uint32(number)), ("split.count", .uint32(2))],
                    entries: (0..<33_000).map { .init(name: "\(number).\($0)", type: .float32, shape: [0]) })
                try writer.finish()
            }
            let error = try #require(throws: CheckpointError.self) {
                try GGUFFile(folder.appending(path: "m-00001-of-00002.gguf"))
            }
            #expect(error.description.contains("m-00002-of-00002.gguf: the headers up to this file have"))
            #expect(error.description.contains("66000 tensors"))
        }
    }

    @Test func `a file of a set with the tensor of an earlier one is refused`() throws {
        try withFolder { folder in
            let url = folder.appending(path: "m-00001-of-00002.gguf")
            for number in 0..<2 {
                let file = folder.appending(path: "m-0000\(number + 1)-of-00002.gguf")
                var writer = try GGUFWriter(
                    file, metadata: [("split.no", .uint32(number)), ("split.count", .uint32(2))],
                    entries: [.init(name: "t", type: .float32, shape: [1])])
                try withUnsafeBytes(of: Float(1)) { try writer.append($0) }
                try writer.finish()
            }
            let error = try #require(throws: CheckpointError.self) { try GGUFFile(url) }
            #expect(error.description.contains("m-00002-of-00002.gguf: tensor t: an earlier file has it too"))
        }
    }

    @Test func `prompts begin as in other programs, and the template must be text`() throws {
        for (kind, addsBOS) in [("llama3_like", true), ("trinity_like", false)] {
            let url = Fixtures.root.appending(path: "low-bit/tokenizers/\(kind)/vocab.gguf")
            let file = try GGUFFile(url)
            var metadata = file.metadata
            metadata["tokenizer.ggml.add_bos_token"] = nil
            #expect(try GGUFVocabulary(metadata, path: "m.gguf")?.addsBOS == addsBOS, "\(kind)")
            let large = [UInt8](repeating: 0x20, count: 1 << 20 + 1)
            try large.withUnsafeBytes { bytes in
                metadata["tokenizer.chat_template"] = .string(bytes)
                let error = try #require(throws: CheckpointError.self) { try GGUFVocabulary(metadata, path: "m.gguf") }
                #expect(error.description.contains("has 1048577 bytes, more than the limit of 1048576"))
            }
            metadata["tokenizer.chat_template"] = .integer(1)
            let error = try #require(throws: CheckpointError.self) { try GGUFVocabulary(metadata, path: "m.gguf") }
            #expect(error.description.contains("tokenizer.chat_template"))
            withExtendedLifetime(file) {}
        }
    }

    @Test func `a folder with several models needs the name of one`() throws {
        try withFolder { folder in
            for name in ["a.gguf", "b.gguf"] {
                try FileManager.default.copyItem(
                    at: models.appending(path: "gguf_q4_0/model.gguf"), to: folder.appending(path: name))
            }
            let error = try #require(throws: CheckpointError.self) { try ModelFiles(folder) }
            #expect(error.description.contains("a.gguf, b.gguf"))
            #expect(try ModelFiles(folder.appending(path: "b.gguf")).gguf != nil)
        }
    }

    @Test func `the ending of a file may be in capitals`() throws {
        #expect(GGUFFile.isLaterFile("m-00002-of-00002.GGUF") && !GGUFFile.isLaterFile("m-00001-of-00002.GGUF"))
        try withFolder { folder in
            try FileManager.default.copyItem(
                at: models.appending(path: "gguf_q4_0/model.gguf"), to: folder.appending(path: "M.GGUF"))
            #expect(try ModelFiles(folder).gguf?.url.lastPathComponent == "M.GGUF")
        }
    }

    @Test func `parts of fused tensors are the matrices of separate ones`() throws {
        let file = try #require(try ModelFiles(models.appending(path: "gguf_q8_0_split")).gguf)
        let config = try GGUFConfig(file).modelConfig()
        try withFolder { folder in
            var tensors = file.tensors
            for layer in 0..<config.layers {
                let names = ["attn_q", "attn_k", "attn_v"].map { "blk.\(layer).\($0).weight" }
                let parts = names.compactMap { tensors.removeValue(forKey: $0) }
                try #require(parts.count == 3)
                let bytes = parts.flatMap { [UInt8]($0.bytes) }
                let shape = [parts.reduce(0) { $0 + $1.shape[0] }, config.hiddenSize]
                tensors["blk.\(layer).attn_qkv.weight"] = try tensor(bytes, shape, like: parts[0], in: folder)
                let experts = ["ffn_gate_exps", "ffn_up_exps"].map { "blk.\(layer).\($0).weight" }
                guard layer >= config.denseLayers else { continue }
                let pair = experts.compactMap { tensors.removeValue(forKey: $0) }
                try #require(pair.count == 2)
                let size = pair[0].bytes.count / config.experts
                var interleaved: [UInt8] = []
                for expert in 0..<config.experts {
                    for part in pair { interleaved += part.bytes[expert * size..<(expert + 1) * size] }
                }
                tensors["blk.\(layer).ffn_gate_up_exps.weight"] = try tensor(
                    interleaved, [config.experts, 2 * config.expertIntermediateSize, config.hiddenSize], like: pair[0],
                    in: folder)
            }
            var (separate, fused) = (GGUFAudit(file, config: config), GGUFAudit(tensors, config: config))
            var compared = 0
            for expected in config.expectedTensors {
                guard case .quantized(let want)? = separate.check(expected) else {
                    _ = fused.check(expected)
                    continue
                }
                guard case .quantized(let got)? = fused.check(expected) else {
                    Issue.record("\(expected.name) is missing")
                    continue
                }
                #expect(got.values == want.values, "\(expected.name)")
                compared += 1
            }
            fused.checkUnexpected(tiesEmbeddings: config.tiesEmbeddings)
            #expect(fused.problems == [] && compared > 50)
        }
    }

    private func tensor(_ bytes: [UInt8], _ shape: [Int], like other: GGUFTensor, in folder: URL) throws -> GGUFTensor {
        let url = folder.appending(path: UUID().uuidString)
        try Data(bytes).write(to: url)
        let file = try MappedFile(url)
        return GGUFTensor(type: other.type, shape: shape, bytes: file.bytes, owner: file)
    }

    @Test func `all missing, unexpected and misshapen tensors are listed at once`() throws {
        let file = try #require(try ModelFiles(models.appending(path: "gguf_q4_0")).gguf)
        let config = try GGUFConfig(file).modelConfig()
        var tensors = file.tensors
        tensors["blk.0.attn_q.weight"] = nil
        tensors["blk.1.ffn_up_exps.weight"]?.shape = [6, 32, 32]
        tensors["blk.0.attn_q.bias"] = tensors["output_norm.weight"]
        tensors["blk.0.attn_norm.weight"] = tensors["token_embd.weight"]
        tensors["blk.0.attn_norm.weight"]?.shape = [64]
        var audit = GGUFAudit(tensors, config: config)
        for expected in config.expectedTensors { _ = audit.check(expected) }
        audit.checkUnexpected(tiesEmbeddings: config.tiesEmbeddings)
        for part in [
            "missing: blk.0.attn_q.weight", "wrong shape: blk.1.ffn_up_exps.weight", "unexpected: blk.0.attn_q.bias",
            "wrong type: blk.0.attn_norm.weight is Q4_0",
        ] { #expect(audit.problems.count { $0.hasPrefix(part) } == 1, "\(part): \(audit.problems)") }
        #expect(audit.problems.count == 4)
    }
}
