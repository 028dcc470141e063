import Checkpoints
import Engine
import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

/// What is kept when a run ends badly: errors in its middle, skipped steps, damaged checkpoints, full disks.
@Suite struct RunFolderTests {
    private let thirty: ThirtySteps

    init() throws {
        thirty = try ThirtySteps()
    }

    private func recipe(_ change: (inout JSONObject) -> Void = { _ in }, interval: Int? = nil) throws -> Recipe {
        try thirty.recipe(change, interval: interval)
    }

    private func out(_ name: String) -> URL { thirty.out(name) }

    @Test func `a run whose memory ends keeps its steps, and goes on with the same bits`() throws {
        let short: (inout JSONObject) -> Void = { $0["steps"] = 8 }
        var (whole, parts) = ([StepReport](), [StepReport]())
        try TrainingRun(recipe(short), out: out("whole"), threads: 1).run { whole.append($0) }
        func begin() throws {
            let run = try TrainingRun(recipe(short, interval: 100), out: out("parts"), threads: 1)
            var huge = run.trainer.model.config
            huge.hiddenSize = 1 << 40
            try run.run {
                parts.append($0)
                if $0.step == 4 { run.trainer.memory = ActivationMemory(huge, .exact) }
            }
        }
        #expect {
            try begin()
        } throws: {
            guard case TrainingError.activations("micro-batch 0 of step 5", _, _, _) = $0 else { return false }
            return true
        }
        #expect(FileManager.default.fileExists(atPath: out("parts/step-5").path))
        try TrainingRun(recipe(short, interval: 100), out: out("parts"), threads: 1).run { parts.append($0) }
        #expect(parts == whole)
    }

    @Test(arguments: [false, true])
    func `skipped steps at the end of a run cost no good checkpoint`(stops: Bool) throws {
        // Step 5 is skipped: it is the last one, or SIGTERM comes after it.
        let steps = JSONValue.integer(stops ? 8 : 6)
        let run = try TrainingRun(recipe({ $0["steps"] = steps }, interval: 2), out: out("out"), threads: 1)
        let weights = run.trainer.model.weights.pointer(run.trainer.model.layout.parameter("model.norm.weight"))
        func train() throws {
            try run.run(
                mustStop: { run.trainer.skippedInRow > 0 }, report: { if $0.step == 4 { weights[0] = .nan } })
        }
        if stops {
            try train()
        } else {
            #expect(throws: TrainingError.notFinite(step: 5)) { try train() }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: out("out").path).sorted()
        #expect(names == ["log.jsonl", "step-2", "step-4"] + (stops ? ["step-6"] : []))
    }

    @Test func `a checkpoint that was cut is set aside, and the run goes on from the one before`() throws {
        let short: (inout JSONObject) -> Void = { $0["steps"] = 8 }
        var (whole, parts) = ([StepReport](), [StepReport]())
        try TrainingRun(recipe(short), out: out("whole"), threads: 1).run { whole.append($0) }
        func begin() throws {
            let run = try TrainingRun(recipe(short, interval: 2), out: out("parts"), threads: 1)
            try run.run(mustStop: { run.trainer.step == 6 }, report: { parts.append($0) })
        }
        try begin()
        let state = out("parts/step-6/optimizer.safetensors")
        let data = try Data(contentsOf: state)
        try data.prefix(data.count / 2).write(to: state)
        let run = try TrainingRun(recipe(short, interval: 2), out: out("parts"), threads: 1)
        #expect(run.trainer.step == 4 && run.warnings.count == 1)
        #expect(run.warnings[0].hasPrefix("step-6 cannot be read"))
        parts.removeLast(2)
        try run.run { parts.append($0) }
        #expect(parts == whole)
        let names = try FileManager.default.contentsOfDirectory(atPath: out("parts").path)
        #expect(!names.contains { $0.hasPrefix("step-") })
    }

    @Test func `a run whose checkpoints are all damaged is not begun again`() throws {
        func begin() throws {
            let run = try TrainingRun(recipe(), out: out("out"), threads: 1)
            try run.run(mustStop: { run.trainer.step == 1 }, report: { _ in })
        }
        try begin()
        try Data("{}".utf8).write(to: out("out/step-1/trainer.json"))
        #expect(throws: TrainingError.resume(field: "format", reason: "is not 2")) { try begin() }
        try Data("{".utf8).write(to: out("out/step-1/trainer.json"))
        #expect {
            try begin()
        } throws: {
            guard case TrainingError.file = $0 else { return false }
            return true
        }
        #expect(FileManager.default.fileExists(atPath: out("out/step-1").path))
    }

    @Test func `numbers that are not finite are told from tensors of another shape`() throws {
        func begin() throws {
            let run = try TrainingRun(recipe(), out: out("out"), threads: 1)
            try run.run(mustStop: { run.trainer.step == 1 }, report: { _ in })
        }
        /// Replaces the last number of a file.
        func ruin(_ name: String) throws {
            var data = try Data(contentsOf: out(name))
            data.replaceSubrange(data.count - 4..<data.count, with: [0, 0, 0xC0, 0x7F])
            try data.write(to: out(name))
        }
        try begin()
        try ruin("out/step-1/optimizer.safetensors")
        #expect {
            try begin()
        } throws: {
            guard case TrainingError.file(_, let reason) = $0 else { return false }
            return reason.hasSuffix("has numbers that are not finite")
        }
        try ruin("initial/model.safetensors")
        #expect {
            try TrainingRun(recipe(), out: out("new"), threads: 1)
        } throws: {
            guard case CheckpointError.mismatch(_, let problems) = $0 else { return false }
            return problems.count == 1 && problems[0].hasSuffix("has numbers that are not finite")
        }
    }

    @Test func `files appear at a second place without links too`() throws {
        let (source, target) = (out("a"), out("b"))
        try Data("one".utf8).write(to: source)
        try Data("two".utf8).write(to: target)
        try RunFolder.place(source, at: target) { _, _ in EPERM }
        #expect(try Data(contentsOf: target) == Data("one".utf8))
        #expect(throws: CheckpointError.self) { try RunFolder.place(source, at: target) { _, _ in EIO } }
        try RunFolder.place(source, at: target)
        try Data("three".utf8).write(to: target)
        #expect(!FileManager.default.fileExists(atPath: out("b.partial").path))
    }

    @Test func `only names of checkpoints are those of checkpoints`() throws {
        for (name, step) in [("step-7", 7), ("step-70.partial", 70), ("step-8.damaged", 8)] as [(String, Int?)] {
            #expect(RunFolder.step(name) == step)
        }
        for name in [
            "step-by-step.md", "step-", "step-.partial", "step-1x", "step--1", "step-1.txt", "steps", "step-+1",
        ] {
            #expect(RunFolder.step(name) == nil, "\(name)")
        }
        try FileManager.default.createDirectory(at: out("out"), withIntermediateDirectories: true)
        try Data().write(to: out("out/step-by-step.md"))
        #expect(throws: CheckpointError.self) { try TrainingRun(recipe(), out: out("out"), threads: 1) }
        try FileManager.default.removeItem(at: out("out/step-by-step.md"))
        let run = try TrainingRun(recipe({ $0["steps"] = 2 }), out: out("out"), threads: 1)
        try Data().write(to: out("out/step-by-step.md"))
        try run.run { _ in }
        #expect(FileManager.default.fileExists(atPath: out("out/step-by-step.md").path))
    }

    @Test func `a disk without room for the checkpoints is found before the first step`() throws {
        let folder = try RunFolder(out("out"), source: out("initial"))
        #expect(try #require(folder.freeBytes) > 0)
        try folder.checkRoom(bytes: 100, count: 9, keepsBest: false, free: 300)
        try folder.checkRoom(bytes: 100, count: 1, keepsBest: true, free: 100)
        try folder.checkRoom(bytes: 100, count: 9, keepsBest: false, free: nil)
        for (best, free) in [(false, 299), (true, 399)] {
            #expect(throws: CheckpointError.self) {
                try folder.checkRoom(bytes: 100, count: 9, keepsBest: best, free: free)
            }
        }
    }

    @Test func `a folder with other files is not written to`() throws {
        try FileManager.default.createDirectory(at: out("out"), withIntermediateDirectories: true)
        try Data().write(to: out("out").appending(path: "notes.txt"))
        #expect(throws: CheckpointError.self) { try TrainingRun(recipe(), out: out("out"), threads: 1) }
    }
}
