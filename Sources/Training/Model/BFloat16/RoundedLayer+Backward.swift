import Engine
import KernelInterface

extension RoundedLayer {
    var mlpGradient: RoundedMatrix {
        rounded(workspace.mlpGradient, context.hidden, stride: context.hidden.roundedUp(to: 16))
    }

    /// Returns the partial sums of a chunk: first the gradients of up to two norms with `hidden` elements, then two norms of a
    /// head, then the router.
    private func sums(_ chunk: Int) -> (first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>) {
        let base = workspace.partialSums + chunk * workspace.partialWidth
        return (base, base + context.hidden)
    }

    private func headSums(_ chunk: Int) -> UnsafeMutablePointer<Float> { sums(chunk).second + context.hidden }

    private func routerSums(_ chunk: Int) -> UnsafeMutablePointer<Float> {
        headSums(chunk) + 2 * shape.headDimension
    }

    private func clearSums() {
        let count = RoundedContext.chunks(of: tokens) * workspace.partialWidth
        workspace.partialSums.update(repeating: 0, count: count)
    }

    /// Adds the sums of all chunks to a gradient, in order.
    private func addSums(_ gain: RoundedGain, _ place: (Int) -> UnsafeMutablePointer<Float>) {
        guard let gradient = gain.gradient else { return }
        for chunk in 0..<RoundedContext.chunks(of: tokens) {
            kernels.add(place(chunk), times: 1, to: gradient, count: gain.count)
        }
    }

    /// Turns the gradient of the layer's output, in the workspace, into the gradient of its input.
    ///
    /// - Parameter balance: the factor of each row's balance loss in the objective.
    func backward(_ experts: RoundedExperts?, balance: Float) {
        backwardMLP(experts, balance: balance)
        backwardAttention(experts)
    }

    private func dx(_ range: Range<Int>) -> UnsafeMutablePointer<Float> {
        workspace.gradient + range.lowerBound * context.hidden
    }

    private func backwardMLP(_ experts: RoundedExperts?, balance: Float) {
        clearSums()
        let hidden = context.hidden
        var panels: [PairPanels] = []
        if let shared = packed.shared {
            panels = workspace.panels(
                [shared.input.outputs, shared.down.inputs, hidden, hidden], rows: workspace.tokens)
        }
        context.forEachChunk(of: tokens) { chunk, range in
            Scratch.with(bytes: 8 * range.count * hidden) { scratch in
                let (branch, change) = (scratch.floats(range.count * hidden), scratch.floats(range.count * hidden))
                context.widen(rounded(memory.mlpOutput, hidden).rows(range), into: branch)
                context.normalizeBackward(
                    dx(range), x: branch, rows: range.count, gains.postMLPNorm, into: change,
                    gainGradient: sums(chunk).first)
                context.round(change, stride: hidden, into: mlpGradient.rows(range))
                normalizeMLPInput(range, branch)
            }
            let dh = workspace.mixed + range.lowerBound * hidden
            guard let shared = packed.shared else {
                dh.update(repeating: 0, count: range.count * hidden)
                return
            }
            RoundedFeedForward(weights: shared, layer: self).backward(
                mlpGradient.rows(range).factor, rows: range.count,
                kept: memory.shared + range.lowerBound * shared.input.outputs, into: dh, changes: panels[0],
                products: panels[1], firstRow: range.lowerBound, factor: { _ in 1 }, factorGradient: { _, _ in })
            if context.trains(shared.down) {
                context.pack(mlpGradient.rows(range), into: panels[2], row: range.lowerBound)
            }
            if context.trains(shared.input) {
                context.pack(mlpInput.rows(range), into: panels[3], row: range.lowerBound)
            }
        }
        addSums(gains.postMLPNorm) { sums($0).first }
        var gradients: [RoundedContext.WeightGradient] = []
        if let shared = packed.shared {
            gradients += context.gradients(of: shared.input, panels[0], panels[3], rows: tokens)
            gradients += context.gradients(of: shared.down, panels[2], panels[1], rows: tokens)
        }
        if let experts {
            let bytes = panels.last.map {
                $0.base - panels[0].base + PairPanels.bytes(rows: workspace.tokens, columns: hidden)
            }
            gradients += experts.backward(after: bytes ?? 0)
            experts.backwardRouting(rows: batch.rows, balance: balance)
        }
        context.add(gradients)
    }

    private func backwardAttention(_ experts: RoundedExperts?) {
        clearSums()
        let hidden = context.hidden
        let panels = workspace.panels([layout.width, queryWidth, hidden, hidden], rows: workspace.tokens)
        context.forEachChunk(of: tokens) { chunk, range in
            backwardMLPInput(range, chunk, experts)
            backwardOutput(range, chunk, outputs: panels[2], inputs: panels[1])
            normalizeHeads(range)
        }
        addSums(gains.preMLPNorm) { sums($0).first }
        addSums(gains.postAttentionNorm) { sums($0).second }
        if let router { addSums(RoundedGain(router, context)) { routerSums($0) } }
        attention.backward(
            queries: rounded(workspace.queries, queryWidth), keys: rounded(workspace.keys, layout.keys.count),
            values: projected.columns(layout.values), dOut: rounded(workspace.attendedGradient, queryWidth),
            logSums: memory.logSums, deltas: workspace.deltas,
            into: RoundedAttention.Gradients(
                queries: workspace.attentionGradient,
                keys: workspace.attentionGradient + layout.keys.lowerBound,
                values: workspace.attentionGradient + layout.values.lowerBound, stride: layout.width))
        clearSums()
        context.forEachChunk(of: tokens) { chunk, range in
            backwardProjection(range, chunk, outputs: panels[0], inputs: panels[3])
        }
        addSums(gains.inputNorm) { sums($0).first }
        addSums(gains.queryNorm) { headSums($0) }
        addSums(gains.keyNorm) { headSums($0) + shape.headDimension }
        context.add(
            context.gradients(of: packed.attention, panels[0], panels[3], rows: tokens)
                + context.gradients(of: packed.output, panels[2], panels[1], rows: tokens))
    }

    /// Adds the gradient of the MLP's input to the gradient of the residual stream.
    private func backwardMLPInput(_ range: Range<Int>, _ chunk: Int, _ experts: RoundedExperts?) {
        let (rows, hidden) = (range.count, context.hidden)
        Scratch.with(bytes: 4 * rows * hidden) { scratch in
            let dh = workspace.mixed + range.lowerBound * hidden
            if let experts {
                let h = scratch.floats(rows * hidden)
                context.normalize(
                    memory.middle + range.lowerBound * hidden, rows: rows, gains.preMLPNorm, into: h)
                experts.addInputGradient(range, h: h, to: dh, routerGradient: routerSums(chunk))
            }
            context.normalizeBackward(
                dh, x: memory.middle + range.lowerBound * hidden, rows: rows, gains.preMLPNorm,
                into: dx(range), adds: true, gainGradient: sums(chunk).first)
        }
    }

    /// Goes back from the residual stream to attention's output before the gate, and to the gate.
    private func backwardOutput(_ range: Range<Int>, _ chunk: Int, outputs: PairPanels, inputs: PairPanels) {
        let (rows, hidden, d) = (range.count, context.hidden, shape.headDimension)
        Scratch.with(bytes: rows * (10 * hidden + 18 * queryWidth + 64)) { scratch in
            let (branch, change) = (scratch.floats(rows * hidden), scratch.floats(rows * hidden))
            context.widen(rounded(memory.attentionOutput, hidden).rows(range), into: branch)
            context.normalizeBackward(
                dx(range), x: branch, rows: rows, gains.postAttentionNorm, into: change,
                gainGradient: sums(chunk).second)
            let dBranch = scratch.rounded(rows, hidden)
            context.round(change, stride: hidden, into: dBranch)
            let isTrained = context.trains(packed.output)
            if isTrained { context.pack(dBranch, into: outputs, row: range.lowerBound) }

            let count = rows * queryWidth
            let (dGated, gate) = (scratch.floats(count), scratch.floats(count))
            let (value, gated) = (scratch.floats(count), scratch.floats(count))
            kernels.multiply(
                packed.output.inputGradient(dBranch.factor, rows: rows, into: dGated, stride: queryWidth))
            let attended = rounded(memory.attended, queryWidth).rows(range)
            context.widen(attended, into: value)
            gated.update(from: value, count: count)
            context.widen(projected.columns(layout.gates).rows(range), into: gate)
            kernels.sigmoidMultiplyBackward(x: gated, gate: gate, change: dGated, count: count)
            for row in 0..<rows {
                for head in 0..<shape.heads {
                    let place = row * queryWidth + head * d
                    workspace.deltas[(range.lowerBound + row) * shape.heads + head] =
                        kernels.dotProduct(dGated + place, value + place, count: d)
                }
            }
            context.round(dGated, stride: queryWidth, into: rounded(workspace.attendedGradient, queryWidth).rows(range))
            context.round(gate, stride: queryWidth, into: projectionGradient.columns(layout.gates).rows(range))
            guard isTrained else { return }
            let roundedGated = scratch.rounded(rows, queryWidth)
            context.round(gated, stride: queryWidth, into: roundedGated)
            context.pack(roundedGated, into: inputs, row: range.lowerBound)
        }
    }

    private var projectionGradient: RoundedMatrix { rounded(workspace.projectionGradient, layout.width) }

    /// Goes back from queries, keys, values and gates to the layer's input.
    private func backwardProjection(_ range: Range<Int>, _ chunk: Int, outputs: PairPanels, inputs: PairPanels) {
        let (rows, hidden, d) = (range.count, context.hidden, shape.headDimension)
        Scratch.with(bytes: rows * (10 * hidden + 64) + 4 * queryWidth) { scratch in
            let raw = scratch.floats(queryWidth)
            for token in range {
                let gradient = workspace.attentionGradient + token * layout.width
                let target = projectionGradient.row(token)
                for (part, gain, sum) in [
                    (layout.queries, gains.queryNorm, headSums(chunk)),
                    (layout.keys, gains.keyNorm, headSums(chunk) + d),
                ] {
                    let change = gradient + part.lowerBound
                    if window != nil {
                        rotary.rotate(change, heads: part.count / d, token: token, backward: true, kernels)
                    }
                    kernels.widen(projected.row(token) + part.lowerBound, count: part.count, into: raw)
                    context.normalizeBackward(
                        change, x: raw, rows: part.count / d, gain, into: change, gainGradient: sum)
                    kernels.round(change, count: part.count, into: target + part.lowerBound)
                }
                kernels.round(
                    gradient + layout.values.lowerBound, count: layout.values.count,
                    into: target + layout.values.lowerBound)
            }
            let (h, dh) = (scratch.floats(rows * hidden), scratch.floats(rows * hidden))
            let changes = projectionGradient.rows(range)
            let isTrained = context.trains(packed.attention)
            if isTrained { context.pack(changes, into: outputs, row: range.lowerBound) }
            kernels.multiply(packed.attention.inputGradient(changes.factor, rows: rows, into: dh, stride: hidden))
            let (input, inputRows) = (
                memory.input + range.lowerBound * hidden, scratch.rounded(rows, hidden)
            )
            if isTrained {
                context.normalize(input, rows: rows, gains.inputNorm, into: h)
                context.round(h, stride: hidden, into: inputRows)
                context.pack(inputRows, into: inputs, row: range.lowerBound)
            }
            context.normalizeBackward(
                dh, x: input, rows: rows, gains.inputNorm, into: dx(range), adds: true,
                gainGradient: sums(chunk).first)
        }
    }

    /// Packs the rows of the tokens of some slots.
    func pack(
        _ source: RoundedMatrix, _ tokens: UnsafePointer<Int32>, _ slots: Range<Int>, into panels: PairPanels
    ) {
        let rows = RoundedMatrix(source.base, rows: slots.count, columns: source.columns, stride: source.stride)
        context.pack(rows, indices: tokens, into: panels, row: slots.lowerBound)
    }
}

extension RoundedFeedForward {
    /// Computes dx (rows, hidden) from dy, the gradient of the output before `factor`. Writes panels of the gradients of gate and
    /// up, and of the product times `factor`.
    ///
    /// - Parameters:
    ///   - factor: returns the factor of a row.
    ///   - factorGradient: receives the gradient of each row's factor.
    func backward(
        _ dy: PairFactor, indices: UnsafePointer<Int32>? = nil, rows: Int, kept: UnsafePointer<UInt16>,
        into dx: UnsafeMutablePointer<Float>, changes: PairPanels, products: PairPanels, firstRow: Int,
        factor: (Int) -> Float, factorGradient: (Int, Float) -> Void
    ) {
        let (kernels, context, outputs) = (layer.kernels, layer.context, weights.input.outputs)
        Scratch.with(bytes: rows * (6 * outputs + 6 * width + 64)) { scratch in
            let (inputs, product) = (scratch.floats(rows * outputs), scratch.floats(rows * width))
            kernels.multiply(weights.down.inputGradient(dy, rows: rows, indices: indices, into: product, stride: width))
            kernels.widen(kept, count: rows * outputs, into: inputs)
            for row in 0..<rows {
                let gate = inputs + row * outputs
                factorGradient(
                    row,
                    kernels.siluMultiplyBackward(
                        gate: gate, up: gate + upOffset, change: product + row * width, factor: factor(row),
                        count: width))
            }
            let (roundedInputs, roundedProduct) = (scratch.rounded(rows, outputs), scratch.rounded(rows, width))
            context.round(inputs, stride: outputs, into: roundedInputs)
            context.round(product, stride: width, into: roundedProduct)
            kernels.multiply(
                weights.input.inputGradient(roundedInputs.factor, rows: rows, into: dx, stride: context.hidden))
            if context.trains(weights.input) { context.pack(roundedInputs, into: changes, row: firstRow) }
            if context.trains(weights.down) { context.pack(roundedProduct, into: products, row: firstRow) }
        }
    }
}
