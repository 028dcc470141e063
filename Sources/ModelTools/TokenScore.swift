import Foundation

/// How two models predict one token of a text.
struct TokenScore {
    /// The negative log-probability of the token, in nats.
    var loss: Double
    /// The same by the reference.
    var referenceLoss: Double
    /// The KL divergence of the model's distribution from that of the reference, in nats.
    var divergence: Double
    /// Whether both have the same likeliest token.
    var agrees: Bool

    /// `nil` if a logit is not finite.
    ///
    /// - Parameters:
    ///   - target: the token, an index of the logits.
    ///   - logits: the model's, (vocabularySize).
    ///   - reference: the reference's, (vocabularySize).
    init?(target: Int, logits: UnsafeBufferPointer<Float>, reference: UnsafeBufferPointer<Float>) {
        guard let own = Normalization(logits), let other = Normalization(reference) else { return nil }
        loss = own.logSum - Double(logits[target])
        referenceLoss = other.logSum - Double(reference[target])
        agrees = own.likeliest == other.likeliest
        var sum = 0.0
        for index in logits.indices {
            let expected = Double(reference[index]) - other.logSum
            // Exactly 0 for equal logits.
            sum += exp(expected) * (expected - (Double(logits[index]) - own.logSum))
        }
        guard loss.isFinite, referenceLoss.isFinite, sum.isFinite else { return nil }
        // Rounding may leave a little less than nothing.
        divergence = max(sum, 0)
    }

    /// The logarithm of the sum of exponentials, and the first index of the largest logit.
    private struct Normalization {
        var logSum: Double
        var likeliest: Int

        init?(_ logits: UnsafeBufferPointer<Float>) {
            var (largest, index) = (-Float.infinity, 0)
            for (position, logit) in logits.enumerated() where logit > largest { (largest, index) = (logit, position) }
            let sum = logits.reduce(0.0) { $0 + exp(Double($1) - Double(largest)) }
            // A NaN or an infinity makes the sum one too.
            guard largest.isFinite, sum.isFinite else { return nil }
            (logSum, likeliest) = (Double(largest) + log(sum), index)
        }
    }
}
