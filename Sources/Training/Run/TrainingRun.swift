import Basics
import Checkpoints
import Engine
import Foundation
import JSON

/// A run of a recipe, from the beginning or from the newest checkpoint in its output folder.
public final class TrainingRun {
    public let trainer: Trainer
    /// The number of steps of the run.
    public var steps: Int { plan.steps }
    public var statistics: RunStatistics { progress.statistics }
    /// Warnings for the user before the first step.
    public let warnings: [String]
    /// The timing of the last step.
    public private(set) var timing = StepTiming()
    private let plan: TrainingPlan
    /// The number of steps between checkpoints.
    private let interval: Int
    private let cost: TrainingCost
    private let folder: RunFolder
    private let fingerprint: Fingerprint
    private var progress = RunProgress()
    private let log: RunLog

    /// - Parameters:
    ///   - out: a folder that is new, empty, or contains an earlier part of the same run.
    ///   - threads: the number of threads, at least 1. The results do not depend on it.
    /// - Throws: an error with the name of the file, tensor, line or field; `TrainingError.memory` before the weights are read.
    public init(_ recipe: Recipe, out: URL, threads: Int, precision: Precision = .exact) throws {
        plan = try TrainingPlan(recipe)
        try plan.checkMemory(precision)
        cost = plan.cost(precision)
        folder = try RunFolder(out, source: recipe.initial)
        let pool = WorkerPool(threads: threads)
        fingerprint = try Fingerprint(plan, precision)
        let checkpoints = folder.checkpoints
        if checkpoints.isEmpty {
            trainer = try Self.begin(plan, pool, precision)
            warnings = plan.warnings
        } else {
            let resumed = try Self.resume(plan, checkpoints, fingerprint, pool, precision)
            (trainer, progress) = (resumed.trainer, resumed.progress)
            try folder.setAside(checkpoints[..<resumed.used])
            warnings = plan.warnings + resumed.warnings
            if checkpoints == [out], trainer.step < plan.steps {
                try folder.reopen(step: trainer.step, best: progress.statistics.best?.step)
            }
        }
        interval = recipe.checkpointInterval ?? min(max(plan.steps / 10, 1), 1000)
        if trainer.step < plan.steps {
            try folder.checkRoom(
                bytes: cost.checkpointBytes, count: (plan.steps - trainer.step) / interval + plan.stages.count,
                keepsBest: plan.heldOut != nil, free: folder.freeBytes)
        }
        timing.peakRate = KernelSet.peakRate(of: pool)
        log = try RunLog(out, step: trainer.step)
    }

    private static func begin(_ plan: TrainingPlan, _ pool: WorkerPool, _ precision: Precision) throws -> Trainer {
        let model: TrainingModel
        if let seed = plan.recipe.seed {
            model = try TrainingModel(plan.config, pool: pool, precision: precision, frozen: plan.frozen)
            InitialWeights(seed: seed).fill(model)
        } else {
            model = try TrainingModel(
                checkpoint: plan.recipe.initial, pool: pool, precision: precision, frozen: plan.frozen)
        }
        return Trainer(model, plan.stages[0].stage.hyperparameters)
    }

    private struct Resumed {
        var trainer: Trainer
        var progress: RunProgress
        /// The index of the checkpoint in the list.
        var used: Int
        var warnings: [String]
    }

    /// Reads the first checkpoint that is not damaged.
    ///
    /// - Throws: `TrainingError.resume` for a checkpoint of another run; the first error if all checkpoints are damaged.
    private static func resume(
        _ plan: TrainingPlan, _ checkpoints: [URL], _ fingerprint: Fingerprint, _ pool: WorkerPool,
        _ precision: Precision
    ) throws -> Resumed {
        var (failures, warnings) = ([any Error](), [String]())
        for (index, checkpoint) in checkpoints.enumerated() {
            do {
                let model = try TrainingModel(
                    checkpoint: checkpoint, pool: pool, precision: precision, frozen: plan.frozen)
                let trainer = Trainer(model, plan.stages[0].stage.hyperparameters)
                let progress = try trainer.readState(from: checkpoint, fingerprint: fingerprint)
                return Resumed(trainer: trainer, progress: progress, used: index, warnings: warnings)
            } catch {
                if case TrainingError.resume = error { throw error }
                failures.append(error)
                warnings.append(
                    "\(checkpoint.lastPathComponent) cannot be read and is set aside; the run goes on from an older one: \(error)"
                )
            }
        }
        throw failures[0]
    }

    /// Returns the stage of a step of the run.
    public func stage(of step: Int) -> TrainingStage {
        (plan.stages.first { step < $0.steps.upperBound } ?? plan.stages[plan.stages.count - 1]).stage
    }

    /// Performs the remaining steps and writes the checkpoint.
    ///
    /// - Parameters:
    ///   - mustStop: called before each step; `true` writes a checkpoint and ends the run early.
    ///   - heldOut: called after each measurement of held-out data.
    ///   - report: called after each step.
    /// - Returns: whether all steps are done.
    /// - Throws: an error with the name of the document, micro-batch, step or stage. The steps before it are saved, unless the loss
    ///   or gradient is not finite or a stage had no target.
    @discardableResult
    public func run(
        mustStop: () -> Bool = { false }, heldOut: (HeldOutReport) -> Void = { _ in }, report: (StepReport) -> Void
    ) throws -> Bool {
        for stage in plan.stages where trainer.step < stage.steps.upperBound {
            let source = try stage.source(skipLimit: plan.recipe.skippedDocuments)
            trainer.begin(stage.stage.hyperparameters, at: stage.steps.lowerBound)
            if trainer.step > stage.steps.lowerBound {
                try source.restore(progress.loader)
            } else {
                progress.statistics.beginStage()
            }
            while trainer.step < stage.steps.upperBound {
                guard !mustStop() else {
                    try save(source)
                    return false
                }
                let saves: Bool
                do {
                    report(try step(stage, source))
                    try checkTargets(stage)
                    saves = try measure(heldOut)
                } catch {
                    switch error {
                    case TrainingError.notFinite, TrainingError.noTargets: break
                    // The steps so far are valid.
                    default: try? save(source)
                    }
                    throw error
                }
                if saves { try save(source) }
            }
        }
        guard trainer.skippedInRow == 0 else { throw TrainingError.notFinite(step: trainer.step - 1) }
        try folder.finish(best: statistics.best?.step, last: trainer.step)
        return true
    }

    /// Reads the next batches, trains on them, and writes a line to the log.
    ///
    /// - Throws: an error; the state of `source` is then the one after the last completed step.
    private func step(_ stage: TrainingPlan.Stage, _ source: BatchSource) throws -> StepReport {
        let start = ContinuousClock.now
        let batches = try source.next(step: trainer.step - stage.steps.lowerBound)
        let loaded = ContinuousClock.now
        let step: StepReport
        do throws(TrainingError) { step = try trainer.train(batches) } catch {
            source.takeBack()
            throw error
        }
        timing.seconds = trainer.model.clock.seconds
        timing.seconds.loader = (loaded - start) / .seconds(1)
        timing.tokens = step.tokens
        timing.operations =
            step.targetWeight > 0 ? batches.reduce(cost.optimizerOperations) { $0 + cost.operations($1) } : 0
        progress.statistics.add(step)
        try log.write(logLine(step, stage.stage, skippedDocuments: source.skipped))
        return step
    }

    /// - Throws: `TrainingError.noTargets` at the end of a stage that trained on nothing.
    private func checkTargets(_ stage: TrainingPlan.Stage) throws(TrainingError) {
        guard trainer.step == stage.steps.upperBound, statistics.stageTargetWeight == 0 else { return }
        throw .noTargets(
            field: stage.stage.path + stage.stage.data.name, steps: stage.steps.count,
            files: stage.stage.data.urls.map(\.path))
    }

    /// Measures held-out data when the recipe requires it.
    ///
    /// - Returns: whether a checkpoint is due.
    private func measure(_ heldOut: (HeldOutReport) -> Void) throws -> Bool {
        // After a skipped step the weights may be unusable, so the last checkpoints before it are kept.
        // The end of a stage may be the end of a run to which stages are appended later; the best checkpoint is then the same.
        let isEnd = plan.stages.contains { $0.steps.upperBound == trainer.step }
        let saves = trainer.skippedInRow == 0 && (isEnd || trainer.step.isMultiple(of: interval))
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
    /// - Parameter source: the source of the current stage. Between two stages there is no source state.
    private func save(_ source: BatchSource) throws {
        let isInside = plan.stages.contains { $0.steps.lowerBound < trainer.step && trainer.step < $0.steps.upperBound }
        progress.loader = isInside ? try source.state() : .null
        try folder.write(trainer, progress, fingerprint: fingerprint)
    }

    /// Returns the log line of a step. Per-expert numbers are left out.
    private func logLine(_ step: StepReport, _ stage: TrainingStage, skippedDocuments: Int) -> JSONValue {
        var line = step.json.object ?? JSONObject()
        for name in ["expert_counts", "expert_bias", "bias_momentum"] { line[name] = nil }
        line["stage"] = stage.name.map { .string($0) }
        line["tokens"] = .integer(step.tokens)
        line["tokens_total"] = .integer(statistics.tokens)
        line["max_violation_mean"] = .array(statistics.maximumViolations.map { .double($0) })
        line["dead_experts"] = .integer(statistics.deadExperts)
        if skippedDocuments > 0 { line["skipped_documents"] = .integer(skippedDocuments) }
        line["max_logit"] = .double(step.logits.largest)
        line["mean_logit"] = .double(step.logits.mean)
        timing.write(to: &line)
        return .object(line)
    }
}
