import Checkpoints
import TestSupport
import Testing

@testable import Engine

/// What the log says of a model that works.
@Suite struct LoaderWarningTests {
    private func warnings(_ path: String, unknownKeys: [String] = []) throws -> [String] {
        let files = try ModelFiles(Fixtures.root.appending(path: path))
        var config = try files.modelConfig()
        config.unknownKeys = unknownKeys
        return EngineLoader.warnings(of: config, try files.generationConfig(), files)
    }

    @Test func `unknown keys are named in one line, each cut`() throws {
        let keys = ["x\n2026-11-30 info trinity: ready", String(repeating: "k", count: 100)]
        let lines = try warnings("model/e_bf16", unknownKeys: keys).filter { $0.hasPrefix("ignoring") }
        #expect(
            lines == [
                "ignoring unknown keys of config.json: x2026-11-30 info trinity: ready, "
                    + String(repeating: "k", count: 80) + "..."
            ])
    }

    @Test func `the log says that activations are not quantized as the model asks for`() throws {
        for (name, compute, count) in [
            ("ct_int8", .fast, 1), ("ct_int8", .exact, 1), ("ct_int8", .int8, 0),
            ("ct_w8a16_asym", .fast, 0), ("modelopt_mixed", .fast, 1), ("gguf_q4_0", .fast, 0),
        ] as [(String, EngineOptions.Compute, Int)] {
            let files = try ModelFiles(Fixtures.root.appending(path: "low-bit/model/\(name)"))
            let checkpoint = try files.checkpoint(files.modelConfig())
            let notes = try EngineLoader.notes(on: checkpoint, files, compute)
            #expect(notes.count == count, "\(name): \(notes)")
            #expect(notes.first?.contains(name == "ct_int8" ? "8-bit activations" : "scales of activations") ?? true)
        }
    }

    @Test func `the warnings of a GGUF file name it`() throws {
        let lines = try warnings("low-bit/model/gguf_q4_0", unknownKeys: ["afmoe.new"])
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("no eos_token_id in the metadata of model.gguf: ") == true)
        #expect(lines.last == "ignoring unknown keys of the metadata of model.gguf: afmoe.new")
    }
}
