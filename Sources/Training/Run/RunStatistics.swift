import JSON

/// Statistics of a run's earlier steps. They are part of the checkpoint.
public struct RunStatistics: Sendable, Equatable, Codable {
    /// The checkpoint with the lowest held-out loss.
    public struct Best: Sendable, Equatable, Codable {
        public var step: Int
        public var loss: Double
    }

    /// The number of steps without a token after which an expert counts as dead.
    private static let idleLimit = 100
    private static let decay = 0.95

    /// The number of tokens read, and the sum of the weights of their targets.
    public private(set) var tokens = 0
    public private(set) var targetWeight = 0.0
    /// The sum of the weights of the current stage's targets, or `nil` if unknown.
    public private(set) var stageTargetWeight: Double?
    /// The moving average of MaxVio over earlier steps, with weights that decrease by a factor of 0.95 per step, for each layer
    /// with experts.
    public private(set) var maximumViolations: [Double] = []
    /// The number of consecutive steps without a token (layers with experts, experts).
    private var idleSteps: [[Int]] = []
    public internal(set) var best: Best?

    public init() {}

    /// Begins a stage.
    mutating func beginStage() { stageTargetWeight = 0 }

    /// Adds the report of the next step.
    mutating func add(_ report: StepReport) {
        tokens += report.tokens
        targetWeight += report.targetWeight
        stageTargetWeight? += report.targetWeight
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

    /// The number of experts in all layers that received no token in the last 100 steps.
    public var deadExperts: Int {
        idleSteps.reduce(0) { $0 + $1.count { $0 >= Self.idleLimit } }
    }
}
