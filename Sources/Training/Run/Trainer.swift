import Checkpoints
import Engine
import Foundation

/// Trains a model step by step: gradients of all micro-batches, their norm, clipping, Muon and AdamW, then the expert biases.
public final class Trainer {
    public let model: TrainingModel
    /// The hyperparameters of the current stage.
    public private(set) var hyperparameters: Hyperparameters
    /// The first step of the current stage.
    private var stageStart = 0
    /// The number of steps done, including skipped steps.
    public internal(set) var step = 0
    /// The number of steps that changed the weights, which is AdamW's t.
    public internal(set) var updates = 0
    /// The number of consecutive skipped steps.
    public internal(set) var skippedInRow = 0
    /// Muon's momentum for matrices, AdamW's first moment for other parameters.
    let firstMoments: TrainedTensors
    /// AdamW's second moment. Matrices have none.
    let secondMoments: TrainedTensors
    /// The momentum of the biases (experts), for each layer with experts.
    public internal(set) var biasMomentum: [[Float]]

    /// The parameters that are not frozen, in the order of the layout.
    let trained: [Parameter]

    var memory: ActivationMemory

    /// The number of elements of a parameter that AdamW updates at a time.
    private static let updatedAtOnce = 1 << 16
    /// The number of consecutive skipped steps that ends a run.
    private static let mostSkipped = 3

    public init(_ model: TrainingModel, _ hyperparameters: Hyperparameters) {
        self.model = model
        self.hyperparameters = hyperparameters
        memory = ActivationMemory(model.config, model.precision)
        let frozen = model.frozen
        trained = model.layout.trained(except: frozen)
        firstMoments = TrainedTensors(model.layout) { !frozen.contains($0.name) }
        secondMoments = TrainedTensors(model.layout) { $0.kind != .matrix && !frozen.contains($0.name) }
        biasMomentum = model.biases.map { [Float](repeating: 0, count: $0.count) }
    }

    /// Begins a stage. The optimizer state and the biases are kept.
    ///
    /// - Parameter start: the first step of the stage.
    func begin(_ hyperparameters: Hyperparameters, at start: Int) {
        self.hyperparameters = hyperparameters
        stageStart = start
    }

    /// Performs one step. A step without targets is skipped.
    ///
    /// - Throws: `TrainingError.notFinite` after three consecutive steps without a finite loss and gradient;
    ///   `TrainingError.activations` for a micro-batch that does not fit the machine's memory.
    public func train(_ batches: [PackedBatch]) throws(TrainingError) -> StepReport {
        let targetWeight = batches.reduce(0) { $0 + $1.targetWeight }
        // For example, if all chats were cut before their first answer.
        guard targetWeight > 0 else { return skip(batches) }
        for (index, batch) in batches.enumerated() {
            try memory.check(batch, name: "micro-batch \(index) of step \(step)")
        }
        let objective = StepObjective(
            zFactor: hyperparameters.zFactor, balanceFactor: hyperparameters.balanceFactor, targetWeight: targetWeight,
            rows: batches.reduce(0) { $0 + $1.rows.count })
        model.beginStep()
        let losses = batches.map { model.accumulate($0, objective) }
        let counts = model.biases.indices.map { layer in
            (0..<model.config.experts).map { expert in
                losses.reduce(0) { $0 + $1.expertCounts[layer][expert] }
            }
        }
        let norm = gradientNorm()
        let clip = GradientClipping.factor(norm: norm, limit: hyperparameters.clip)
        let factor = hyperparameters.learningRateFactor(step: step - stageStart)
        let (crossEntropy, z) = (losses.reduce(0) { $0 + $1.crossEntropy }, losses.reduce(0) { $0 + $1.z })
        let balance = losses.reduce(0) { $0 + $1.balance }
        let total = crossEntropy + objective.zFactor * z + objective.balanceFactor * balance
        let isFinite = norm.isFinite && total.isFinite
        if isFinite {
            skippedInRow = 0
            updates += 1
            update(clip: Float(clip), factor: factor)
            for layer in model.biases.indices where !model.frozen.contains(model.biasName(layer)) {
                hyperparameters.balancing.update(
                    bias: &model.biases[layer], momentum: &biasMomentum[layer], counts: counts[layer])
            }
        } else {
            skippedInRow += 1
            if skippedInRow == Self.mostSkipped { throw .notFinite(step: step) }
        }
        model.clock.add(\.optimizer)
        defer { step += 1 }
        return StepReport(
            step: step, learningRateFactor: factor, crossEntropy: crossEntropy, z: z, balance: balance,
            objective: total, targetWeight: targetWeight,
            tokens: batches.reduce(0) { $0 + $1.tokens }, gradientNorm: norm, clipFactor: clip, isSkipped: !isFinite,
            microCrossEntropy: zip(losses, batches).map { loss, batch in
                batch.targetWeight > 0 ? loss.crossEntropy * targetWeight / batch.targetWeight : nil
            },
            expertCounts: counts, expertBias: model.biases, biasMomentum: biasMomentum,
            logits: losses.reduce(into: LogitStatistics()) { $0.add($1.logits) })
    }

    /// Performs a step that changes nothing.
    private func skip(_ batches: [PackedBatch]) -> StepReport {
        model.clock = StepClock()
        defer { step += 1 }
        return StepReport(
            step: step, learningRateFactor: hyperparameters.learningRateFactor(step: step - stageStart),
            crossEntropy: 0, z: 0, balance: 0, objective: 0, targetWeight: 0,
            tokens: batches.reduce(0) { $0 + $1.tokens },
            gradientNorm: 0, clipFactor: 1, isSkipped: true, microCrossEntropy: batches.map { _ in nil },
            expertCounts: model.biases.map { $0.map { _ in 0 } }, expertBias: model.biases,
            biasMomentum: biasMomentum)
    }

    /// Returns the norm of the gradients of trained parameters, summed in float64 in the order of the parameters.
    private func gradientNorm() -> Double {
        let parameters = trained
        let sums = Buffer<Double>(count: parameters.count)
        model.products.pool.parallelFor(chunks: parameters.count) { index in
            let parameter = parameters[index]
            sums.base[index] = Vectors.squareSum(model.gradients.pointer(parameter), parameter.count)
        }
        return sums.contents.reduce(0, +).squareRoot()
    }

    private func update(clip: Float, factor: Double) {
        let (weights, gradients, products) = (model.weights, model.gradients, model.optimizerProducts)
        // Each matrix is one job, and so is each piece of another parameter.
        var jobs: [(parameter: Parameter, part: Range<Int>)] = []
        for parameter in trained {
            let size = parameter.kind == .matrix ? parameter.count : Self.updatedAtOnce
            for start in stride(from: 0, to: parameter.count, by: size) {
                jobs.append((parameter, start..<min(start + size, parameter.count)))
            }
        }
        products.pool.parallelFor(chunks: jobs.count) { index in
            let (parameter, part) = jobs[index]
            if parameter.kind == .matrix {
                hyperparameters.muon.update(
                    weights: weights.matrix(parameter), gradients: gradients.matrix(parameter),
                    momenta: firstMoments.matrix(parameter), gradientFactor: clip,
                    learningRate: factor * hyperparameters.muonLearningRate, products: products)
            } else {
                hyperparameters.adam.update(
                    weights: weights.pointer(parameter) + part.lowerBound,
                    gradients: gradients.pointer(parameter) + part.lowerBound,
                    first: firstMoments.pointer(parameter) + part.lowerBound,
                    second: secondMoments.pointer(parameter) + part.lowerBound, count: part.count,
                    gradientFactor: clip,
                    learningRate: factor * (hyperparameters.adamLearningRates[parameter.kind] ?? 0), step: updates)
            }
        }
    }
}
