import Foundation

/// A readable summary of the sizes, memory and time of a recipe's stages.
public struct TrainingEstimate {
    /// The rates in GFLOP/s for which times can be computed.
    public static let rates = 1e-3...1e12

    private let plan: TrainingPlan
    private let cost: TrainingCost
    private let rate: Double

    /// - Parameter rate: the operations per second that the steps reach.
    public init(_ plan: TrainingPlan, precision: Precision, rate: Double) {
        (self.plan, self.rate) = (plan, rate)
        cost = plan.cost(precision)
    }

    /// The summary, one line per number.
    public var lines: [String] {
        var lines = Self.stateLines(cost)
        var (seconds, hasBatches) = (0.0, false)
        for (index, stage) in plan.stages.enumerated() {
            let steps = stage.steps.count
            lines.append("\(stage.stage.name ?? "stage \(index + 1)"): \(steps) steps")
            guard let options = stage.options else {
                hasBatches = true
                lines.append(
                    Self.row("  activations", Self.bytes(cost.activationBytes(tokens: stage.largestMicroBatch))))
                continue
            }
            let positions = Double(options.positions)
            let operations =
                positions * cost.operationsPerToken(length: options.length) + cost.optimizerOperations
            seconds += operations * Double(steps) / rate
            lines += [
                Self.row("  tokens", "\(Int(positions) * steps), \(Int(positions)) a step, rows of \(options.length)"),
                Self.row("  operations", Self.tera(operations * Double(steps))),
                Self.row("  activations", Self.bytes(cost.activationBytes(tokens: stage.largestMicroBatch))),
                Self.row("  time", Self.time(operations * Double(steps) / rate)),
            ]
        }
        // The lengths of documents in batches are known only from the data of the steps.
        let name = hasBatches ? "time of stages with documents" : "time"
        lines += [
            Self.row("memory", Self.bytes(plan.neededBytes(cost))),
            Self.row(name, "\(Self.time(seconds)) at \(Int(rate / 1e9)) GFLOP/s"),
        ]
        return lines
    }

    /// Returns the lines of `trinity plan --train`, for a model of this shape with rows of some lengths.
    ///
    /// - Parameters:
    ///   - tokens: the number of tokens of the whole training, or `nil` to print no time.
    ///   - batch: the number of tokens per step.
    public static func lines(_ cost: TrainingCost, length: Int, tokens: Int?, batch: Int, rate: Double) -> [String] {
        var lines = stateLines(cost)
        var size = min(length, 1024)
        while size <= length {
            lines.append(row("activations of a row of \(size)", bytes(cost.activationBytes(tokens: size))))
            guard size < length else { break }
            size = min(size * 4, length)
        }
        let operations = cost.operationsPerToken(length: length)
        lines += [
            row("operations a token", "\(giga(operations)) in rows of \(length)"),
            row("operations of Muon a step", giga(cost.optimizerOperations)),
        ]
        guard let tokens else { return lines }
        let all = Double(tokens) * (operations + cost.optimizerOperations / Double(batch))
        return lines + [
            row("operations of \(tokens) tokens", "\(tera(all)), in steps of \(batch)"),
            row("time", "\(time(all / rate)) at \(Int(rate / 1e9)) GFLOP/s"),
        ]
    }

    private static func stateLines(_ cost: TrainingCost) -> [String] {
        [
            row("parameters", "\(cost.parameters), \(cost.trained) of them trained"),
            row("weights, float32", bytes(Double(cost.weightBytes))),
            row("gradients, float32", bytes(Double(cost.gradientBytes))),
            row("optimizers, float32", bytes(Double(cost.optimizerBytes))),
        ] + (cost.roundedBytes > 0 ? [row("rounded weights, bfloat16", bytes(Double(cost.roundedBytes)))] : [])
    }

    private static func row(_ name: String, _ value: String) -> String {
        name + String(repeating: " ", count: max(1, 34 - name.count)) + value
    }

    private static func bytes(_ count: Double) -> String {
        count < 0x1p30 ? String(format: "%.1f MiB", count / 0x1p20) : String(format: "%.1f GiB", count / 0x1p30)
    }

    private static func giga(_ count: Double) -> String { String(format: "%.3f GFLOP", count / 1e9) }
    private static func tera(_ count: Double) -> String { String(format: "%.4g TFLOP", count / 1e12) }

    private static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: String(format: "%.0f s", seconds)
        case ..<7200: String(format: "%.0f min", seconds / 60)
        case ..<172_800: String(format: "%.1f h", seconds / 3600)
        default: String(format: "%.4g days", seconds / 86_400)
        }
    }
}
