import Checkpoints
import Engine
import Foundation
import JSON
import Testing

@testable import Training

/// The gradient of every tensor against float64 vectors.
@Suite struct GradientTests {
    /// A small model with random weights, its batch and the reference's results.
    struct Sample {
        let model: TrainingModel
        let slots: [[PackedBatch.Slot]]
        let gradients: [String: StoredTensor]
        let result: JSONValue

        init(
            _ name: String, threads: Int = 1, precision: Precision = .exact, kernels: KernelSet = .portable
        ) throws {
            let folder = TrainingFixture.root.appending(path: name)
            model = try TrainingModel(
                checkpoint: folder, pool: WorkerPool(threads: threads, spinning: .zero), precision: precision,
                kernels: kernels)
            model.beginStep()
            let batch = try TrainingFixture.tensors("\(name)/batch.safetensors")
            let ids = try #require(batch["ids"])
            let (idValues, documents) = (ids.integers, try #require(batch["document"]).integers)
            let weights = try #require(batch["weight"]).floats
            let length = ids.shape[1]
            slots = (0..<ids.shape[0]).map { row in
                (row * length..<(row + 1) * length).map {
                    PackedBatch.Slot(id: Int32(idValues[$0]), document: documents[$0], weight: weights[$0])
                }
            }
            gradients = try TrainingFixture.tensors("\(name)/gradients.safetensors")
            result = try TrainingFixture.json("\(name)/result.json")
        }

        func objective(_ batch: PackedBatch) throws -> StepObjective {
            StepObjective(
                zFactor: try #require(result["zeta"]?.double), balanceFactor: try #require(result["alpha"]?.double),
                targetWeight: batch.targetWeight, rows: batch.rows.count)
        }

        /// The largest error of a tensor, relative to its largest element.
        func worst() throws -> (name: String, error: Double) {
            var worst = (name: "", error: -1.0)
            for parameter in model.layout.parameters {
                let actual = Array(
                    UnsafeBufferPointer(start: model.gradients.pointer(parameter), count: parameter.count))
                let error = deviation(actual, try #require(gradients[parameter.name]).doubles).relative
                if !(error <= worst.error) { worst = (parameter.name, error) }
            }
            return worst
        }
    }

    @Test(arguments: ["model_untied", "model_tied"])
    func `loss, counts and every gradient agree with the reference`(name: String) throws {
        let sample = try Sample(name)
        let batch = PackedBatch(rows: sample.slots)
        #expect(batch.targetWeight == sample.result["target_weight_sum"]?.double)
        let objective = try sample.objective(batch)
        let loss = sample.model.accumulate(batch, objective)
        for (value, member) in [(loss.crossEntropy, "cross_entropy"), (loss.z, "z"), (loss.balance, "balance")] {
            let expected = try #require(sample.result[member]?.double)
            #expect(abs(value - expected) < 1e-5, "\(member): \(value), expected \(expected)")
        }
        let counts = (sample.result["expert_counts"]?.array ?? []).map { ($0.array ?? []).compactMap(\.integer) }
        #expect(loss.expertCounts == counts)
        let worst = try sample.worst()
        #expect(worst.error < 1e-4, "\(worst.name)")
        #expect(sample.gradients.count == sample.model.layout.parameters.count + 1)
    }

    @Test func `rows one by one give the gradient of the whole batch`() throws {
        let sample = try Sample("model_untied")
        let objective = try sample.objective(PackedBatch(rows: sample.slots))
        var crossEntropy = 0.0
        for row in sample.slots {
            crossEntropy += sample.model.accumulate(PackedBatch(rows: [row]), objective).crossEntropy
        }
        let expected = try #require(sample.result["cross_entropy"]?.double)
        #expect(abs(crossEntropy - expected) < 1e-5)
        let worst = try sample.worst()
        #expect(worst.error < 1e-4, "\(worst.name)")
    }

    @Test func `gradients have the same bits with one, two and three threads`() throws {
        var results: [[Float]] = []
        for threads in 1...3 {
            let sample = try Sample("model_untied", threads: threads)
            // Several pieces of all sums over positions.
            let batch = PackedBatch(rows: (0..<12).flatMap { _ in sample.slots })
            _ = sample.model.accumulate(batch, try sample.objective(batch))
            results.append(sample.model.gradients.memory.array)
        }
        #expect(results[0].contains { $0 != 0 })
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    /// Names of tensors that begin with one of some prefixes.
    private static let frozenPrefixes: [[String]] = [
        ["model.layers.1."], ["model.embed_tokens", "model.layers.0.", "model.layers.1.mlp.experts.1.down"],
        ["model.layers.", "model.embed_tokens"], ["lm_head", "model.norm", "model.layers.2."],
    ]

    @Test(arguments: Precision.allCases, frozenPrefixes)
    func `gradients of trained tensors have the same bits, whatever is frozen`(
        precision: Precision, prefixes: [String]
    ) throws {
        let sample = try Sample("model_untied", precision: precision)
        let names = sample.model.layout.parameters.map(\.name).filter { name in prefixes.contains { name.hasPrefix($0) }
        }
        #expect(!names.isEmpty)
        let model = try TrainingModel(
            checkpoint: TrainingFixture.root.appending(path: "model_untied"),
            pool: WorkerPool(threads: 2, spinning: .zero), precision: precision, kernels: .portable,
            frozen: Set(names))
        let batch = PackedBatch(rows: sample.slots)
        // In the second step frozen weights are packed already.
        for _ in 0..<2 {
            sample.model.beginStep()
            model.beginStep()
            let loss = model.accumulate(batch, try sample.objective(batch))
            #expect(loss == sample.model.accumulate(batch, try sample.objective(batch)))
        }
        var kept = 0
        for parameter in model.layout.parameters {
            let gradient = model.gradients.kept(parameter)
            #expect((gradient == nil) == names.contains(parameter.name))
            guard let gradient else { continue }
            kept += ParameterLayout.room(for: parameter)
            let expected = sample.model.gradients.matrix(parameter)
            #expect(
                (0..<parameter.count).allSatisfy { gradient.base[$0] == expected.base[$0] }, "\(parameter.name)")
        }
        #expect(model.gradients.memory.count == kept)
    }

    /// Changes of the small model's shape: without a shared expert, without normalized routes, with experts only, without experts.
    private static let shapes: [@Sendable (inout ModelConfig) -> Void] = [
        { $0.sharedExperts = 0 }, { $0.normalizesRoutes = false }, { $0.denseLayers = 0 },
        { $0.denseLayers = $0.layers },
    ]

    /// Along the gradient of a tensor the objective changes by its norm.
    @Test(arguments: shapes.indices)
    func `gradients of other shapes are those of the objective`(shape: Int) throws {
        let sample = try Sample("model_untied")
        var config = sample.model.config
        Self.shapes[shape](&config)
        config.expertsPerToken = 2
        let model = try TrainingModel(config, pool: WorkerPool(threads: 2, spinning: .zero))
        InitialWeights(seed: 1).fill(model)
        // The choice of experts must not change with the weights.
        model.biases = model.biases.map { bias in bias.indices.map { $0 < 2 ? 9 : 0 } }
        // The second micro-batch is padding only.
        let batches = [
            PackedBatch(rows: sample.slots), PackedBatch(rows: [[PackedBatch.Slot(id: 0, document: -1, weight: 0)]]),
        ]
        // Large factors, so that all parts count.
        let objective = StepObjective(
            zFactor: 0.01, balanceFactor: 0.1, targetWeight: batches[0].targetWeight,
            rows: batches[0].rows.count + 1)
        func value() -> Double {
            model.beginStep()
            return batches.reduce(0) { sum, batch in
                let loss = model.accumulate(batch, objective)
                return sum + loss.crossEntropy + objective.zFactor * loss.z + objective.balanceFactor * loss.balance
            }
        }
        _ = value()
        let gradients = model.gradients.memory.array
        var checked = 0
        for parameter in model.layout.parameters where parameter.offset % 5 == 0 || parameter.kind == .router {
            let gradient = gradients[parameter.offset..<parameter.offset + parameter.count]
            let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            let weights = model.weights.pointer(parameter)
            let before = Array(UnsafeBufferPointer(start: weights, count: parameter.count))
            let size = before.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            let step = 0.003 * size
            guard norm * step > 3e-5, checked < 10 else { continue }
            func moved(_ sign: Double) -> Double {
                for (index, element) in gradient.enumerated() {
                    weights[index] = before[index] + Float(sign * step / norm * Double(element))
                }
                return value()
            }
            let change = (moved(1) - moved(-1)) / (2 * step)
            weights.update(from: before, count: before.count)
            #expect(abs(change / norm - 1) < 0.03, "\(parameter.name): \(change), expected \(norm)")
            checked += 1
        }
        #expect(checked >= 4)
    }
}
