import Foundation

/// The predictions of one token of a text by two models.
struct TokenScore {
    /// The negative log-probability of the token, in nats.
    var loss: Double
    /// The negative log-probability by the reference, in nats.
    var referenceLoss: Double
    /// The KL divergence of the model's distribution from that of the reference, in nats.
    var divergence: Double
    /// Whether both models have the same most likely token.
    var agrees: Bool

    /// Compares the logits of two models; `nil` if a logit is not finite.
    ///
    /// - Parameters:
    ///   - target: the token, as an index of the logits.
    ///   - logits: the model's logits, (vocabularySize).
    ///   - reference: the reference's logits, (vocabularySize).
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
        // Rounding can make the sum slightly negative.
        divergence = max(sum, 0)
    }

    /// The logarithm of the sum of exponentials, and the index of the first largest logit.
    private struct Normalization {
        var logSum: Double
        var likeliest: Int

        init?(_ logits: UnsafeBufferPointer<Float>) {
            var (largest, index) = (-Float.infinity, 0)
            for (position, logit) in logits.enumerated() where logit > largest { (largest, index) = (logit, position) }
            let sum = logits.reduce(0.0) { $0 + exp(Double($1) - Double(largest)) }
            // A NaN or infinite logit makes the sum NaN or infinite.
            guard largest.isFinite, sum.isFinite else { return nil }
            (logSum, likeliest) = (Double(largest) + log(sum), index)
        }
    }
}
