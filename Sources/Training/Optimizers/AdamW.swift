import Foundation

/// The AdamW optimizer (Loshchilov and Hutter, arXiv 1711.05101), used for embeddings, head, router and gains.
public struct AdamW: Sendable, Equatable {
    public var beta1 = 0.9
    public var beta2 = 0.95
    public var epsilon = 1e-8
    public var weightDecay = 0.0

    public init() {}

    /// Updates `count` parameters.
    ///
    /// - Parameters:
    ///   - first, second: the moments of the gradient, zero before the first step.
    ///   - gradientFactor: a factor for the gradient, for clipping.
    ///   - step: the number of the update, from 1.
    func update(
        weights: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, first: UnsafeMutablePointer<Float>,
        second: UnsafeMutablePointer<Float>, count: Int, gradientFactor: Float, learningRate: Double, step: Int
    ) {
        let (beta1, beta2) = (Float(self.beta1), Float(self.beta2))
        let (rest1, rest2) = (Float(1 - self.beta1), Float(1 - self.beta2))
        let correction1 = Float(1 / (1 - pow(self.beta1, Double(step))))
        let correction2 = Float(1 / (1 - pow(self.beta2, Double(step))))
        let (rate, epsilon) = (Float(learningRate), Float(self.epsilon))
        let decay = Float(1 - learningRate * weightDecay)
        for index in 0..<count {
            let gradient = gradients[index] * gradientFactor
            let mean = beta1 * first[index] + rest1 * gradient
            let square = beta2 * second[index] + rest2 * gradient * gradient
            first[index] = mean
            second[index] = square
            let update = mean * correction1 / ((square * correction2).squareRoot() + epsilon)
            weights[index] = weights[index] * decay - rate * update
        }
    }
}
