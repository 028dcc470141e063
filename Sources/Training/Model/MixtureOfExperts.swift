import Checkpoints
import Engine

/// The parameters of a layer's MLP: a dense MLP, or a router with its experts.
struct MixtureParameters {
    /// The dense MLP or the shared expert, or `nil` if the layer has only routed experts.
    let shared: FeedForwardGroup?
    let router: Parameter?
    let experts: [FeedForwardGroup]

    init(layer: Int, config: ModelConfig, layout: ParameterLayout) {
        let prefix = "model.layers.\(layer).mlp"
        func group(_ module: String) -> FeedForwardGroup {
            FeedForwardGroup(
                gate: layout.parameter("\(module).gate_proj.weight"), up: layout.parameter("\(module).up_proj.weight"),
                down: layout.parameter("\(module).down_proj.weight"), rows: 0..<0)
        }
        if layer < config.denseLayers {
            (shared, router, experts) = (group(prefix), nil, [])
        } else {
            shared = config.sharedExperts > 0 ? group("\(prefix).shared_experts") : nil
            router = layout.parameter("\(prefix).router.gate.weight")
            experts = (0..<config.experts).map { group("\(prefix).experts.\($0)") }
        }
    }
}

/// The MLP of a layer over a batch, with the state that its backward pass needs.
final class MixtureOfExperts {
    let routing: ExpertRouting?
    private let shared: (group: FeedForwardGroup, state: FeedForward)?
    private let routed: RoutedExperts?
    private let context: LayerContext

    /// Runs the forward pass from h (tokens, hidden) to out.
    init(_ parameters: MixtureParameters, bias: [Float], h: Matrix, into out: Matrix, _ context: LayerContext) {
        self.context = context
        let (config, products) = (context.config, context.products)
        if var group = parameters.shared {
            group.rows = 0..<h.rows
            let state = FeedForward(rows: h.rows, width: group.gate.rows)
            state.forward([group], h, into: out, weights: context.weights, products)
            shared = (group, state)
        } else {
            for row in 0..<out.rows { out.row(row).update(repeating: 0, count: out.columns) }
            shared = nil
        }
        guard let router = parameters.router else {
            (routing, routed) = (nil, nil)
            return
        }
        let logits = Buffer<Float>(count: h.rows * config.experts)
        products.run([
            .output(
                h, context.weights.matrix(router), into: Matrix(logits.base, rows: h.rows, columns: config.experts))
        ])
        let routing = ExpertRouting(
            logits: logits, tokens: h.rows, experts: config.experts, chosen: config.expertsPerToken,
            normalizes: config.normalizesRoutes, scale: config.routeScale, bias: bias)
        self.routing = routing
        routed = RoutedExperts(routing, router: router, groups: parameters.experts, h: h, addedTo: out, context)
    }

    /// Computes the gradient of h from the gradient of the output, and replaces the old contents of dh.
    ///
    /// - Parameter balance: the factor of each row's balance loss in the objective.
    func backward(
        dOut: Matrix, h: Matrix, into dh: Matrix, rows: [Range<Int>], balance: Float, gradients: TrainedTensors
    ) {
        if let shared {
            shared.state.backward(
                [shared.group], dy: dOut, x: h, into: dh, weights: context.weights, gradients: gradients,
                context.products)
        } else {
            for row in 0..<dh.rows { dh.row(row).update(repeating: 0, count: dh.columns) }
        }
        routed?.backward(dOut: dOut, h: h, addedTo: dh, rows: rows, balance: balance, gradients: gradients)
    }
}

/// The routed experts of a layer. The tokens of each expert are contiguous, in the order of the batch.
private final class RoutedExperts {
    private let routing: ExpertRouting
    private let router: Parameter
    private let groups: [FeedForwardGroup]
    /// The row of each (token, choice) in the inputs of the experts.
    private let slots: [Int]
    private let state: FeedForward
    /// The inputs and outputs of the experts, (tokens * chosen, hidden) each.
    private let inputs: Matrix
    private let outputs: Matrix
    private let memory: Buffer<Float>
    private let context: LayerContext

    init(
        _ routing: ExpertRouting, router: Parameter, groups: [FeedForwardGroup], h: Matrix, addedTo out: Matrix,
        _ context: LayerContext
    ) {
        (self.routing, self.router, self.context) = (routing, router, context)
        var starts = [Int](repeating: 0, count: routing.experts)
        for expert in 1..<max(routing.experts, 1) { starts[expert] = starts[expert - 1] + routing.counts[expert - 1] }
        self.groups = groups.enumerated().map { expert, group in
            var group = group
            group.rows = starts[expert]..<starts[expert] + routing.counts[expert]
            return group
        }
        var next = starts
        let slots = routing.ids.map { id in
            next[id] += 1
            return next[id] - 1
        }
        self.slots = slots
        let (chosen, hidden, rows) = (routing.chosen, h.columns, routing.ids.count)
        memory = Buffer(count: 2 * rows * hidden)
        let inputs = Matrix(memory.base, rows: rows, columns: hidden)
        let outputs = Matrix(memory.base + rows * hidden, rows: rows, columns: hidden)
        (self.inputs, self.outputs) = (inputs, outputs)
        context.products.pool.forEachPiece(of: h.rows) { _, tokens in
            for choice in tokens.lowerBound * chosen..<tokens.upperBound * chosen {
                inputs.row(slots[choice]).update(from: h.row(choice / chosen), count: hidden)
            }
        }
        state = FeedForward(rows: rows, width: context.config.expertIntermediateSize)
        state.forward(self.groups, inputs, into: outputs, weights: context.weights, context.products)
        context.products.pool.forEachPiece(of: h.rows) { _, tokens in
            for choice in tokens.lowerBound * chosen..<tokens.upperBound * chosen {
                let weight = routing.weights.base[choice]
                Vectors.add(outputs.row(slots[choice]), times: weight, to: out.row(choice / chosen), hidden)
            }
        }
    }

    func backward(
        dOut: Matrix, h: Matrix, addedTo dh: Matrix, rows: [Range<Int>], balance: Float, gradients: TrainedTensors
    ) {
        let (chosen, hidden, count) = (routing.chosen, h.columns, routing.ids.count)
        let memory = Buffer<Float>(count: 2 * count * hidden + count + h.rows * routing.experts)
        let dOutputs = Matrix(memory.base, rows: count, columns: hidden)
        let dInputs = Matrix(memory.base + count * hidden, rows: count, columns: hidden)
        let dWeights = Matrix(memory.base + 2 * count * hidden, rows: h.rows, columns: chosen)
        let dLogits = Matrix(dWeights.base + count, rows: h.rows, columns: routing.experts)
        context.products.pool.forEachPiece(of: h.rows) { _, tokens in
            for choice in tokens.lowerBound * chosen..<tokens.upperBound * chosen {
                let gradient = dOut.row(choice / chosen)
                let target = dOutputs.row(slots[choice])
                dWeights.base[choice] = Vectors.dot(gradient, outputs.row(slots[choice]), hidden)
                let weight = routing.weights.base[choice]
                for column in 0..<hidden { target[column] = weight * gradient[column] }
            }
        }
        state.backward(
            groups, dy: dOutputs, x: inputs, into: dInputs, weights: context.weights, gradients: gradients,
            context.products)
        context.products.pool.parallelFor(chunks: rows.count) { row in
            routing.backward(dWeights: dWeights, row: rows[row], balance: balance, into: dLogits)
        }
        context.products.run(
            [
                gradients.product(dLogits, h, for: router),
                .inputGradient(dLogits, context.weights.matrix(router), into: dh, adds: true),
            ].compactMap(\.self))
        context.products.pool.forEachPiece(of: h.rows) { _, tokens in
            for choice in tokens.lowerBound * chosen..<tokens.upperBound * chosen {
                Vectors.add(dInputs.row(slots[choice]), times: 1, to: dh.row(choice / chosen), hidden)
            }
        }
    }
}
