import Engine
import Foundation

/// Random initial weights of a new model: sigma z, where z is normally distributed with magnitude at most 3 and sigma = 0.5 /
/// sqrt(hidden).
///
/// Gains are 1, except gains after a branch, which are 1 / sqrt(layers). A weight depends only on the seed, the tensor's name and
/// its index.
struct InitialWeights {
    let seed: UInt64

    /// Replaces all weights and sets the expert biases to zero.
    func fill(_ model: TrainingModel) {
        let sigma = 0.5 / Double(model.config.hiddenSize).squareRoot()
        for parameter in model.layout.parameters {
            let weights = model.weights.pointer(parameter)
            switch parameter.kind {
            case .gain: weights.update(repeating: 1, count: parameter.count)
            case .branchGain:
                weights.update(repeating: 1 / Float(model.config.layers).squareRoot(), count: parameter.count)
            case .embedding, .head, .router, .matrix:
                let key = key(of: parameter.name)
                model.products.pool.forEachPiece(of: parameter.count, size: 1 << 14) { _, range in
                    for index in range { weights[index] = Float(sigma * Self.normal(key: key, index: index)) }
                }
            }
        }
        model.biases = model.biases.map { [Float](repeating: 0, count: $0.count) }
    }

    /// Returns a number for each (seed, name).
    func key(of name: String) -> UInt64 {
        var random = SplitMix64(state: seed)
        for byte in name.utf8 { random.state = random.next() ^ UInt64(byte) }
        return random.next()
    }

    /// Returns a normally distributed number with magnitude at most 3 (Box and Muller, 1958). Larger numbers are drawn again.
    static func normal(key: UInt64, index: Int) -> Double {
        // The key and the index are mixed first, because adjacent indices must not share states of the generator.
        var mixed = SplitMix64(state: key ^ UInt64(index))
        var random = SplitMix64(state: mixed.next())
        while true {
            let radius = (-2 * log(Double(random.next() >> 11 | 1) * 0x1p-53)).squareRoot()
            let value = radius * cos(2 * .pi * Double(random.next() >> 11) * 0x1p-53)
            if abs(value) <= 3 { return value }
        }
    }
}
