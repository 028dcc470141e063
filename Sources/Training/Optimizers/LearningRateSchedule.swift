import Foundation

/// The factor of all learning rates as a function of the step. It never depends on time, so a resumed run gives the same result.
public enum LearningRateSchedule: Sendable, Equatable {
    /// Linear warm-up, a constant phase, and a linear decay to `floor`.
    case wsd(warmup: Int, stable: Int, decay: Int, floor: Double)
    /// Linear warm-up, then a cosine decay to `floor` at step `total`.
    case cosine(warmup: Int, total: Int, floor: Double)

    /// Returns the factor of a step, counted from 0.
    public func factor(step: Int) -> Double {
        switch self {
        case .wsd(let warmup, let stable, let decay, let floor):
            if step < warmup { return Double(step + 1) / Double(warmup) }
            if step < warmup + stable { return 1 }
            let share = decay > 0 ? min(1, Double(step - warmup - stable + 1) / Double(decay)) : 1
            return 1 + (floor - 1) * share
        case .cosine(let warmup, let total, let floor):
            if step < warmup { return Double(step + 1) / Double(warmup) }
            let share = total > warmup ? min(1, Double(step - warmup + 1) / Double(total - warmup)) : 1
            return floor + (1 - floor) * 0.5 * (1 + cos(.pi * share))
        }
    }
}

/// Limits the norm of the gradient of a step.
public enum GradientClipping {
    /// Returns min(1, limit / (norm + 1e-6)), or 1 without a limit.
    public static func factor(norm: Double, limit: Double?) -> Double {
        limit.map { min(1, $0 / (norm + 1e-6)) } ?? 1
    }
}
