import Checkpoints
import Engine
import Foundation
import JSON
import Logging
import ModelTools
import Scheduling
import Synchronization
import TestSupport
import Testing

@testable import Training

/// A model that was trained, as the engine computes it.
@Suite struct TrainedModelTests {
    private let temporary: TemporaryModel

    init() throws {
        temporary = try TemporaryModel()
        try temporary.makeInitialModel()
        var lines = ""
        for index in 0..<30 {
            lines += "{\"text\": \"The number \(index) comes before \(index + 1), and the sun is warm today.\"}\n"
        }
        try temporary.write(Array(lines.utf8), to: "texts.jsonl")
        lines = ""
        for index in 40..<48 {
            lines += """
                {"messages": [{"role": "user", "content": "What follows \(index), my friend?"}, {"role": "assistant", \
                "content": "It is \(index + 1)."}]}

                """
        }
        try temporary.write(Array(lines.utf8), to: "held-out.jsonl")
    }

    private func out(_ name: String) -> URL { temporary.directory.appending(path: name) }

    @Test func `held-out loss is that of the engine, also quantized`() async throws {
        let recipe = try Recipe(
            parsing: [
                "initial": "initial", "seed": 1, "checkpoint_interval": 4,
                "held_out": ["jsonl": "held-out.jsonl", "interval": 3],
                "documents": [
                    "sources": [["jsonl": "texts.jsonl"]], "length": 64, "rows": 2, "micro_batches": 2, "buffer": 4,
                ],
                "hyperparameters": ["steps": 12, "muon_lr": 0.05],
            ], folder: out("recipe.json").deletingLastPathComponent())
        var reports: [HeldOutReport] = []
        let run = try TrainingRun(recipe, out: out("out"), threads: 2)
        try run.run(heldOut: { reports.append($0) }, report: { _ in })
        #expect(reports.map(\.step) == [3, 4, 6, 8, 9, 12])
        let best = try #require(run.statistics.best)
        let saved = reports.filter { [4, 8, 12].contains($0.step) }
        #expect(best.loss == saved.map(\.loss).min())
        let last = try #require(reports.last)
        let documents = try Self.documents(out("out"), out("held-out.jsonl"))
        let exact = try await Self.losses(out("out"), documents)
        #expect(last.documentLosses.count == 8 && exact.count == 8)
        for (own, engine) in zip(last.documentLosses, exact) { #expect(abs((own ?? .nan) - engine) < 1e-4) }
        // Exported as any other checkpoint.
        for format in [CheckpointQuantizer.Format.bf16, .fp8] {
            let quantizer = CheckpointQuantizer(
                source: out("out"), destination: out("\(format)"), format: format, roundsOthers: true)
            #expect(try quantizer.write().isEmpty)
            #expect(!FileManager.default.fileExists(atPath: out("\(format)/trainer.json").path))
            let losses = try await Self.losses(out("\(format)"), documents)
            let error = zip(losses, exact).reduce(0) { $0 + abs($1.0 - $1.1) } / 8
            #expect(error > 0 && error < (format == .bf16 ? 0.02 : 0.1), "\(format): \(error)")
        }
    }

    @Test func `a checkpoint in FP8 can be trained, with the weights that the server computes with`() throws {
        func recipe(_ initial: String) throws -> Recipe {
            var json: JSONObject = [
                "initial": .string(initial),
                "documents": ["sources": [["jsonl": "texts.jsonl"]], "length": 64, "rows": 1, "micro_batches": 1],
                "hyperparameters": ["steps": 1],
            ]
            if initial == "initial" { json["seed"] = 1 }
            return try Recipe(parsing: .object(json), folder: out("recipe.json").deletingLastPathComponent())
        }
        try TrainingRun(recipe("initial"), out: out("wide"), threads: 1).run { _ in }
        _ = try CheckpointQuantizer(source: out("wide"), destination: out("fp8"), format: .fp8).write()
        try TrainingPlan(recipe("fp8")).checkInitial()
        let run = try TrainingRun(recipe("fp8"), out: out("out"), threads: 1)
        let wide = try SafetensorsFile(out("wide/model.safetensors")).tensors
        let config = try ModelConfig(directory: out("fp8"))
        let checkpoint = try Checkpoint(
            directory: out("fp8"), config: config, quantization: QuantizationConfig(directory: out("fp8")))
        #expect(checkpoint.hasFloat8Matrices)
        for parameter in run.trainer.model.layout.parameters {
            let weights = Array(
                UnsafeBufferPointer(start: run.trainer.model.weights.pointer(parameter), count: parameter.count))
            let error = deviation(weights, try #require(wide[parameter.name]).doubles).relative
            if parameter.kind == .matrix {
                #expect(error > 0 && error < 0.04, "\(parameter.name): \(error)")
            } else {
                #expect(error == 0, "\(parameter.name)")
            }
        }
        for (index, bias) in run.trainer.model.biases.enumerated() {
            #expect(bias.contains { $0 != 0 } && bias == checkpoint.vector(run.trainer.model.biasName(index)))
        }
        try run.run { #expect($0.crossEntropy.isFinite) }
        // It is written in float32.
        _ = try TrainingModel(checkpoint: out("out"), pool: WorkerPool(threads: 1))
        try CheckpointQuantizer(source: out("wide"), destination: out("int4"), format: .int4).write()
        #expect(throws: TrainingError.self) { try TrainingPlan(recipe("int4")).checkInitial() }
    }

    @Test func `the best checkpoint stays when later ones are worse`() throws {
        let documents: JSONValue = [
            "sources": [["jsonl": "texts.jsonl"]], "length": 64, "rows": 2, "micro_batches": 2, "buffer": 4,
        ]
        let recipe = try Recipe(
            parsing: [
                "initial": "initial", "seed": 1, "checkpoint_interval": 2,
                "held_out": ["jsonl": "held-out.jsonl", "interval": 2],
                "stages": [
                    ["documents": documents, "hyperparameters": ["steps": 4]],
                    // Ruins the logits.
                    ["documents": documents, "hyperparameters": ["steps": 6, "adamw_lr": ["embed": 10, "head": 10]]],
                ],
            ], folder: out("recipe.json").deletingLastPathComponent())
        var reports: [HeldOutReport] = []
        let run = try TrainingRun(recipe, out: out("out"), threads: 1)
        try run.run(heldOut: { reports.append($0) }, report: { _ in })
        let best = try #require(run.statistics.best)
        #expect(best.step <= 4 && reports.map(\.step) == [2, 4, 6, 8, 10])
        let step = try JSONValue(parsing: [UInt8](Data(contentsOf: out("out/best/trainer.json"))))["step"]
        #expect(step?.integer == best.step)
        #expect(FileManager.default.fileExists(atPath: out("out/best/config.json").path))
        let names = try FileManager.default.contentsOfDirectory(atPath: out("out").path)
        #expect(!names.contains { $0.hasPrefix("step-") })
    }

    private static func documents(_ model: URL, _ file: URL) throws -> [Document] {
        let tokenizer = try DocumentTokenizer(folder: model, config: ModelConfig(directory: model))
        let source = DocumentSource(content: .lines(try LineFile(file), tokenizer))
        return try (0..<source.count).map { try source.document($0) }
    }

    /// The mean loss of each document's targets, by the engine's log-probabilities of a prompt.
    private static func losses(_ model: URL, _ documents: [Document]) async throws -> [Double] {
        var options = EngineOptions(modelDirectory: model)
        (options.pinsThreads, options.compute, options.threads) = (false, .exact, 1)
        let reports = DispatchSemaphore(value: 0)
        let failure = Mutex<String?>(nil)
        let engine = LLMEngine(
            options: options, tokenizer: nil, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            wake: { reports.signal() },
            onStateChange: {
                if case .failed(let reason) = $0 { failure.withLock { $0 = reason } }
                reports.signal()
            })
        engine.start()
        defer { engine.stop() }
        let requests = documents.enumerated().map { index, document in
            var request = GenerationRequest(
                id: SequenceID(UInt64(index)), promptIDs: document.ids, sampling: SamplingParameters(),
                stop: StopConditions(), maxTokens: 0)
            request.promptLogprobs = 0
            return request
        }
        #expect(engine.submit(requests))
        return await withCheckedContinuation { continuation in
            // On a separate thread: the shared thread pool of the tests may be busy for a long time.
            Thread.detachNewThread {
                var logprobs = [[Double]](repeating: [], count: documents.count)
                var live = Set(requests.map(\.id))
                while !live.isEmpty, failure.withLock({ $0 }) == nil {
                    reports.wait()
                    for event in engine.takeReport().events {
                        guard let index = requests.firstIndex(where: { $0.id == event.sequence }) else { continue }
                        logprobs[index] += event.promptLogprobs.map { Double($0.logprob) }
                        if event.finish != nil { live.remove(event.sequence) }
                    }
                }
                if let reason = failure.withLock({ $0 }) { Issue.record("\(reason)") }
                continuation.resume(
                    returning: zip(documents, logprobs).map { document, logprobs in
                        guard logprobs.count == document.count - 1 else { return .nan }
                        let weights = (1..<document.count).map { Double(document.weight($0)) }
                        return -zip(weights, logprobs).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
                    })
            }
        }
    }
}
