import Checkpoints
import Engine
import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

/// Thirty steps against the float64 reference, the checkpoint, and resuming.
@Suite struct TrainingRunTests {
    private let thirty: ThirtySteps

    init() throws {
        thirty = try ThirtySteps()
    }

    private func recipe(_ change: (inout JSONObject) -> Void = { _ in }, interval: Int? = nil) throws -> Recipe {
        try thirty.recipe(change, interval: interval)
    }

    private func out(_ name: String) -> URL { thirty.out(name) }

    @Test func `thirty steps follow the reference`() throws {
        let expected = try TrainingFixture.json("train30/curve.json")["steps"]?.array ?? []
        #expect(expected.count == 30)
        var reports: [StepReport] = []
        let run = try TrainingRun(recipe(), out: out("out"), threads: 1)
        #expect(try run.run { reports.append($0) })
        #expect(reports.count == 30)
        for (report, reference) in zip(reports, expected) {
            let json = report.json
            for name in [
                "cross_entropy", "z", "balance", "objective", "gradient_norm", "clip_factor", "lr_factor",
                "target_weight_sum", "batch_het",
            ] {
                let (value, wanted) = (try #require(json[name]?.double), try #require(reference[name]?.double))
                #expect(abs(value - wanted) < 1e-4, "step \(report.step): \(name) \(value), expected \(wanted)")
            }
            #expect(json["expert_counts"] == reference["expert_counts"], "step \(report.step)")
            for name in ["expert_bias", "bias_momentum", "max_violation"] {
                let values = Self.numbers(json[name]).map { Float($0) }
                #expect(deviation(values, Self.numbers(reference[name])).absolute < 1e-6, "\(name)")
            }
            #expect(
                Set((json.object ?? JSONObject()).map(\.name)) == Set((reference.object ?? JSONObject()).map(\.name)))
        }
        let final = try TrainingFixture.tensors("train30/final.safetensors")
        let config = try ModelConfig(directory: out("out"))
        let checkpoint = try Checkpoint(directory: out("out"), config: config, quantization: nil)
        for parameter in run.trainer.model.layout.parameters {
            let written = checkpoint.stored(parameter.name).floats
            let wanted = try #require(final[parameter.name]).doubles
            #expect(deviation(written, wanted).absolute < 1e-4, "\(parameter.name)")
        }
    }

    /// All numbers of nested arrays, in order.
    private static func numbers(_ json: JSONValue?) -> [Double] {
        if let array = json?.array { return array.flatMap { numbers($0) } }
        return json?.double.map { [$0] } ?? []
    }

    @Test func `thirty steps in bfloat16 follow the loss of the reference`() throws {
        let expected = try TrainingFixture.json("train30/curve.json")["steps"]?.array ?? []
        var reports: [StepReport] = []
        try TrainingRun(recipe(), out: out("out"), threads: 2, precision: .bf16).run { reports.append($0) }
        #expect(reports.count == 30 && expected.count == 30)
        var sum = 0.0
        for (report, reference) in zip(reports, expected) {
            let wanted = try #require(reference["cross_entropy"]?.double)
            #expect(abs(report.crossEntropy - wanted) < 0.03 * wanted, "step \(report.step)")
            sum += report.crossEntropy / wanted
        }
        #expect(abs(sum / 30 - 1) < 0.01)
    }

    @Test(arguments: Precision.allCases)
    func `an interrupted run ends with the bytes of an uninterrupted one, with other threads`(
        precision: Precision
    ) throws {
        let expected = ["model.safetensors", "optimizer.safetensors", "trainer.json", "config.json"]
        let short: (inout JSONObject) -> Void = { $0["steps"] = 8 }
        var whole: [StepReport] = []
        try TrainingRun(recipe(short), out: out("whole"), threads: 2, precision: precision).run { whole.append($0) }
        var parts: [StepReport] = []
        for end in [3, 4, 8] {
            let run = try TrainingRun(
                recipe(short, interval: 2), out: out("parts"), threads: end == 4 ? 2 : 1, precision: precision)
            let isComplete = try run.run(mustStop: { run.trainer.step == end && end < 8 }, report: { parts.append($0) })
            #expect(isComplete == (end == 8))
        }
        #expect(whole.count == 8 && parts == whole)
        for file in expected {
            let (a, b) = (out("whole").appending(path: file), out("parts").appending(path: file))
            #expect(try Data(contentsOf: a) == Data(contentsOf: b), "\(file)")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: out("parts").path).sorted()
        #expect(names == (expected + ["log.jsonl"]).sorted())
        // Killed while the last checkpoint became that of the folder.
        let (files, step) = (FileManager.default, out("parts").appending(path: "step-8"))
        try files.createDirectory(at: step, withIntermediateDirectories: true)
        for name in names {
            try files.copyItem(at: out("parts").appending(path: name), to: step.appending(path: name))
            if name != "model.safetensors" { try files.removeItem(at: out("parts").appending(path: name)) }
        }
        try TrainingRun(recipe(short), out: out("parts"), threads: 1, precision: precision).run { _ in
            Issue.record("a step was done")
        }
        #expect(try files.contentsOfDirectory(atPath: out("parts").path).sorted() == names)
        // A finished run has nothing left to do.
        try TrainingRun(recipe(short), out: out("parts"), threads: 1, precision: precision).run { _ in
            Issue.record("a step was done")
        }
    }

    @Test func `a run with other numbers is not resumed`() throws {
        let short: (inout JSONObject) -> Void = { $0["steps"] = 2 }
        try TrainingRun(recipe(short), out: out("out"), threads: 1).run { _ in }
        #expect {
            try TrainingRun(
                recipe {
                    short(&$0)
                    $0["muon_lr"] = 0.01
                }, out: out("out"), threads: 1)
        } throws: {
            guard case TrainingError.resume(let field, _) = $0 else { return false }
            return field == "hyperparameters.muon_lr"
        }
        #expect {
            try TrainingRun(recipe(short), out: out("out"), threads: 1, precision: .bf16)
        } throws: {
            guard case TrainingError.resume(let field, _) = $0 else { return false }
            return field == "precision"
        }
    }

    @Test func `frozen tensors keep their bits and have no state`() throws {
        let patterns: [JSONValue] = ["model.embed_tokens.weight", "model.layers.1.*"]
        var json = try recipe({ $0["steps"] = 3 }).json.object ?? JSONObject()
        json["freeze"] = .array(patterns)
        let frozen = try Recipe(parsing: .object(json), folder: out("recipe.json").deletingLastPathComponent())
        try TrainingRun(frozen, out: out("out"), threads: 2).run { _ in }
        let before = try SafetensorsFile(out("initial/model.safetensors")).tensors
        let after = try SafetensorsFile(out("out/model.safetensors")).tensors
        let state = try SafetensorsFile(out("out/optimizer.safetensors")).tensors
        var counts = [0, 0]
        for (name, tensor) in after {
            let isFrozen = name == "model.embed_tokens.weight" || name.hasPrefix("model.layers.1.")
            let isEqual =
                before[name].map { Array($0.bytes) == Array(tensor.bytes) }
                ?? (tensor.floats == tensor.floats.map { _ in 0 })
            #expect(isEqual == isFrozen, "\(name)")
            counts[isFrozen ? 0 : 1] += 1
            let parts = state.keys.count { $0.hasSuffix("/\(name)") }
            if !name.hasSuffix("expert_bias") { #expect((parts == 0) == isFrozen, "\(name)") }
        }
        #expect(counts[0] > 20 && counts[1] > 40)
        // It is resumed, and refused with other patterns.
        try TrainingRun(frozen, out: out("out"), threads: 1).run { _ in Issue.record("a step was done") }
        for (pattern, field) in [("model.layers.2.*", "freeze"), ("layers", "freeze[0]"), ("*", "freeze")] {
            json["freeze"] = [.string(pattern)]
            let other = try Recipe(parsing: .object(json), folder: out("recipe.json").deletingLastPathComponent())
            #expect {
                try TrainingRun(other, out: out("out"), threads: 1)
            } throws: {
                switch $0 {
                case TrainingError.recipe(let name, _), TrainingError.resume(let name, _): name == field
                default: false
                }
            }
        }
    }

    @Test func `a plan counts steps and parameters, and checks the shapes of the weights`() throws {
        let plan = try TrainingPlan(recipe())
        let elements = try TrainingFixture.tensors("train30/initial.safetensors").values.reduce(0) {
            $0 + $1.shape.reduce(1, *)
        }
        #expect(plan.steps == 30 && plan.parameters == elements)
        #expect(plan.cost(.exact).stateBytes >= 12 * elements)
        #expect(plan.cost(.bf16).stateBytes >= plan.cost(.exact).stateBytes + 4 * elements)
        try plan.checkMemory(.bf16)
        // With the activations of 2 rows of 48.
        let cost = plan.cost(.bf16)
        let needed = cost.stateBytes + Int(cost.activationBytes(tokens: 96))
        try plan.checkMemory(.bf16, available: needed)
        #expect(throws: TrainingError.memory(needed: needed, available: needed - 1)) {
            try plan.checkMemory(.bf16, available: needed - 1)
        }
        try plan.checkInitial()
        var tensors = try Data(contentsOf: out("initial/model.safetensors"))
        let name = try #require(tensors.range(of: Data("q_norm".utf8)))
        tensors.replaceSubrange(name, with: Data("q_narm".utf8))
        try tensors.write(to: out("initial/model.safetensors"))
        #expect(throws: CheckpointError.self) { try plan.checkInitial() }
        let lines = TrainingEstimate(plan, precision: .bf16, rate: 1e11).lines
        #expect(lines.contains { $0.contains("30 steps") })
        #expect(lines.contains { $0.hasPrefix("time of stages with documents") })
    }

    @Test func `tensors that the model does not have are refused, and so are biases of another size`() throws {
        let url = out("initial/config.json")
        var config = try TrainingFixture.json("train30/config.json").object ?? JSONObject()
        config["num_hidden_layers"] = 3
        try Data(JSONValue.object(config).serialized).write(to: url)
        for isPlan in [false, true] {
            #expect {
                if isPlan {
                    try TrainingPlan(recipe()).checkInitial()
                } else {
                    _ = try TrainingRun(recipe(), out: out("out"), threads: 1)
                }
            } throws: {
                guard case CheckpointError.mismatch(_, let problems) = $0 else { return false }
                return problems.count > 30
                    && problems.allSatisfy { $0.hasPrefix("unexpected: model.layers.3.") }
            }
        }
        let stored = try TrainingFixture.tensors("model_untied/model.safetensors")
        var other = try ModelConfig(directory: TrainingFixture.root.appending(path: "model_untied"))
        try TrainingModel.check(stored, other, in: url)
        other.experts = 7
        #expect {
            try TrainingModel.check(stored, other, in: url)
        } throws: {
            guard case CheckpointError.mismatch(_, let problems) = $0 else { return false }
            return problems.contains { $0.contains("1.mlp.expert_bias: F32 [8], expected") }
        }
    }

    @Test(arguments: [("n_group", 2), ("score_func", "softmax")] as [(String, JSONValue)])
    func `a model that cannot be trained is refused when the run is planned`(name: String, value: JSONValue) throws {
        var config = try TrainingFixture.json("train30/config.json").object ?? JSONObject()
        config[name] = value
        try Data(JSONValue.object(config).serialized).write(to: out("initial/config.json"))
        #expect {
            try TrainingPlan(recipe())
        } throws: {
            guard case TrainingError.unsupported(let reason) = $0 else { return false }
            return reason.hasPrefix(name)
        }
    }

    @Test func `null for SMEBU leaves the biases as they are`() throws {
        let recipe = try recipe {
            $0["smebu"] = .null
            $0["steps"] = 2
        }
        #expect(recipe.stages[0].hyperparameters.balancing == .off)
        try TrainingRun(recipe, out: out("out"), threads: 1).run { report in
            #expect((report.expertBias + report.biasMomentum).allSatisfy { $0.allSatisfy { $0 == 0 } })
        }
    }

    @Test func `a recipe may begin with a byte order mark, but no member may be given twice`() throws {
        let text = String(decoding: try recipe().json.serialized, as: UTF8.self)
        let url = out("marked.json")
        try Data("\u{FEFF}\(text)".utf8).write(to: url)
        #expect(try Recipe(url).json == recipe().json)
        try Data("\(text.dropLast()), \"initial\": \"other\"}".utf8).write(to: url)
        #expect {
            try Recipe(url)
        } throws: {
            "\($0)".contains("'initial' twice")
        }
    }

    @Test(arguments: Precision.allCases)
    func `a micro-batch larger than the available memory is refused by name`(precision: Precision) throws {
        let plan = try TrainingPlan(recipe())
        var memory = ActivationMemory(plan.config, precision)
        // 4 layers of hidden size 32: some thousand numbers.
        #expect((3_000...40_000).contains(memory.bytesPerToken))
        let batch = PackedBatch(rows: [
            [PackedBatch.Slot](
                repeating: PackedBatch.Slot(id: 1, document: 0, weight: 1), count: 48)
        ])
        try memory.check(batch, name: "step0.micro0")
        // What was allocated for a smaller micro-batch is available again.
        let larger = PackedBatch(rows: [
            [PackedBatch.Slot](repeating: PackedBatch.Slot(id: 1, document: 0, weight: 1), count: 96)
        ])
        let available = (precision == .bf16 ? 49 : 96) * memory.bytesPerToken
        try memory.check(larger, name: "step0.micro1", available: available)
        var huge = plan.config
        huge.hiddenSize = 1 << 40
        #expect {
            var memory = ActivationMemory(huge, precision)
            try memory.check(batch, name: "step0.micro0")
        } throws: {
            guard case TrainingError.activations("step0.micro0", 48, _, _) = $0 else { return false }
            return true
        }
        // Measuring a loss keeps one layer at a time.
        #expect(ActivationMemory(measuring: plan.config).bytesPerToken < memory.bytesPerToken)
    }

    @Test(
        arguments: [
            ("steps", 0, "hyperparameters.steps"), ("steps", 31, "hyperparameters.steps"),
            ("clip", "high", "hyperparameters.clip"), ("speed", 1, "hyperparameters.speed"),
            ("schedule", ["kind": "step"], "hyperparameters.schedule.kind"),
            ("adamw_lr", ["embedding": 1], "hyperparameters.adamw_lr.embedding"),
            ("adamw_betas", [0.9], "hyperparameters.adamw_betas"),
            ("auxfree", ["gamma": 0.1], "hyperparameters.auxfree"),
            ("schedule", ["kind": "cosine", "warmup": 30, "total": 30], "hyperparameters.schedule.warmup"),
            ("muon_lr", nil, "hyperparameters.muon_lr"), ("rows", "two", "hyperparameters.rows"),
            ("adamw_lr", ["head": nil], "hyperparameters.adamw_lr.head"),
        ] as [(String, JSONValue, String)])
    func `an error names the field of the recipe`(name: String, value: JSONValue, field: String) throws {
        #expect {
            try TrainingRun(recipe { $0[name] = value }, out: out("out"), threads: 1)
        } throws: {
            guard case TrainingError.recipe(let named, _) = $0 else { return false }
            return named == field
        }
    }

    @Test func `weights that are not finite end the run after three steps, and do not change`() throws {
        let run = try TrainingRun(recipe(), out: out("out"), threads: 1)
        let parameter = run.trainer.model.layout.parameter("model.norm.weight")
        run.trainer.model.weights.pointer(parameter)[0] = .nan
        var reports: [StepReport] = []
        #expect(throws: TrainingError.notFinite(step: 2)) { try run.run { reports.append($0) } }
        #expect(reports.count == 2 && reports.allSatisfy(\.isSkipped))
        #expect(run.trainer.updates == 0)
    }

    @Test func `a step without targets changes nothing, and the next one does`() throws {
        let run = try TrainingRun(recipe(), out: out("out"), threads: 1)
        let trainer = run.trainer
        func batch(weight: Float) -> PackedBatch {
            PackedBatch(rows: [(0..<8).map { PackedBatch.Slot(id: Int32($0), document: 0, weight: weight) }])
        }
        let before = trainer.model.weights.memory.array
        var statistics = RunStatistics()
        // As a step before leaves it.
        trainer.model.clock.add(\.forward)
        for _ in 0..<4 {
            let report = try trainer.train([batch(weight: 0)])
            #expect(report.isSkipped && report.crossEntropy == 0 && report.microCrossEntropy == [nil])
            #expect(trainer.model.clock.seconds == StepSeconds())
            statistics.add(report)
        }
        #expect(statistics.tokens == 32 && statistics.maximumViolations.isEmpty)
        #expect(trainer.model.weights.memory.array == before)
        #expect(trainer.step == 4 && trainer.updates == 0)
        // A micro-batch without targets has no loss of its own.
        let report = try trainer.train([batch(weight: 1), batch(weight: 0), batch(weight: 1)])
        #expect(!report.isSkipped && report.microCrossEntropy[1] == nil && report.batchHeterogeneity < 1e-6)
        #expect(trainer.model.weights.memory.array != before)
    }
}
