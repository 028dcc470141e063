import Checkpoints
import Engine
import KernelInterface

/// The routed experts of a layer. Their tokens are rows called slots. The slots of each expert are in the order of the batch and
/// begin at an even slot.
final class RoundedExperts {
    private let layer: RoundedLayer
    private let router: Parameter
    /// The range of slots of each expert.
    private(set) var slots: [Range<Int>] = []
    private(set) var routing: ExpertRouting?

    /// Creates the experts of a layer, or returns `nil` for a dense layer.
    init?(_ layer: RoundedLayer) {
        guard let router = layer.router else { return nil }
        (self.layer, self.router) = (layer, router)
    }

    private var context: RoundedContext { layer.context }
    private var shape: RoundedShape { layer.shape }
    private var memory: RoundedLayerMemory { layer.memory }
    private var hidden: Int { layer.context.hidden }
    private var chosen: Int { layer.shape.chosen }

    /// Computes scores, experts and weights of some tokens, from h (tokens, hidden) in float32.
    func choose(_ range: Range<Int>, _ h: UnsafePointer<Float>, bias: [Float]) {
        let experts = shape.experts
        let table = context.weights.matrix(router)
        for (row, token) in range.enumerated() {
            let logits = memory.scores + token * experts
            for expert in 0..<experts {
                logits[expert] = layer.kernels.dotProduct(h + row * hidden, table.row(expert), count: hidden)
            }
        }
        Scratch.with(bytes: 8 * experts) { scratch in
            let biases = scratch.floats(experts)
            biases.update(from: bias, count: experts)
            layer.kernels.route(
                RoutingArguments(
                    logits: memory.scores + range.lowerBound * experts, bias: biases,
                    keys: scratch.floats(experts), tokens: range.count, experts: experts, chosen: chosen, groups: 1,
                    keptGroups: 1, usesSoftmax: false, normalizes: shape.normalizesRoutes, scale: shape.routeScale,
                    ids: memory.ids + range.lowerBound * chosen,
                    weights: memory.routeWeights + range.lowerBound * chosen))
        }
    }

    /// Assigns a slot to each choice.
    func group() {
        let choices = layer.tokens * chosen
        var counts = [Int](repeating: 0, count: shape.experts)
        for choice in 0..<choices { counts[Int(memory.ids[choice])] += 1 }
        var next: [Int] = []
        var end = 0
        slots = counts.map { count in
            next.append(end)
            defer { end = (end + count).roundedUp(to: 2) }
            return end..<end + count
        }
        for choice in 0..<choices {
            let expert = Int(memory.ids[choice])
            let slot = next[expert]
            next[expert] += 1
            memory.slots[choice] = Int32(slot)
            memory.slotTokens[slot] = Int32(choice / chosen)
            memory.slotChoices[slot] = Int32(choice)
        }
        routing = ExpertRouting(
            scores: Matrix(memory.scores, rows: layer.tokens, columns: shape.experts),
            weights: Matrix(memory.routeWeights, rows: layer.tokens, columns: chosen), owner: layer.workspace,
            normalizes: shape.normalizesRoutes, scale: shape.routeScale,
            ids: (0..<choices).map { Int(memory.ids[$0]) }, counts: counts)
    }

    /// Calls `body` with (expert, slots) for chunks of each expert's slots, on all threads.
    private func forEachChunk(_ body: (Int, Range<Int>) -> Void) {
        var jobs: [(expert: Int, slots: Range<Int>)] = []
        for (expert, slots) in slots.enumerated() {
            for start in stride(from: slots.lowerBound, to: slots.upperBound, by: RoundedContext.chunkTokens) {
                jobs.append((expert, start..<min(start + RoundedContext.chunkTokens, slots.upperBound)))
            }
        }
        context.pool.parallelFor(chunks: jobs.count) { body(jobs[$0].expert, jobs[$0].slots) }
    }

    private func feedForward(_ expert: Int) -> RoundedFeedForward {
        RoundedFeedForward(weights: layer.packed.experts[expert], layer: layer)
    }

    /// Computes the outputs of all slots, in the workspace.
    func forward() {
        forEachChunk { expert, slots in
            let part = feedForward(expert)
            part.forward(
                layer.mlpInput.factor, indices: memory.slotTokens + slots.lowerBound, rows: slots.count,
                kept: memory.routed + slots.lowerBound * part.weights.input.outputs,
                into: layer.workspace.slotRows + slots.lowerBound * hidden)
        }
    }

    /// Adds the weighted expert outputs of some tokens to `out`.
    func combine(_ range: Range<Int>, into out: UnsafeMutablePointer<Float>) {
        for (row, token) in range.enumerated() {
            for choice in token * chosen..<(token + 1) * chosen {
                layer.kernels.add(
                    layer.workspace.slotRows + Int(memory.slots[choice]) * hidden,
                    times: memory.routeWeights[choice], to: out + row * hidden, count: hidden)
            }
        }
    }

    /// Computes, in the workspace, the gradients of the inputs of all slots and of the route weights, and fills panels.
    ///
    /// - Returns: the gradients of the experts' weights, which must be computed from the panels.
    func backward(after bytes: Int) -> [RoundedContext.WeightGradient] {
        guard let first = layer.packed.experts.first else { return [] }
        let rows = RoundedLayerMemory.slots(shape, tokens: layer.workspace.tokens)
        let panels = layer.workspace.panels(
            [first.input.outputs, first.down.inputs, hidden, hidden], rows: rows, after: bytes)
        let (changes, products, outputs, inputs) = (panels[0], panels[1], panels[2], panels[3])
        forEachChunk { expert, slots in
            let tokens = memory.slotTokens + slots.lowerBound
            feedForward(expert).backward(
                layer.mlpGradient.factor, indices: tokens, rows: slots.count,
                kept: memory.routed + slots.lowerBound * first.input.outputs,
                into: layer.workspace.slotRows + slots.lowerBound * hidden, changes: changes, products: products,
                firstRow: slots.lowerBound, factor: { self.memory.routeWeights[self.choice(slots.lowerBound + $0)] },
                factorGradient: { self.layer.workspace.routeGradient[self.choice(slots.lowerBound + $0)] = $1 })
            let weights = layer.packed.experts[expert]
            if context.trains(weights.down) { layer.pack(layer.mlpGradient, tokens, slots, into: outputs) }
            if context.trains(weights.input) { layer.pack(layer.mlpInput, tokens, slots, into: inputs) }
        }
        return slots.enumerated().flatMap { expert, slots in
            let weights = layer.packed.experts[expert]
            return context.gradients(
                of: weights.input, changes, inputs, firstRow: slots.lowerBound, rows: slots.count)
                + context.gradients(
                    of: weights.down, outputs, products, firstRow: slots.lowerBound, rows: slots.count)
        }
    }

    private func choice(_ slot: Int) -> Int { Int(memory.slotChoices[slot]) }

    /// Computes the gradient of the router's logits, for each row of the batch.
    func backwardRouting(rows: [Range<Int>], balance: Float) {
        guard let routing else { return }
        let dWeights = Matrix(layer.workspace.routeGradient, rows: layer.tokens, columns: chosen)
        let dLogits = Matrix(layer.workspace.logitGradient, rows: layer.tokens, columns: shape.experts)
        context.pool.parallelFor(chunks: rows.count) { index in
            routing.backward(dWeights: dWeights, row: rows[index], balance: balance, into: dLogits)
        }
    }

    /// Adds the gradients from some tokens' experts and from the router to dh. Adds the gradient of the router to
    /// `routerGradient`.
    func addInputGradient(
        _ range: Range<Int>, h: UnsafePointer<Float>, to dh: UnsafeMutablePointer<Float>,
        routerGradient: UnsafeMutablePointer<Float>
    ) {
        let (kernels, table) = (layer.kernels, context.weights.matrix(router))
        for (row, token) in range.enumerated() {
            let target = dh + row * hidden
            for choice in token * chosen..<(token + 1) * chosen {
                kernels.add(
                    layer.workspace.slotRows + Int(memory.slots[choice]) * hidden, times: 1, to: target,
                    count: hidden)
            }
            for expert in 0..<shape.experts {
                let change = layer.workspace.logitGradient[token * shape.experts + expert]
                guard change != 0 else { continue }
                kernels.add(table.row(expert), times: change, to: target, count: hidden)
                kernels.add(h + row * hidden, times: change, to: routerGradient + expert * hidden, count: hidden)
            }
        }
    }
}
