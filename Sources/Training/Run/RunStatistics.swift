import JSON

/// What a run knows of its earlier steps; a part of the checkpoint.
public struct RunStatistics: Sendable, Equatable, Codable {
    /// The checkpoint with the lowest held-out loss.
    public struct Best: Sendable, Equatable, Codable {
        public var step: Int
        public var loss: Double
    }

    /// Steps without a token after which an expert is dead.
    private static let idleLimit = 100
    private static let decay = 0.95

    /// Tokens that were read, and the sum of the weights of their targets.
    public private(set) var tokens = 0
    public private(set) var targetWeight = 0.0
    /// The mean of MaxVio over earlier steps, with weights that fall by 0.95 a step, for each layer with experts.
    public private(set) var maximumViolations: [Double] = []
    /// Steps in a row without a token (layers with experts, experts).
    private var idleSteps: [[Int]] = []
    public internal(set) var best: Best?

    public init() {}

    /// Takes the next step.
    mutating func add(_ report: StepReport) {
        tokens += report.tokens
        targetWeight += report.targetWeight
        // A step without targets was not computed.
        guard report.targetWeight > 0 else { return }
        let violations = report.expertCounts.map(ExpertBalancing.maximumViolation)
        if maximumViolations.count != violations.count { maximumViolations = violations }
        for (index, violation) in violations.enumerated() {
            maximumViolations[index] = Self.decay * maximumViolations[index] + (1 - Self.decay) * violation
        }
        if idleSteps.map(\.count) != report.expertCounts.map(\.count) {
            idleSteps = report.expertCounts.map { $0.map { _ in 0 } }
        }
        for (layer, counts) in report.expertCounts.enumerated() {
            for (expert, count) in counts.enumerated() {
                idleSteps[layer][expert] = count == 0 ? idleSteps[layer][expert] + 1 : 0
            }
        }
    }

    /// The number of experts, of all layers, that had no token in 100 steps in a row.
    public var deadExperts: Int {
        idleSteps.reduce(0) { $0 + $1.count { $0 >= Self.idleLimit } }
    }
}
