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
