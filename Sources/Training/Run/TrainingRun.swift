import Basics
import Checkpoints
import Engine
import Foundation
import JSON

/// A run of a recipe, from its beginning or from the newest checkpoint in its output folder.
public final class TrainingRun {
    public let trainer: Trainer
    /// All steps of the run.
    public var steps: Int { plan.steps }
    public var statistics: RunStatistics { progress.statistics }
    /// The stage of the next step; the last one at the end.
    public var stage: TrainingStage {
        (plan.stages.first { trainer.step < $0.steps.upperBound } ?? plan.stages[plan.stages.count - 1]).stage
    }
    /// Of the last step.
    public private(set) var timing = StepTiming()
    private let plan: TrainingPlan
    private let operations: OperationCount
    private let folder: RunFolder
    private let fingerprint: Fingerprint
    private var progress = RunProgress()
    private let log: RunLog

    /// - Parameters:
    ///   - out: new, empty, or with an earlier part of the same run.
    ///   - threads: at least 1; the results do not depend on it.
    /// - Throws: an error that names the file, tensor, line or field; `TrainingError.memory` before the weights are read.
    public init(_ recipe: Recipe, out: URL, threads: Int, precision: Precision = .exact) throws {
        plan = try TrainingPlan(recipe)
        try plan.checkMemory(precision)
        folder = try RunFolder(out)
        let newest = folder.newest
        let pool = WorkerPool(threads: threads)
        let model: TrainingModel
        if newest == nil, let seed = recipe.seed {
            model = try TrainingModel(plan.config, pool: pool, precision: precision)
            InitialWeights(seed: seed).fill(model)
        } else {
            model = try TrainingModel(checkpoint: newest ?? recipe.initial, pool: pool, precision: precision)
        }
        fingerprint = try Fingerprint(plan, precision)
        operations = OperationCount(plan.config, model.layout)
        timing.peakRate = KernelSet.peakRate(of: pool)
        trainer = Trainer(model, plan.stages[0].stage.hyperparameters, frozen: plan.frozen)
        if let newest { progress = try trainer.readState(from: newest, fingerprint: fingerprint) }
        log = try RunLog(out, step: trainer.step)
    }

    /// Does the steps that are left, and writes the checkpoint.
    ///
    /// - Parameters:
    ///   - mustStop: asked after each step; `true` writes a checkpoint and ends the run early.
    ///   - heldOut: called after each measurement of held-out data.
    ///   - report: called after each step.
    /// - Returns: whether all steps are done.
    /// - Throws: an error that names the document, after the steps before it were saved.
    @discardableResult
    public func run(
        mustStop: () -> Bool = { false }, heldOut: (HeldOutReport) -> Void = { _ in }, report: (StepReport) -> Void
    ) throws -> Bool {
        for stage in plan.stages where trainer.step < stage.steps.upperBound {
            let source = try stage.source()
            trainer.begin(stage.stage.hyperparameters, at: stage.steps.lowerBound)
            // A stage that has not begun has no state.
            if trainer.step > stage.steps.lowerBound { try source.restore(progress.loader) }
            while trainer.step < stage.steps.upperBound {
                guard !mustStop() else {
                    try save(source)
                    return false
                }
                let start = ContinuousClock.now
                let batches: [PackedBatch]
                do {
                    batches = try source.next(step: trainer.step - stage.steps.lowerBound)
                } catch {
                    // The steps so far are good.
                    try save(source)
                    throw error
                }
                let loaded = ContinuousClock.now
                let step = try trainer.train(batches)
                timing.seconds = trainer.model.clock.seconds
                timing.seconds.loader = (loaded - start) / .seconds(1)
                timing.tokens = step.tokens
                timing.operations = operations.step(batches)
                progress.statistics.add(step)
                try log.write(logLine(step, stage.stage))
                report(step)
                if try measure(heldOut) { try save(source) }
            }
        }
        try folder.finish(best: statistics.best?.step, last: trainer.step)
        return true
    }

    /// Measures held-out data, where the recipe says so.
    ///
    /// - Returns: whether a checkpoint is due.
    private func measure(_ heldOut: (HeldOutReport) -> Void) throws -> Bool {
        let isLast = trainer.step == steps
        // After a skipped step the weights may be unusable: the last checkpoints before it stay.
        let saves =
            isLast
            || trainer.skippedInRow == 0
                && plan.recipe.checkpointInterval.map(trainer.step.isMultiple(of:)) ?? false
        let isDue = plan.recipe.heldOut.map { trainer.step.isMultiple(of: $0.interval) } ?? false
        if let data = plan.heldOut, saves || isDue {
            let measured = try data.measure(trainer.model, step: trainer.step)
            try log.write(measured.json)
            heldOut(measured)
            if saves, measured.loss < statistics.best?.loss ?? .infinity {
                progress.statistics.best = RunStatistics.Best(step: trainer.step, loss: measured.loss)
            }
        }
        return saves
    }

    /// Writes a checkpoint of the current step.
    ///
    /// - Parameter source: that of the current stage. Between two stages there is no state.
    private func save(_ source: BatchSource) throws {
        let isInside = plan.stages.contains { $0.steps.lowerBound < trainer.step && trainer.step < $0.steps.upperBound }
        progress.loader = isInside ? try source.state() : .null
        try folder.write(trainer, progress, source: plan.recipe.initial, fingerprint: fingerprint)
    }

    /// The members of a step for plots and long runs: numbers of experts are left out.
    private func logLine(_ step: StepReport, _ stage: TrainingStage) -> JSONValue {
        var line = step.json.object ?? JSONObject()
        for name in ["expert_counts", "expert_bias", "bias_momentum"] { line[name] = nil }
        line["stage"] = stage.name.map { .string($0) }
        line["tokens"] = .integer(step.tokens)
        line["tokens_total"] = .integer(statistics.tokens)
        line["max_violation_mean"] = .array(statistics.maximumViolations.map { .double($0) })
        line["dead_experts"] = .integer(statistics.deadExperts)
        line["max_logit"] = .double(step.logits.largest)
        line["mean_logit"] = .double(step.logits.mean)
        timing.write(to: &line)
        return .object(line)
    }
}
