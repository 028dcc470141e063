import Checkpoints
import Foundation
import Testing

@testable import Engine

struct RotaryEmbeddingTests {
    private func angles(_ config: RoPEConfig, headDimension: Int, position: Int) -> (cosines: [Float], sines: [Float]) {
        var cosines = [Float](repeating: .nan, count: headDimension / 2)
        var sines = cosines
        RotaryEmbedding(config, headDimension: headDimension).fill(
            position: position, cosines: &cosines, sines: &sines)
        return (cosines, sines)
    }

    @Test
    func `pair t rotates by position times theta to the -2t over d`() {
        let (cosines, sines) = angles(RoPEConfig(theta: 10000), headDimension: 4, position: 3)
        #expect(zip(cosines, [cos(3.0), cos(0.03)]).allSatisfy { abs(Double($0) - $1) < 1e-7 })
        #expect(zip(sines, [sin(3.0), sin(0.03)]).allSatisfy { abs(Double($0) - $1) < 1e-7 })
    }

    @Test
    func `linear scaling stretches positions`() {
        let stretched = angles(RoPEConfig(theta: 500, scaling: .linear(factor: 4)), headDimension: 8, position: 20)
        let plain = angles(RoPEConfig(theta: 500), headDimension: 8, position: 5)
        #expect(stretched == plain)
    }

    @Test
    func `yarn keeps fast pairs, stretches slow ones, and scales both factors`() {
        let scaling = RoPEConfig.Scaling.yarn(
            factor: 8, originalMaxPositions: 4096, betaFast: 32, betaSlow: 1, truncates: true, attentionFactor: 1.5)
        let yarn = RotaryEmbedding(RoPEConfig(theta: 10000, scaling: scaling), headDimension: 128)
        let plain = RotaryEmbedding(RoPEConfig(theta: 10000), headDimension: 128)
        // The bounds of the ramp: 128 ln(4096 / (2 pi r)) / (2 ln 10000) is 20.9 for r = 32 and 45.03 for r = 1.
        #expect(yarn.inverseFrequencies.prefix(21) == plain.inverseFrequencies.prefix(21))
        #expect(yarn.inverseFrequencies.dropFirst(46) == plain.inverseFrequencies.dropFirst(46).map { $0 / 8 }[...])
        for t in 21..<46 {
            #expect(yarn.inverseFrequencies[t] <= plain.inverseFrequencies[t])
            #expect(yarn.inverseFrequencies[t] >= plain.inverseFrequencies[t] / 8)
        }
        let (cosines, _) = angles(RoPEConfig(theta: 10000, scaling: scaling), headDimension: 128, position: 0)
        #expect(cosines.allSatisfy { $0 == 1.5 })
    }
}
