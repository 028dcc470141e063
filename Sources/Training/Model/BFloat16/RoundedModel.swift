import Checkpoints
import Engine
import KernelInterface

/// The forward and backward passes of a model in bfloat16. Operands of products are rounded, and so are the activations kept for
/// the backward pass. The residual stream, norms, softmax, the router, sums and gradients are float32.
///
/// Tokens pass through a layer in chunks of a fixed size, so that the data of a thread stays in its caches.
final class RoundedModel {
    private let context: RoundedContext
    private let layers: [LayerParameters]
    private let packed: PackedParameters
    private let embedding: Parameter
    private let finalNorm: Parameter
    /// Layers before this one need no backward pass.
    private let firstTrainedLayer: Int
    /// The memory for the largest micro-batch so far.
    private var workspace: RoundedWorkspace?

    init(_ context: RoundedContext, layers: [LayerParameters], layout: ParameterLayout, firstTrainedLayer: Int) {
        (self.context, self.layers, self.firstTrainedLayer) = (context, layers, firstTrainedLayer)
        embedding = layout.parameter("model.embed_tokens.weight")
        finalNorm = layout.parameter("model.norm.weight")
        let head = context.config.tiesEmbeddings ? embedding : layout.parameter("lm_head.weight")
        packed = PackedParameters(layers, head: head)
    }

    /// Rounds and packs the weights after they have changed.
    func pack() { packed.pack(context) }

    /// Adds the gradients of a micro-batch's part of the objective.
    func accumulate(
        _ batch: PackedBatch, _ objective: StepObjective, biases: [[Float]], clock: inout StepClock
    ) -> MicroBatchLoss {
        let workspace = self.workspace(tokens: batch.tokens)
        let config = context.config
        let rotary = RotaryTable(config, positions: batch.positions, pool: context.pool)
        let layers = self.layers.indices.map { index in
            RoundedLayer(
                self.layers[index], packed.layers[index], context, workspace, workspace.layers[index], rotary, batch)
        }
        embed(batch, into: workspace.layers.first?.input ?? workspace.output)
        var experts: [RoundedExperts?] = []
        for (index, layer) in layers.enumerated() {
            let output = index + 1 < layers.count ? workspace.layers[index + 1].input : workspace.output
            let bias = index < config.denseLayers ? [] : biases[index - config.denseLayers]
            experts.append(layer.forward(bias: bias, into: output))
        }
        let routings = experts.compactMap { $0?.routing }
        let balance = balanceLoss(routings, rows: batch.rows)
        clock.add(\.forward)
        let head = RoundedHead(
            packed: packed.head, norm: RoundedGain(finalNorm, context), count: config.vocabularySize, context: context)
        let sums = head.train(workspace.output, batch: batch, objective, into: workspace.gradient)
        for (index, layer) in layers.enumerated().reversed() where index >= firstTrainedLayer {
            layer.backward(experts[index], balance: Float(objective.balanceFactor / Double(objective.rows)))
        }
        addEmbeddingGradient(batch, workspace.gradient)
        clock.add(\.backward)
        return MicroBatchLoss(
            crossEntropy: sums.crossEntropy / objective.targetWeight, z: sums.z / objective.targetWeight,
            balance: balance / Double(objective.rows), expertCounts: routings.map(\.counts), logits: sums.logits)
    }

    private func workspace(tokens: Int) -> RoundedWorkspace {
        if let workspace, workspace.tokens >= tokens { return workspace }
        workspace = nil
        let new = RoundedWorkspace(packed, context.shape, tokens: tokens)
        workspace = new
        return new
    }

    private var embeddingScale: Float {
        context.config.scalesEmbeddings ? Float(context.hidden).squareRoot() : 1
    }

    private func embed(_ batch: PackedBatch, into x: UnsafeMutablePointer<Float>) {
        let (hidden, table, scale) = (context.hidden, context.weights.matrix(embedding), embeddingScale)
        context.forEachChunk(of: batch.tokens) { _, range in
            for token in range {
                context.kernels.scale(
                    table.row(Int(batch.ids[token])), by: scale, into: x + token * hidden, count: hidden)
            }
        }
    }

    /// A token may occur several times. Therefore threads divide the columns, and each thread adds all tokens in order.
    private func addEmbeddingGradient(_ batch: PackedBatch, _ dx: UnsafePointer<Float>) {
        guard let gradient = context.gradients.kept(embedding) else { return }
        let (hidden, scale) = (context.hidden, embeddingScale)
        context.pool.forEachPiece(of: hidden, size: 64) { _, columns in
            for (token, id) in batch.ids.enumerated() {
                context.kernels.add(
                    dx + token * hidden + columns.lowerBound, times: scale,
                    to: gradient.row(Int(id)) + columns.lowerBound, count: columns.count)
            }
        }
    }

    /// Returns the sum over layers and rows.
    private func balanceLoss(_ routings: [ExpertRouting], rows: [Range<Int>]) -> Double {
        let values = Buffer<Double>(count: routings.count * rows.count)
        context.pool.parallelFor(chunks: values.count) { index in
            values.base[index] = BalanceLoss.value(rows[index % rows.count], of: routings[index / rows.count])
        }
        return values.contents.reduce(0, +)
    }
}
