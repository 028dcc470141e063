import Basics
import Checkpoints
import Engine
import Foundation
import JSON

/// A run of a recipe, from its beginning or from the newest checkpoint in its output folder.
public final class TrainingRun {
    public let trainer: Trainer
    /// All steps of the run.
    public let steps: Int
    private let recipe: Recipe
    private var source: BatchSource
    private let folder: RunFolder
    private let fingerprint: JSONObject

    /// - Parameters:
    ///   - out: new, empty, or with an earlier part of the same run.
    ///   - threads: at least 1; the results do not depend on it.
    /// - Throws: an error that names the file, tensor or field.
    public init(_ recipe: Recipe, out: URL, threads: Int) throws {
        let plan = try TrainingPlan(recipe)
        (self.recipe, steps, source) = (recipe, plan.steps, plan.source)
        folder = try RunFolder(out)
        let newest = folder.newest
        let pool = WorkerPool(threads: threads)
        let model: TrainingModel
        if newest == nil, let seed = recipe.seed {
            model = try TrainingModel(plan.config, pool: pool)
            InitialWeights(seed: seed).fill(model)
        } else {
            model = try TrainingModel(checkpoint: newest ?? recipe.initial, pool: pool)
        }
        fingerprint = [
            "hyperparameters": recipe.json["hyperparameters"] ?? .null,
            "documents": recipe.json["documents"] ?? .null, "seed": recipe.json["seed"] ?? .null,
            "batches": .string(try Fingerprint.text(of: recipe.data.url)),
            "config": .string(try Fingerprint.text(of: recipe.initial.appending(path: "config.json"))),
        ]
        trainer = Trainer(model, recipe.hyperparameters)
        if let newest { try source.restore(trainer.readState(from: newest, fingerprint: fingerprint)) }
    }

    /// Does the steps that are left, and writes the checkpoint.
    ///
    /// - Parameters:
    ///   - mustStop: asked after each step; `true` writes a checkpoint and ends the run early.
    ///   - report: called after each step.
    /// - Returns: whether all steps are done.
    @discardableResult
    public func run(mustStop: () -> Bool = { false }, report: (StepReport) -> Void) throws -> Bool {
        while trainer.step < steps {
            if mustStop() {
                try save()
                return false
            }
            report(try trainer.train(source.next(step: trainer.step)))
            // After a skipped step the weights may be unusable: the last checkpoints before it stay.
            if let interval = recipe.checkpointInterval, trainer.step.isMultiple(of: interval), trainer.step < steps,
                trainer.skippedInRow == 0
            {
                try save()
            }
        }
        if folder.newest != folder.url {
            try save()
            try folder.finish()
        }
        return true
    }

    private func save() throws {
        try folder.write(
            trainer, loader: source.state(), source: recipe.initial, fingerprint: fingerprint)
    }
}

/// Recognizes the bytes of a file: FNV-1a with 64 bits. Not a protection against a file made to collide.
private enum Fingerprint {
    static func text(of url: URL) throws(CheckpointError) -> String {
        let file = try MappedFile(url)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        // The bytes live as long as the file.
        withExtendedLifetime(file) {
            for byte in file.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        return "\(file.bytes.count):" + String(hash, radix: 16)
    }
}
