import Checkpoints
import Foundation
import JSON
import TestSupport
import Testing

@testable import Engine

/// Quantized models with damaged bytes: each loads, or ends in one error of a known kind, and never in a crash.
struct QuantizedMutationTests {
    private static let folder = Fixtures.root.appending(path: "low-bit")

    /// Changes some bytes of `range`.
    private func damage(_ file: [UInt8], _ range: Range<Int>, _ random: inout SeededGenerator) -> [UInt8] {
        var damaged = file
        for _ in 0...random.next(below: 3) {
            let place = range.lowerBound + random.next(below: range.count)
            // A neighbor of a digit is a digit, mostly.
            damaged[place] = random.oneIn(2) ? damaged[place] ^ 1 : UInt8(truncatingIfNeeded: random.next())
        }
        return damaged
    }

    /// Whether everything of the model loads.
    private func load(_ model: URL) -> Bool {
        do {
            if let text = try EmbeddedText(model: model) { _ = try text.tokenizer(guarding: []) }
            let files = try ModelFiles(model)
            let config = try files.modelConfig()
            let generation = try files.generationConfig()
            try files.checkIDs(generation, of: config)
            let checkpoint = try files.checkpoint(config)
            _ = try ModelWeights(checkpoint: checkpoint, config: config, pool: .shared, kernels: .best(.exact))
            return true
        } catch {
            let isKnown = error is CheckpointError || error is ModelConfigError || error is EngineError
            #expect(isKnown && !"\(error)".isEmpty, "\(error)")
            return false
        }
    }

    @Test(
        arguments: [
            "ct_w4a16_asym_g32", "ct_w4a16_channel", "ct_w8a16_g32", "ct_int8", "ct_nvfp4", "ct_mxfp4",
            "modelopt_nvfp4", "awq_g32", "gptq_g32",
        ])
    func `safetensors and their configuration`(name: String) throws {
        let source = Self.folder.appending(path: "model/\(name)")
        let weights = try [UInt8](Data(contentsOf: source.appending(path: "model.safetensors")))
        let config = try [UInt8](Data(contentsOf: source.appending(path: "config.json")))
        let start = 8 + Int(weights[0]) + Int(weights[1]) << 8 + Int(weights[2]) << 16
        let model = try TemporaryModel()
        try model.write(weights)
        try model.write(config, to: "config.json")
        #expect(load(model.directory))
        var random = SeededGenerator(seed: 21)
        for _ in 0..<TestEffort.count(30, all: 100) {
            try model.write(damage(weights, random.oneIn(4) ? 0..<weights.count : 0..<start, &random))
            _ = load(model.directory)
        }
        try model.write(weights)
        for _ in 0..<TestEffort.count(30, all: 100) {
            try model.write(damage(config, 0..<config.count, &random), to: "config.json")
            _ = load(model.directory)
        }
    }

    @Test(
        arguments: [
            "model/gguf_q4_0", "model/gguf_q4_k_m", "model/gguf_legacy_mix", "model/gguf_iq4_xs", "model/gguf_mxfp4",
            "tokenizers/trinity_like", "tokenizers/llama3_like",
        ])
    func `a GGUF file`(name: String) throws {
        let isVocabulary = name.hasPrefix("tokenizers")
        let source = Self.folder.appending(path: "\(name)/\(isVocabulary ? "vocab" : "model").gguf")
        let file = try [UInt8](Data(contentsOf: source))
        let start = try file.withUnsafeBytes { bytes in
            try GGUFHeader(parsing: bytes, path: "").entries.values.map(\.range.lowerBound).min() ?? bytes.count
        }
        let model = try TemporaryModel()
        let url = model.directory.appending(path: "model.gguf")
        try model.write(file, to: "model.gguf")
        #expect(load(url) == !isVocabulary)
        var random = SeededGenerator(seed: 22)
        for round in 0..<TestEffort.count(30, all: 100) {
            // The keys of a vocabulary are before its tokens, and behind them.
            let range =
                isVocabulary
                ? (round.isMultiple(of: 2) ? 0..<2048 : start - 4096..<start)
                : random.oneIn(4) ? 0..<file.count : 0..<start
            try model.write(damage(file, range, &random), to: "model.gguf")
            _ = load(url)
        }
        for _ in 0..<TestEffort.count(10, all: 30) {
            try model.write(Array(file.prefix(random.next(below: start))), to: "model.gguf")
            #expect(!load(url))
        }
    }
}
