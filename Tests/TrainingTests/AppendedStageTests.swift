import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

/// Runs that go on with stages that were appended to their recipe.
@Suite struct AppendedStageTests {
    private let staged: StagedModel

    init() throws { staged = try StagedModel() }

    private func recipe(_ json: JSONValue) throws -> Recipe { try staged.recipe(json) }
    private func out(_ name: String) -> URL { staged.out(name) }

    /// The recipe with held-out data and a third stage, of which the first `count` stages are left.
    private static func extended(_ count: Int, changing change: (inout [JSONValue]) -> Void = { _ in }) -> JSONValue {
        var json = StagedModel.recipe.object ?? JSONObject()
        json["held_out"] = ["jsonl": "texts.jsonl", "interval": 3]
        var stages = json["stages"]?.array ?? []
        stages.append([
            "name": "last",
            "documents": [
                "sources": [["jsonl": "more.jsonl"], ["jsonl": "texts.jsonl"]], "packing": "greedy", "length": 64,
                "rows": 2, "micro_batches": 1, "buffer": 4,
            ],
            "hyperparameters": ["steps": 7, "muon_lr": 0.02, "schedule": ["kind": "wsd", "warmup": 1, "decay": 3]],
        ])
        stages = Array(stages[..<count])
        change(&stages)
        json["stages"] = .array(stages)
        return .object(json)
    }

    @Test(arguments: [1, 2])
    func `a finished run to which stages are appended gives the bits of one run, and is then a finished run`(
        first: Int
    ) throws {
        let chats = try Data(contentsOf: out("chats.jsonl"))
        try chats.write(to: out("more.jsonl"))
        var whole: [StepReport] = []
        try TrainingRun(recipe(Self.extended(3)), out: out("whole"), threads: 2).run { whole.append($0) }
        // Neither the first part nor its fingerprint has the file of the last stage.
        try FileManager.default.removeItem(at: out("more.jsonl"))
        var parts: [StepReport] = []
        try TrainingRun(recipe(Self.extended(first)), out: out("parts"), threads: 1).run { parts.append($0) }
        #expect(parts.count == [6, 11][first - 1])
        try chats.write(to: out("more.jsonl"))
        // Interrupted before the first step and in the last stage.
        for end in [parts.count, 15, 18] {
            let run = try TrainingRun(recipe(Self.extended(3)), out: out("parts"), threads: 2)
            let isServed = FileManager.default.fileExists(atPath: out("parts/config.json").path)
            #expect(run.trainer.step == parts.count && !isServed)
            let finished = try run.run(mustStop: { run.trainer.step == end && end < 18 }, report: { parts.append($0) })
            #expect(finished == (end == 18))
        }
        #expect(parts == whole)
        func names(_ folder: String) throws -> [String] {
            try FileManager.default.subpathsOfDirectory(atPath: out(folder).path).sorted()
        }
        #expect(try names("whole") == names("parts"))
        for name in try names("whole") where name.hasSuffix(".safetensors") || name.hasSuffix(".json") {
            let (a, b) = (out("whole").appending(path: name), out("parts").appending(path: name))
            #expect(try Data(contentsOf: a) == Data(contentsOf: b), "\(name)")
        }
    }

    @Test func `the best checkpoint of a finished run goes when a later stage has a better one`() throws {
        try Data(contentsOf: out("chats.jsonl")).write(to: out("more.jsonl"))
        func run(_ count: Int) throws -> Int? {
            let run = try TrainingRun(recipe(Self.extended(count)), out: out("out"), threads: 1)
            try run.run { _ in }
            return run.statistics.best?.step
        }
        // The first stages are too short to be better than the initial values at once.
        let (before, after) = (try run(1), try run(3))
        #expect(before == 6 && after == 18)
        let names = try FileManager.default.contentsOfDirectory(atPath: out("out").path)
        #expect(names.contains("config.json") && !names.contains { $0.hasPrefix("step-") || $0 == "best" })
    }

    @Test func `stages may only be appended, after unchanged ones`() throws {
        try Data(contentsOf: out("chats.jsonl")).write(to: out("more.jsonl"))
        try TrainingRun(recipe(Self.extended(2)), out: out("out"), threads: 1).run { _ in }
        func field(_ change: (inout [JSONValue]) -> Void) throws -> String {
            do {
                _ = try TrainingRun(recipe(Self.extended(3, changing: change)), out: out("out"), threads: 1)
            } catch TrainingError.resume(let field, _) { return field }
            return "none"
        }
        let inner: (Int, String, JSONValue) -> (inout [JSONValue]) -> Void = { index, name, value in
            { stages in
                var stage = stages[index].object ?? JSONObject()
                stage[name] = value
                stages[index] = .object(stage)
            }
        }
        #expect(try field(inner(1, "hyperparameters", ["steps": 6])).hasPrefix("stages[1].hyperparameters"))
        #expect(try field(inner(0, "name", "first")) == "stages[0].name")
        #expect(try field { $0.insert($0.remove(at: 2), at: 1) } == "stages[1].documents.buffer")
        #expect(try field { $0.swapAt(0, 1) }.hasPrefix("stages[0]."))
        #expect(try field { $0.removeSubrange(1...) } == "stages")
        let texts = try Data(contentsOf: out("texts.jsonl"))
        try (texts + Data("{\"text\": \"a\"}\n".utf8)).write(to: out("texts.jsonl"))
        #expect(try field { _ in } == "files.texts.jsonl")
        try texts.write(to: out("texts.jsonl"))
        #expect(try field { _ in } == "none")
    }
}
