import Foundation

/// Updates the biases of a router once per step, so that its experts receive equal numbers of tokens. A bias is used only to
/// choose experts and has no gradient.
public enum ExpertBalancing: Sendable, Equatable {
    /// SMEBU: bounded steps with momentum (arXiv 2602.17004, equations 23 to 28).
    case smebu(lambda: Double, beta: Double, kappa: Double)
    /// Steps of a fixed size, re-centered (arXiv 2602.17004, equations 19 to 22).
    case auxFree(gamma: Double)
    /// The biases do not change.
    case off

    /// Updates the biases of one layer.
    ///
    /// - Parameters:
    ///   - bias, momentum: (experts).
    ///   - counts: the number of tokens of each expert in all micro-batches of the step. If all are zero, nothing changes.
    public func update(bias: inout [Float], momentum: inout [Float], counts: [Int]) {
        let mean = Double(counts.reduce(0, +)) / Double(counts.count)
        guard mean > 0 else { return }
        switch self {
        case .smebu(let lambda, let beta, let kappa):
            var steps = counts.map { lambda * tanh(kappa * (mean - Double($0)) / mean) }
            let center = steps.reduce(0, +) / Double(steps.count)
            for index in steps.indices {
                steps[index] -= center
                momentum[index] = Float(beta * Double(momentum[index]) + (1 - beta) * steps[index])
                bias[index] += momentum[index]
            }
        case .auxFree(let gamma):
            var moved = zip(bias, counts).map { bias, count in
                let distance = mean - Double(count)
                return Double(bias) + (distance > 0 ? gamma : distance < 0 ? -gamma : 0)
            }
            let center = moved.reduce(0, +) / Double(moved.count)
            for index in moved.indices {
                moved[index] -= center
                bias[index] = Float(moved[index])
            }
        case .off: break
        }
    }

    /// Returns (max - mean) / mean of the experts' token counts (equation 42); 0 if there are no tokens.
    public static func maximumViolation(_ counts: [Int]) -> Double {
        let mean = Double(counts.reduce(0, +)) / Double(counts.count)
        guard mean > 0, let largest = counts.max() else { return 0 }
        return (Double(largest) - mean) / mean
    }
}
