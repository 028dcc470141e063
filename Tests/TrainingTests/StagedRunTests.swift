import Checkpoints
import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

/// Runs with several stages, on texts and chats.
@Suite struct StagedRunTests {
    private let staged: StagedModel

    init() throws { staged = try StagedModel() }

    private var temporary: TemporaryModel { staged.temporary }
    private func recipe(_ json: JSONValue = StagedModel.recipe) throws -> Recipe { try staged.recipe(json) }
    private func out(_ name: String) -> URL { staged.out(name) }

    @Test func `stages follow each other, and a run interrupted anywhere gives the same bits`() throws {
        var whole: [StepReport] = []
        try TrainingRun(recipe(), out: out("whole"), threads: 2).run { whole.append($0) }
        // 1400 tokens in steps of 256.
        #expect(whole.map(\.step) == Array(0..<11))
        let factors = whole.map(\.learningRateFactor)
        #expect(factors[..<6] == [0.5, 1, 1, 1, 0.5, 0])
        #expect(zip(factors[6...], [0.1, 0.075, 0.05, 0.025, 0]).allSatisfy { abs($0 - $1) < 1e-12 })
        // In the first stage every token but the first of a piece is a target, in the second what the assistant writes.
        #expect(whole[0].targetWeight > 200 && whole[6].targetWeight < 100 && whole[6].targetWeight > 10)
        var parts: [StepReport] = []
        for (end, threads) in [(3, 1), (6, 2), (8, 1), (11, 2)] {
            let run = try TrainingRun(recipe(), out: out("parts"), threads: threads)
            try run.run(mustStop: { run.trainer.step == end && end < 11 }, report: { parts.append($0) })
        }
        #expect(parts == whole)
        for name in ["model.safetensors", "optimizer.safetensors", "trainer.json"] {
            let (a, b) = (out("whole").appending(path: name), out("parts").appending(path: name))
            #expect(try Data(contentsOf: a) == Data(contentsOf: b), "\(name)")
        }
    }

    /// The recipe with a change of one member, by its path in stages.
    private static func changed(_ stage: Int, _ name: String, _ value: JSONValue) -> JSONValue {
        var json = StagedModel.recipe.object ?? JSONObject()
        var stages = json["stages"]?.array ?? []
        var changed = stages[stage].object ?? JSONObject()
        var inner = changed["documents"]?.object ?? JSONObject()
        inner[name] = value
        changed["documents"] = .object(inner)
        stages[stage] = .object(changed)
        json["stages"] = .array(stages)
        return .object(json)
    }

    @Test func `a changed recipe, file or template is refused with the field, and a second run at once too`() throws {
        func field(_ json: JSONValue = StagedModel.recipe) throws -> String {
            do {
                let run = try TrainingRun(recipe(json), out: out("out"), threads: 1)
                try run.run(mustStop: { run.trainer.step == 1 }, report: { _ in })
            } catch TrainingError.resume(let field, _) { return field }
            return "none"
        }
        #expect(try field() == "none")
        #expect(try field(Self.changed(1, "buffer", 9)) == "stages[1].documents.buffer")
        let chats = temporary.directory.appending(path: "chats.jsonl")
        let data = try Data(contentsOf: chats)
        try (data + Data("{\"text\": \"a\"}\n".utf8)).write(to: chats)
        #expect(try field() == "files.chats.jsonl")
        try data.write(to: chats)
        let template = temporary.directory.appending(path: "initial/chat_template.jinja")
        let source = try Data(contentsOf: template)
        try (source + Data("{# new #}".utf8)).write(to: template)
        #expect(try field() == "initial.chat_template.jinja")
        try source.write(to: template)
        let generation = temporary.directory.appending(path: "initial/generation_config.json")
        let tokens = try Data(contentsOf: generation)
        try (tokens + Data(" ".utf8)).write(to: generation)
        #expect(try field() == "initial.generation_config.json")
        try tokens.write(to: generation)
        // Left by a run that was killed.
        let partial = out("out").appending(path: "step-7.partial")
        try FileManager.default.createDirectory(at: partial, withIntermediateDirectories: true)
        let run = try TrainingRun(recipe(), out: out("out"), threads: 1)
        #expect(!FileManager.default.fileExists(atPath: partial.path))
        #expect(throws: CheckpointError.self) { try field() }
        withExtendedLifetime(run) {}
    }

    @Test func `a log of another program is not emptied`() throws {
        let log = out("out").appending(path: "log.jsonl")
        try FileManager.default.createDirectory(at: out("out"), withIntermediateDirectories: true)
        for text in ["{\"level\": \"info\"}\n", "no JSON\n"] {
            try Data(text.utf8).write(to: log)
            #expect(throws: CheckpointError.self) { try TrainingRun(recipe(), out: out("out"), threads: 1) }
            #expect(try Data(contentsOf: log) == Data(text.utf8))
        }
        // That of a run that was killed in its first step.
        try Data().write(to: log)
        _ = try TrainingRun(recipe(), out: out("out"), threads: 1)
    }

    @Test func `a document that cannot be used ends the run after its checkpoint`() throws {
        let good = String(repeating: "{\"text\": \"aaaa\"}\n", count: 40)
        let initial = temporary.directory.appending(path: "initial/config.json")
        var config = try JSONValue(parsing: [UInt8](Data(contentsOf: initial))).object ?? JSONObject()
        // Texts of one letter need no token above those of bytes.
        config["vocab_size"] = 280
        try Data(JSONValue.object(config).serialized).write(to: initial)
        try temporary.write(
            Array((good + "{\"text\": \"The number comes before\"}\n" + good).utf8), to: "texts.jsonl")
        let json: JSONValue = [
            "initial": "initial", "seed": 3,
            "documents": [
                "sources": [["jsonl": "texts.jsonl"]], "packing": "sequential", "length": 16, "rows": 1,
                "micro_batches": 1,
            ], "hyperparameters": ["steps": 100],
        ]
        var steps = 0
        for _ in 0..<2 {
            #expect {
                try TrainingRun(recipe(json), out: out("out"), threads: 1).run { _ in steps += 1 }
            } throws: {
                guard case TrainingError.line(let file, 41, let reason) = $0 else { return false }
                return file.hasSuffix("texts.jsonl") && reason.contains("not among the model's 280 tokens")
            }
        }
        #expect(steps > 3)
        let names = try FileManager.default.contentsOfDirectory(atPath: out("out").path)
        #expect(names.contains("step-\(steps)") && (2...3).contains(names.count))
        // Without the document, the run goes on, and the others have the same order.
        var (rest, whole) = ([StepReport](), [StepReport]())
        let first = steps
        var skipping = json.object ?? JSONObject()
        skipping["skip_documents"] = 100
        try TrainingRun(recipe(.object(skipping)), out: out("out"), threads: 1).run { rest.append($0) }
        try TrainingRun(recipe(.object(skipping)), out: out("whole"), threads: 1).run { whole.append($0) }
        #expect(rest.count + first == 100 && rest == Array(whole[first...]))
        let log = try String(contentsOf: out("out").appending(path: "log.jsonl"), encoding: .utf8)
        #expect(log.contains("\"skipped_documents\":"))
        // As many as are allowed.
        skipping["skip_documents"] = 1
        #expect(throws: TrainingError.self) {
            try TrainingRun(recipe(.object(skipping)), out: out("few"), threads: 1).run { _ in }
        }
    }

    @Test func `a stage without any target ends the run with an error, also when it is resumed`() throws {
        let user = "{\"messages\": [{\"role\": \"user\", \"content\": \"What follows?\"}]}\n"
        try temporary.write(Array(String(repeating: user, count: 60).utf8), to: "chats.jsonl")
        func run(until end: Int) throws {
            let run = try TrainingRun(recipe(), out: out("out"), threads: 1)
            try run.run(mustStop: { run.trainer.step == end }, report: { _ in })
        }
        // The second stage has the steps 6 to 10.
        try run(until: 8)
        for _ in 0..<2 {
            #expect {
                try run(until: 11)
            } throws: {
                guard case TrainingError.noTargets("stages[1].documents", let steps, let files) = $0 else {
                    return false
                }
                return steps == 5 && files.count == 1 && files[0].hasSuffix("/chats.jsonl")
            }
        }
    }

    @Test func `buffers whose documents do not fit the memory are refused by name`() throws {
        let json = Self.changed(1, "buffer", 524_288)
        let plan = try TrainingPlan(recipe(json))
        // All 60 chats, of some tokens of 8 bytes.
        let bytes = plan.stages[1].bufferedBytes
        let tokens = bytes / 8 / 60
        #expect(tokens > 8 && tokens < 200)
        let needed = Int(plan.neededBytes(plan.cost(.exact)))
        try plan.checkMemory(.exact, available: needed + Int(bytes) + 1)
        #expect {
            try plan.checkMemory(.exact, available: needed + Int(bytes) / 2)
        } throws: {
            guard case TrainingError.recipe("stages[1].documents.buffer", _) = $0 else { return false }
            return true
        }
    }

    @Test func `a row longer than the model's positions gives a warning`() throws {
        let plan = try TrainingPlan(recipe(Self.changed(1, "length", 524_288)))
        #expect(plan.warnings.count == 1 && plan.warnings[0].contains("stages[1].documents.length 524288"))
        #expect(try TrainingPlan(recipe()).warnings.isEmpty)
    }

    @Test func `documents without targets, or longer than a row that takes whole ones, give a warning`() throws {
        let user = "{\"messages\": [{\"role\": \"user\", \"content\": \"What follows?\"}]}\n"
        try temporary.write(Array(String(repeating: user, count: 3).utf8), to: "chats.jsonl")
        let silent = try TrainingPlan(recipe()).warnings
        // In the first stage all tokens of chats are targets.
        #expect(silent.count == 1 && silent[0].hasSuffix("chats.jsonl: the first 3 documents have no target"))
        try temporary.write(
            Array(String(repeating: "{\"text\": \"one, two, three, four, five\"}\n", count: 3).utf8), to: "chats.jsonl")
        let long = try TrainingPlan(recipe(Self.changed(1, "length", 4))).warnings
        #expect(
            long.count == 1 && long[0].contains("chats.jsonl: 3 of the first 3 documents are longer than a row of 4"))
    }

    @Test func `a run whose folder was moved goes on`() throws {
        do {
            let run = try TrainingRun(recipe(), out: out("out"), threads: 1)
            try run.run(mustStop: { run.trainer.step == 1 }, report: { _ in })
        }
        let moved = try TemporaryModel()
        for name in ["initial", "texts.jsonl", "chats.jsonl", "out"] {
            try FileManager.default.copyItem(at: self.out(name), to: moved.directory.appending(path: name))
        }
        let out = moved.directory.appending(path: "out")
        let recipe = try Recipe(parsing: StagedModel.recipe, folder: out.deletingLastPathComponent())
        let rest = try TrainingRun(recipe, out: out, threads: 1)
        #expect(rest.trainer.step == 1)
    }

    @Test func `a stage may give a number that excludes one of the recipe`() throws {
        var json = StagedModel.recipe.object ?? JSONObject()
        json["hyperparameters"] = ["steps": 3, "smebu": ["lambda": 0.1]]
        json["stages"] = [
            [
                "documents": ["tokens": "a", "length": 10, "rows": 1, "micro_batches": 1],
                "hyperparameters": ["tokens": 50],
            ],
            ["documents": ["tokens": "a"], "hyperparameters": ["auxfree": ["gamma": 0.25]]],
        ]
        let stages = try recipe(.object(json)).stages
        #expect(stages.map(\.hyperparameters.steps) == [5, 3])
        #expect(stages[0].hyperparameters.balancing == .smebu(lambda: 0.1, beta: 0.5, kappa: 2))
        #expect(stages[1].hyperparameters.balancing == .auxFree(gamma: 0.25))
    }

    @Test func `checkpoints have the files of the beginning, whatever becomes of them`() throws {
        let initial = temporary.directory.appending(path: "initial")
        let names = ["config.json", "tokenizer.json", "chat_template.jinja", "generation_config.json"]
        let before = try names.map { try Data(contentsOf: initial.appending(path: $0)) }
        let run = try TrainingRun(recipe(), out: out("out"), threads: 1)
        for name in names { try FileManager.default.removeItem(at: initial.appending(path: name)) }
        try run.run { report in
            #expect(run.stage(of: report.step).name == (report.step < 6 ? "pretraining" : "stage 2"))
        }
        for (name, data) in zip(names, before).dropFirst() {
            #expect(try Data(contentsOf: out("out").appending(path: name)) == data)
        }
        #expect(try ModelConfig(directory: out("out")).layers == 4)
    }

    @Test(
        arguments: [
            ("stages", [], "stages"), ("stages", [["documents": ["sources": []]]], "stages[0].documents.sources"),
            ("stages", [["hyperparameters": ["steps": 1]]], "stages[0].batches"),
            ("stages", [["documents": ["sources": [["weight": 1]]]]], "stages[0].documents.sources[0].jsonl"),
            (
                "stages", [["documents": ["sources": [["jsonl": "a", "targets": "user"]]]]],
                "stages[0].documents.sources[0].targets"
            ),
            (
                "stages", [["documents": ["sources": [["jsonl": "a"]]], "hyperparameters": ["steps": 9, "speed": 1]]],
                "stages[0].hyperparameters.speed"
            ),
            (
                "stages", [["documents": ["sources": [["jsonl": "a"]]]]], "stages[0].hyperparameters.steps"
            ),
            (
                "stages", [["documents": ["sources": [["jsonl": "a"]]], "hyperparameters": ["steps": nil]]],
                "stages[0].hyperparameters.steps"
            ),
            (
                "stages",
                [["documents": ["tokens": "a"], "hyperparameters": ["steps": 1, "tokens": 1]]],
                "stages[0].hyperparameters.tokens"
            ),
            (
                "stages", [["documents": ["tokens": "a"], "hyperparameters": ["steps": 9, "length": 4096]]],
                "stages[0].hyperparameters.length"
            ),
            (
                "stages",
                [
                    [
                        "documents": ["tokens": "a"],
                        "hyperparameters": ["steps": 5, "schedule": ["kind": "wsd", "warmup": 2, "decay": 4]],
                    ]
                ],
                "stages[0].hyperparameters.schedule.decay"
            ),
            (
                "stages",
                [
                    [
                        "documents": ["tokens": "a"],
                        "hyperparameters": ["steps": 5, "schedule": ["kind": "cosine", "warmup": 5]],
                    ]
                ],
                "stages[0].hyperparameters.schedule.warmup"
            ),
            ("skip_documents", -1, "skip_documents"),
            ("batches", "a", "batches"), ("hyperparameters", ["speed": 1], "hyperparameters.speed"),
        ] as [(String, JSONValue, String)])
    func `an error names the field of the stage`(name: String, value: JSONValue, field: String) throws {
        var json = StagedModel.recipe.object ?? JSONObject()
        json[name] = value
        #expect {
            try recipe(.object(json))
        } throws: {
            guard case TrainingError.recipe(let named, _) = $0 else { return false }
            return named == field
        }
    }
}
