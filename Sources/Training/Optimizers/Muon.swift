import Foundation

/// The Muon optimizer (Jordan, 2024), used for the matrices of hidden layers. The momentum is orthogonalized by Newton-Schulz
/// iterations.
///
/// Each matrix is updated separately, including each expert's. The learning rate is multiplied by sqrt(max(1, rows / columns)).
public struct Muon: Sendable, Equatable {
    /// The coefficients of one Newton-Schulz iteration: X = a X + (b S + c S S) X with S = X X^T.
    public struct Coefficients: Sendable, Equatable {
        public var a: Float
        public var b: Float
        public var c: Float

        public init(_ a: Float, _ b: Float, _ c: Float) {
            self.a = a
            self.b = b
            self.c = c
        }
    }

    public var momentum = 0.95
    public var weightDecay = 0.01
    /// One entry per iteration. The default values are Jordan's.
    public var coefficients = [Coefficients](repeating: Coefficients(3.4445, -4.7750, 2.0315), count: 5)
    /// Added to the Frobenius norm, so that zero momentum gives a zero update.
    public var epsilon: Float = 1e-7

    public init() {}

    /// Updates one matrix on the calling thread: momentum = mu momentum + gradient, with Nesterov momentum.
    ///
    /// - Parameters:
    ///   - weights, gradients, momenta: matrices of the same shape, without gaps between rows.
    ///   - gradientFactor: a factor for the gradient, for clipping.
    func update(
        weights: Matrix, gradients: Matrix, momenta: Matrix, gradientFactor: Float, learningRate: Double,
        products: MatrixProducts
    ) {
        let (rows, columns) = (weights.rows, weights.columns)
        let scratch = NewtonSchulz(rows: rows, columns: columns)
        let mu = Float(momentum)
        let (weight, gradient, momentum) = (weights.base, gradients.base, momenta.base)
        let update = scratch.matrix.base
        for index in 0..<rows * columns {
            let value = gradient[index] * gradientFactor
            momentum[index] = mu * momentum[index] + value
            update[index] = value + mu * momentum[index]
        }
        scratch.orthogonalize(coefficients, epsilon: epsilon, products: products)
        let decay = Float(1 - learningRate * weightDecay)
        let rate = Float(learningRate * max(1, Double(rows) / Double(columns)).squareRoot())
        for index in 0..<rows * columns { weight[index] = weight[index] * decay - rate * update[index] }
    }
}
