import Checkpoints
import Engine
import Foundation
import TestSupport
import Testing

@testable import Training

/// Gradients with products in bfloat16, against the float64 vectors and between threads and kernels.
@Suite struct BFloat16Tests {
    /// |a - b| / |b| of the vector of all elements.
    private func distance(_ a: [Float], _ b: [Double]) -> Double {
        let error = zip(a, b).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
        return (error / b.reduce(1e-300) { $0 + $1 * $1 }).squareRoot()
    }

    @Test(arguments: ["model_untied", "model_tied"], KernelSet.available)
    func `the loss is near that of the reference`(name: String, kernels: KernelSet) throws {
        let sample = try GradientTests.Sample(name, precision: .bf16, kernels: kernels)
        let batch = PackedBatch(rows: sample.slots)
        let loss = sample.model.accumulate(batch, try sample.objective(batch))
        let expected = try #require(sample.result["cross_entropy"]?.double)
        #expect(abs(loss.crossEntropy - expected) < 0.01 * expected)
        let exact = try GradientTests.Sample(name)
        let logits = exact.model.accumulate(batch, try exact.objective(batch)).logits
        #expect(loss.logits.count == logits.count)
        #expect(abs(loss.logits.largest - logits.largest) < 0.05 * logits.largest)
        #expect(abs(loss.logits.mean - logits.mean) < 0.05 * logits.mean)
        for counts in loss.expertCounts {
            #expect(counts.reduce(0, +) == batch.tokens * sample.model.config.expertsPerToken)
        }
    }

    /// Every token takes all experts: with fewer, rounding changes the choice between experts of nearly equal scores.
    @Test(arguments: ["model_untied", "model_tied"], KernelSet.available)
    func `every gradient is near the exact one`(name: String, kernels: KernelSet) throws {
        let sample = try GradientTests.Sample(name)
        let batch = PackedBatch(rows: sample.slots)
        var config = sample.model.config
        config.expertsPerToken = config.experts
        func trained(_ precision: Precision) throws -> TrainingModel {
            let pool = WorkerPool(threads: 2, spinning: .zero)
            let model = try TrainingModel(config, pool: pool, precision: precision, kernels: kernels)
            model.weights.memory.base.update(from: sample.model.weights.memory.base, count: model.layout.count)
            model.biases = sample.model.biases
            model.beginStep()
            _ = model.accumulate(batch, try sample.objective(batch))
            return model
        }
        let (exact, rounded) = (try trained(.exact), try trained(.bf16))
        expectGradients(of: rounded, near: exact, within: 0.06)
    }

    private func expectGradients(of rounded: TrainingModel, near exact: TrainingModel, within limit: Double) {
        for parameter in exact.layout.parameters {
            func gradient(_ model: TrainingModel) -> [Float] {
                Array(UnsafeBufferPointer(start: model.gradients.pointer(parameter), count: parameter.count))
            }
            let error = distance(gradient(rounded), gradient(exact).map { Double($0) })
            #expect(error < limit, "\(parameter.name)")
        }
    }

    /// The rows of such a model's matrices have gaps.
    @Test(arguments: [24, 33], KernelSet.available)
    func `every gradient is near the exact one for a hidden size that is no multiple of sixteen`(
        hidden: Int, kernels: KernelSet
    ) throws {
        let sample = try GradientTests.Sample("model_untied")
        let batch = PackedBatch(rows: sample.slots)
        var config = sample.model.config
        (config.hiddenSize, config.intermediateSize, config.expertIntermediateSize) = (hidden, 31, 7)
        config.expertsPerToken = config.experts
        func trained(_ precision: Precision) throws -> TrainingModel {
            let pool = WorkerPool(threads: 2, spinning: .zero)
            let model = try TrainingModel(config, pool: pool, precision: precision, kernels: kernels)
            InitialWeights(seed: 1).fill(model)
            model.beginStep()
            let loss = model.accumulate(batch, try sample.objective(batch))
            #expect(loss.crossEntropy.isFinite)
            return model
        }
        let (exact, rounded) = (try trained(.exact), try trained(.bf16))
        expectGradients(of: rounded, near: exact, within: 0.1)
    }

    @Test func `the gaps between rows of scratch memory are zero, whatever was there before`() {
        for value in [UInt16.max, 0] {
            Scratch.with(bytes: 1 << 14) { scratch in
                let matrix = scratch.rounded(100, 24)
                for row in 0..<100 {
                    #expect((24..<32).allSatisfy { matrix.row(row)[$0] == 0 })
                    matrix.row(row).update(repeating: value, count: 32)
                }
            }
        }
    }

    /// Two experts of each layer get all tokens, whatever is rounded, and the others none.
    @Test func `experts without tokens, and micro-batches of padding, have no gradient`() throws {
        let sample = try GradientTests.Sample("model_untied")
        var config = sample.model.config
        config.expertsPerToken = 2
        let batches = [
            PackedBatch(rows: sample.slots), PackedBatch(rows: [[PackedBatch.Slot(id: 0, document: -1, weight: 0)]]),
        ]
        func trained(_ precision: Precision) throws -> TrainingModel {
            let model = try TrainingModel(
                config, pool: WorkerPool(threads: 2, spinning: .zero), precision: precision, kernels: .portable)
            model.weights.memory.base.update(from: sample.model.weights.memory.base, count: model.layout.count)
            model.biases = model.biases.map { bias in bias.indices.map { $0 < 2 ? 9 : 0 } }
            model.beginStep()
            for batch in batches {
                let loss = model.accumulate(batch, try sample.objective(batches[0]))
                for counts in loss.expertCounts {
                    #expect(counts == counts.indices.map { $0 < 2 ? batch.tokens : 0 })
                }
            }
            return model
        }
        let (exact, rounded) = (try trained(.exact), try trained(.bf16))
        var idle = 0
        for parameter in exact.layout.parameters {
            func gradient(_ model: TrainingModel) -> [Float] {
                Array(UnsafeBufferPointer(start: model.gradients.pointer(parameter), count: parameter.count))
            }
            let (a, b) = (gradient(exact), gradient(rounded))
            #expect(distance(b, a.map { Double($0) }) < 0.1, "\(parameter.name)")
            if a.allSatisfy({ $0 == 0 }) {
                #expect(b.allSatisfy { $0 == 0 } && parameter.name.contains(".experts."), "\(parameter.name)")
                idle += 1
            }
        }
        #expect(idle == 3 * (config.experts - 2) * (config.layers - config.denseLayers))
    }

    @Test func `what is kept for a micro-batch is what was announced`() throws {
        for name in ["model_untied", "model_tied"] {
            let sample = try GradientTests.Sample(name)
            let config = sample.model.config
            let layers = (0..<config.layers).map {
                LayerParameters(layer: $0, config: config, layout: sample.model.layout)
            }
            let packed = PackedParameters(layers, head: sample.model.layout.parameter("model.embed_tokens.weight"))
            let tokens = 4096
            let workspace = RoundedWorkspace(packed, RoundedShape(config), tokens: tokens)
            let announced = ActivationMemory(config, .bf16).bytesPerToken * tokens
            // The slots that begin each expert are not announced.
            #expect(Double(abs(workspace.bytes - announced)) < 0.02 * Double(announced), "\(name)")
        }
    }

    @Test(arguments: KernelSet.available)
    func `gradients have the same bits with one, two and three threads`(kernels: KernelSet) throws {
        var results: [[Float]] = []
        for threads in 1...3 {
            let sample = try GradientTests.Sample("model_untied", threads: threads, precision: .bf16, kernels: kernels)
            // Several chunks of tokens, of experts and of the head.
            let batch = PackedBatch(rows: (0..<12).flatMap { _ in sample.slots })
            for _ in 0..<2 { _ = sample.model.accumulate(batch, try sample.objective(batch)) }
            results.append(sample.model.gradients.memory.array)
        }
        #expect(results[0].contains { $0 != 0 })
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    /// Several tiles, blocks of keys and segments, with and without a window, compared with the exact attention.
    @Test(arguments: [nil, 7, 100, 200] as [Int?], KernelSet.available)
    func `attention over long pieces agrees with the exact one`(window: Int?, set: KernelSet) throws {
        let (tokens, d, heads) = (620, 24, 4)
        let pieces = [0..<17, 17..<571, 571..<572, 572..<620]
        var random = SplitMix64(state: 5)
        let kernels = set.trainingKernels
        func values(_ columns: Int) -> (exact: Buffer<Float>, rounded: RoundedMatrix, memory: Buffer<UInt16>) {
            let exact = Buffer<Float>(
                (0..<tokens * columns).map { _ in Float(random.below(2000)) / 500 - 2 })
            let memory = Buffer<UInt16>(count: tokens * columns)
            kernels.round(exact.base, count: exact.count, into: memory.base)
            kernels.widen(memory.base, count: exact.count, into: exact.base)
            return (exact, RoundedMatrix(memory.base, rows: tokens, columns: columns), memory)
        }
        let (q, k, v, change) = (values(heads * d), values(2 * d), values(2 * d), values(heads * d))
        let pool = WorkerPool(threads: 2, spinning: .zero)
        let exact = PackedAttention(
            pieces: pieces, heads: heads, keyValueHeads: 2, headDimension: d, window: window,
            products: try MatrixProducts(pool: pool))
        let attention = RoundedAttention(
            pieces: pieces, heads: heads, keyValueHeads: 2, headDimension: d, window: window, kernels: kernels,
            pool: pool)
        func matrix(_ memory: Buffer<Float>) -> Matrix { memory.matrix(tokens, memory.count / tokens) }
        let (out, sums) = (Buffer<Float>(count: q.exact.count), Buffer<Float>(count: tokens * heads))
        exact.forward(
            q: matrix(q.exact), k: matrix(k.exact), v: matrix(v.exact), into: matrix(out), logSums: matrix(sums))
        let (memory, roundedSums) = (Buffer<UInt16>(count: q.exact.count), Buffer<Float>(count: tokens * heads))
        attention.forward(
            queries: q.rounded, keys: k.rounded, values: v.rounded,
            into: RoundedMatrix(memory.base, rows: tokens, columns: heads * d), logSums: roundedSums.base)
        let actual = Buffer<Float>(count: out.count)
        kernels.widen(memory.base, count: out.count, into: actual.base)
        #expect(distance(actual.array, out.array.map { Double($0) }) < 5e-3)
        #expect(deviation(roundedSums.array, sums.array.map { Double($0) }).absolute < 1e-4)

        let (dq, dk, dv) = (
            Buffer<Float>(count: q.exact.count), Buffer<Float>(count: k.exact.count),
            Buffer<Float>(count: k.exact.count)
        )
        exact.backward(
            q: matrix(q.exact), k: matrix(k.exact), v: matrix(v.exact), out: matrix(out), logSums: matrix(sums),
            dOut: matrix(change.exact), dq: matrix(dq), dk: matrix(dk), dv: matrix(dv))
        let deltas = Buffer<Float>(
            (0..<tokens * heads).map { index in
                (0..<d).reduce(Float(0)) { $0 + change.exact.base[index * d + $1] * out.base[index * d + $1] }
            })
        let stride = (heads + 4) * d
        let gradients = Buffer([Float](repeating: .nan, count: tokens * stride))
        attention.backward(
            queries: q.rounded, keys: k.rounded, values: v.rounded, dOut: change.rounded, logSums: roundedSums.base,
            deltas: deltas.base,
            into: RoundedAttention.Gradients(
                queries: gradients.base, keys: gradients.base + heads * d, values: gradients.base + (heads + 2) * d,
                stride: stride))
        for (expected, first) in [(dq, 0), (dk, heads * d), (dv, (heads + 2) * d)] {
            let width = expected.count / tokens
            let part = (0..<tokens).flatMap { token in
                (0..<width).map { gradients.base[token * stride + first + $0] }
            }
            #expect(distance(part, expected.array.map { Double($0) }) < 1e-2)
        }
        withExtendedLifetime((q, k, v, change)) {}
    }
}
