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
            let batch = PackedBatch(rows: sample.slots)
            _ = sample.model.accumulate(batch, try sample.objective(batch))
            results.append(sample.model.gradients.memory.array)
        }
        #expect(results[0].contains { $0 != 0 })
        #expect(results[0] == results[1] && results[0] == results[2])
    }
}
