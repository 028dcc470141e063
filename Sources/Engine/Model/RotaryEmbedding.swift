import Checkpoints
import Foundation

/// The angles of rotary positions: cos and sin of position * inverse frequency, multiplied by YaRN's attention factor.
///
/// Frequencies and angles are float32, as in the reference. Cos and sin are computed in float64 and rounded once.
package struct RotaryEmbedding {
    /// (headDimension / 2)
    let inverseFrequencies: [Float]
    /// The factor of both cos and sin.
    let factor: Double

    package init(_ config: RoPEConfig, headDimension: Int) {
        let base = (0..<headDimension / 2).map { pow(config.theta, -2 * Double($0) / Double(headDimension)) }
        switch config.scaling {
        case .none:
            inverseFrequencies = base.map { Float($0) }
            factor = 1
        case .linear(let linearFactor):
            inverseFrequencies = base.map { Float($0 / linearFactor) }
            factor = 1
        case .yarn(let scale, let original, let betaFast, let betaSlow, let truncates, let attentionFactor):
            let ramp = Self.yarnRamp(
                theta: config.theta, headDimension: headDimension, original: original, betaFast: betaFast,
                betaSlow: betaSlow, truncates: truncates)
            inverseFrequencies = zip(base, ramp).map { Float($0 * (1 - $1) + $0 / scale * $1) }
            factor = attentionFactor
        }
    }

    /// Writes cos and sin of one position, (headDimension / 2) each.
    package func fill(position: Int, cosines: UnsafeMutablePointer<Float>, sines: UnsafeMutablePointer<Float>) {
        for (index, frequency) in inverseFrequencies.enumerated() {
            let angle = Double(Float(position) * frequency)
            cosines[index] = Float(cos(angle) * factor)
            sines[index] = Float(sin(angle) * factor)
        }
    }

    /// Returns a ramp for each frequency: 0 where it is unchanged, 1 where it is divided by the factor, and linear in between
    /// (YaRN, arXiv 2309.00071, section 3.2).
    private static func yarnRamp(
        theta: Double, headDimension: Int, original: Int, betaFast: Double, betaSlow: Double, truncates: Bool
    ) -> [Double] {
        func dimension(rotations: Double) -> Double {
            Double(headDimension) * log(Double(original) / (2 * .pi * rotations)) / (2 * log(theta))
        }
        var low = dimension(rotations: betaFast)
        var high = dimension(rotations: betaSlow)
        if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
        low = max(low, 0)
        high = min(high, Double(headDimension - 1))
        if low == high { high += 0.001 }
        return (0..<headDimension / 2).map { min(max((Double($0) - low) / (high - low), 0), 1) }
    }
}
