import Testing

@testable import Checkpoints
@testable import Engine

/// Experts are read in batches, by one thread each or by all threads together. The weights do not depend on that.
@Suite struct WeightReaderTests {
    @Test(
        arguments: ["a_base", "e_bf16", "f3_fp8_ct_block"],
        [nil, .float8, .int8, .int4(groupColumns: 32)] as [WeightQuantization?])
    func `weights do not depend on batches, threads or nodes`(name: String, quantizing: WeightQuantization?) throws {
        let model = try ModelCase(name)
        // A checkpoint in FP8 is not quantized to FP8 again.
        if quantizing == .float8, try model.checkpoint().checkpoint.hasFloat8Matrices { return }
        let expertElements = 3 * model.config.hiddenSize * model.config.expertIntermediateSize
        let kernels = KernelTable.best(.exact)
        func read(_ experts: Int, _ nodes: NodePlan) throws -> [[Float]] {
            let checkpoint = try ModelFiles(model.directory).checkpoint(model.config, quantizing: quantizing)
            let weights = try ModelWeights(
                checkpoint: checkpoint, config: model.config,
                pool: WorkerPool(threads: nodes.threads, nodes: nodes, spinning: .zero), kernels: kernels,
                batchElements: experts * expertElements)
            return Self.rows(weights, kernels)
        }
        // Each matrix by itself.
        let reference = try read(1, NodePlan(threads: 2))
        #expect(reference.contains { $0.contains { $0 != 0 } })
        for threads in [1, 2, 100] {
            for experts in [3, 1000] {
                #expect(try read(experts, NodePlan(threads: threads)) == reference, "\(threads) threads, \(experts)")
            }
        }
        #expect(try read(3, NodePlan(ofThreads: [0, 1])) == reference)
    }

    /// Returns the first and the last row of every matrix of the experts.
    private static func rows(_ weights: ModelWeights, _ kernels: KernelTable) -> [[Float]] {
        var rows: [[Float]] = []
        for layer in weights.layers {
            guard case .experts(let mixture) = layer.mlp else { continue }
            for expert in mixture.experts {
                for matrix in [expert.gate, expert.up, expert.down] {
                    for row in [0, matrix.rows - 1] {
                        var numbers = [Float](repeating: 0, count: matrix.columns)
                        matrix.unpack(row: row, factor: 1, into: &numbers, kernels: kernels)
                        rows.append(numbers)
                    }
                }
            }
        }
        return rows
    }
}
