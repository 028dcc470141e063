import Foundation
import JSON

/// The results of `trinity evaluate`.
public struct EvaluationReport: Sendable {
    /// The number of predicted tokens: all but the first of each window.
    public internal(set) var tokens = 0
    public internal(set) var windows = 0
    /// The number of tokens of a window.
    public internal(set) var context = 0
    /// What makes the numbers doubtful; `nil` if nothing does.
    public internal(set) var warning: String?
    private var loss = 0.0
    private var referenceLoss = 0.0
    private var divergence = 0.0
    private var agreements = 0

    /// The exponential of the mean negative log-probability.
    public var perplexity: Double { exp(mean(loss)) }
    /// The perplexity of the reference.
    public var referencePerplexity: Double { exp(mean(referenceLoss)) }
    /// The mean KL divergence from the reference in nats; 0 for equal models.
    public var meanDivergence: Double { mean(divergence) }
    /// The fraction of tokens for which both models have the same most likely token.
    public var agreement: Double { mean(Double(agreements)) }

    private func mean(_ sum: Double) -> Double { sum / Double(max(tokens, 1)) }

    mutating func add(_ score: TokenScore) {
        tokens += 1
        loss += score.loss
        referenceLoss += score.referenceLoss
        divergence += score.divergence
        agreements += score.agrees ? 1 : 0
    }

    /// The report as one JSON object.
    public var json: String {
        let object: JSONValue = [
            "tokens": .integer(tokens), "windows": .integer(windows), "context": .integer(context),
            "perplexity": .double(perplexity), "reference_perplexity": .double(referencePerplexity),
            "mean_kl_divergence": .double(meanDivergence), "top1_agreement": .double(agreement),
        ]
        return String(decoding: object.serialized, as: UTF8.self)
    }

    /// The report as lines of text.
    public var lines: [String] {
        [
            "tokens          \(tokens) in \(windows) windows of \(context)",
            String(
                format: "perplexity      %.4f, reference %.4f, ratio %.4f", perplexity, referencePerplexity,
                perplexity / referencePerplexity),
            String(format: "KL divergence   %.6f nats, mean", meanDivergence),
            String(format: "same top token  %.2f %%", agreement * 100),
        ]
    }
}
