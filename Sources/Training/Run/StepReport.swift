import JSON

/// The results of a step.
public struct StepReport: Sendable, Equatable {
    public var step: Int
    public var learningRateFactor: Double
    public var crossEntropy: Double
    public var z: Double
    public var balance: Double
    public var objective: Double
    public var targetWeight: Double
    /// The number of tokens, without padding.
    public var tokens: Int
    public var gradientNorm: Double
    public var clipFactor: Double
    /// Whether the weights were not updated, because the step has no targets or because the loss or gradient was not finite.
    public var isSkipped: Bool
    /// The mean cross-entropy of each micro-batch over its own targets, or `nil` for a micro-batch without targets.
    public var microCrossEntropy: [Double?]
    /// (layers with experts, experts) each.
    public var expertCounts: [[Int]]
    public var expertBias: [[Float]]
    public var biasMomentum: [[Float]]
    public var logits = LogitStatistics()

    /// The largest ``microCrossEntropy`` minus the mean (arXiv 2602.17004, equation 40).
    public var batchHeterogeneity: Double {
        let losses = microCrossEntropy.compactMap(\.self)
        guard let largest = losses.max() else { return 0 }
        return largest - losses.reduce(0, +) / Double(losses.count)
    }

    /// The report as a JSON object. The order of its members is fixed, so equal steps give equal text.
    public var json: JSONValue {
        func numbers(_ values: [Double]) -> JSONValue { .array(values.map { .double($0) }) }
        func rows(_ values: [[Float]]) -> JSONValue { .array(values.map { numbers($0.map { Double($0) }) }) }
        var json: JSONObject = [
            "step": .integer(step), "lr_factor": .double(learningRateFactor), "cross_entropy": .double(crossEntropy),
            "z": .double(z), "balance": .double(balance), "objective": .double(objective),
            "target_weight_sum": .double(targetWeight), "gradient_norm": .double(gradientNorm),
            "clip_factor": .double(clipFactor),
            "micro_cross_entropy": .array(microCrossEntropy.map { $0.map { .double($0) } ?? .null }),
            "batch_het": .double(batchHeterogeneity),
            "expert_counts": .array(expertCounts.map { .array($0.map { .integer($0) }) }),
            "expert_bias": rows(expertBias), "bias_momentum": rows(biasMomentum),
            "max_violation": numbers(expertCounts.map(ExpertBalancing.maximumViolation)),
        ]
        if isSkipped { json["skipped"] = true }
        return .object(json)
    }
}
