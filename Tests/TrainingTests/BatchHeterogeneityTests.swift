import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

/// The simulation of `rsdb.json`: the loss of a token is the level of its document, whose domain is one of three. Each
/// micro-batch has a stream of its own.
@Suite struct BatchHeterogeneityTests {
    /// A normal number (Box and Muller).
    private struct Normal {
        var random: SplitMix64

        mutating func next(_ mean: Double, _ deviation: Double) -> Double {
            let uniform = (Double(random.next() >> 11) + 1) * 0x1p-53
            let angle = 2 * Double.pi * Double(random.next() >> 11) * 0x1p-53
            return mean + deviation * (-2 * log(uniform)).squareRoot() * cos(angle)
        }
    }

    private static let (rowLength, rows, microBatches, steps, buffer) = (1024, 4, 8, 400, 128)
    private static let domains = [(1.2, 0.15), (2.2, 0.2), (3.4, 0.3)]

    /// The mean BatchHet of the steps, and the variance of their losses.
    private static func simulate(packing: DocumentLoader.Packing, seed: UInt64) -> (het: Double, variance: Double) {
        let options = DocumentLoader.Options(
            packing: packing, length: rowLength, rows: rows, microBatches: microBatches, buffer: buffer, seed: seed)
        var noise = Normal(random: SplitMix64(state: ~seed))
        var losses = [[Double]](repeating: [], count: steps)
        for stream in 0..<microBatches {
            var normal = Normal(random: SplitMix64(state: seed << 8 | UInt64(stream)))
            // As many documents as the steps can need.
            let documents = (0..<4000).map { _ in
                let length = Int(min(max(exp(normal.next(log(500), 1.6)), 8), 1e9))
                let domain = domains[normal.random.below(domains.count)]
                return (length: length, level: normal.next(domain.0, domain.1))
            }
            var state = DocumentPacking(options, stream: stream)
            for step in 0..<steps {
                var (sum, count) = (0.0, 0)
                for _ in 0..<rows {
                    let pieces = state.nextRow { $0 < documents.count ? documents[$0].length : nil } ?? []
                    for piece in pieces {
                        sum += Double(piece.count) * documents[piece.document].level
                        count += piece.count
                    }
                }
                precondition(count == rows * rowLength, "there are enough documents")
                losses[step].append(sum / Double(count) + noise.next(0, 1 / Double(count).squareRoot()))
            }
        }
        let reports = losses.map { StepReport(microCrossEntropy: $0) }
        let means = losses.map { $0.reduce(0, +) / Double(microBatches) }
        let mean = means.reduce(0, +) / Double(steps)
        return (
            reports.reduce(0) { $0 + $1.batchHeterogeneity } / Double(steps),
            means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(steps)
        )
    }

    @Test func `the buffer lowers BatchHet and the variance of the loss as the reference does`() throws {
        let results = try TrainingFixture.json("rsdb.json")["simulation"]?["results"]
        let reference = try #require(results?[0]?["batch_het_rsdb"]?.double)
        var (het, variance, own) = (0.0, 0.0, 0.0)
        let seeds: ClosedRange<UInt64> = 1...3
        for seed in seeds {
            let sequential = Self.simulate(packing: .sequential, seed: seed)
            let buffered = Self.simulate(packing: .rsdb, seed: seed)
            het += sequential.het / buffered.het / Double(seeds.count)
            variance += sequential.variance / buffered.variance / Double(seeds.count)
            own += buffered.het / Double(seeds.count)
        }
        #expect(het >= 1.6, "\(het)")
        #expect(variance >= 2.5, "\(variance)")
        #expect(abs(own / reference - 1) < 0.1, "\(own), expected \(reference)")
    }
}

extension StepReport {
    /// A report of losses alone.
    fileprivate init(microCrossEntropy: [Double]) {
        self.init(
            step: 0, learningRateFactor: 1, crossEntropy: 0, z: 0, balance: 0, objective: 0, targetWeight: 1, tokens: 0,
            gradientNorm: 0, clipFactor: 1, isSkipped: false, microCrossEntropy: microCrossEntropy, expertCounts: [],
            expertBias: [], biasMomentum: [])
    }
}
