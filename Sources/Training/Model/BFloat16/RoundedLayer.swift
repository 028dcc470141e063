import Checkpoints
import Engine
import KernelInterface

/// A decoder layer in bfloat16 over a micro-batch. Its memory belongs to a ``RoundedWorkspace``.
final class RoundedLayer {
    /// The gains of the layer's norms.
    struct Gains {
        let inputNorm, postAttentionNorm, preMLPNorm, postMLPNorm, queryNorm, keyNorm: RoundedGain

        init(_ parameters: LayerParameters, _ context: RoundedContext) {
            func gain(_ parameter: Parameter) -> RoundedGain { RoundedGain(parameter, context) }
            (inputNorm, postAttentionNorm) = (gain(parameters.inputNorm), gain(parameters.postAttentionNorm))
            (preMLPNorm, postMLPNorm) = (gain(parameters.preMLPNorm), gain(parameters.postMLPNorm))
            (queryNorm, keyNorm) = (gain(parameters.queryNorm), gain(parameters.keyNorm))
        }
    }

    let gains: Gains
    let router: Parameter?
    let window: Int?
    let packed: PackedParameters.Layer
    let context: RoundedContext
    let shape: RoundedShape
    let kernels: any TrainingKernels.Type
    let workspace: RoundedWorkspace
    let memory: RoundedLayerMemory
    let rotary: RotaryTable
    let batch: PackedBatch
    let tokens: Int

    init(
        _ parameters: LayerParameters, _ packed: PackedParameters.Layer, _ context: RoundedContext,
        _ workspace: RoundedWorkspace, _ memory: RoundedLayerMemory, _ rotary: RotaryTable, _ batch: PackedBatch
    ) {
        gains = Gains(parameters, context)
        (router, window) = (parameters.mixture.router, parameters.window)
        (self.packed, self.context, shape, kernels) = (packed, context, context.shape, context.kernels)
        (self.workspace, self.memory, self.rotary) = (workspace, memory, rotary)
        (self.batch, tokens) = (batch, batch.tokens)
    }

    var layout: ProjectionLayout { shape.layout }
    var queryWidth: Int { layout.queries.count }

    var attention: RoundedAttention {
        RoundedAttention(
            pieces: batch.pieces, heads: shape.heads, keyValueHeads: shape.keyValueHeads,
            headDimension: shape.headDimension, window: window, kernels: kernels, pool: context.pool)
    }

    func rounded(_ base: UnsafeMutablePointer<UInt16>, _ columns: Int, stride: Int? = nil) -> RoundedMatrix {
        RoundedMatrix(base, rows: tokens, columns: columns, stride: stride)
    }

    var projected: RoundedMatrix { rounded(memory.projected, layout.width) }
    var mlpInput: RoundedMatrix {
        rounded(workspace.mlpInput, context.hidden, stride: context.hidden.roundedUp(to: 16))
    }

    /// Computes the layer's output from its input, which is in its memory.
    ///
    /// - Returns: the routed experts, or `nil` for a dense layer.
    func forward(bias: [Float], into output: UnsafeMutablePointer<Float>) -> RoundedExperts? {
        context.forEachChunk(of: tokens) { _, range in project(range) }
        attention.forward(
            queries: rounded(workspace.queries, queryWidth), keys: rounded(workspace.keys, layout.keys.count),
            values: projected.columns(layout.values), into: rounded(memory.attended, queryWidth),
            logSums: memory.logSums)
        let experts = RoundedExperts(self)
        context.forEachChunk(of: tokens) { _, range in
            finishAttention(range) { h in experts?.choose(range, h, bias: bias) }
            forwardShared(range)
        }
        experts?.group()
        experts?.forward()
        context.forEachChunk(of: tokens) { _, range in finish(range, experts, into: output) }
        return experts
    }

    /// Computes queries, keys, values and gates.
    private func project(_ range: Range<Int>) {
        let (rows, hidden, width) = (range.count, context.hidden, layout.width)
        Scratch.with(bytes: rows * (8 * hidden + 4 * width + 64)) { scratch in
            let (h, rounded) = (scratch.floats(rows * hidden), scratch.rounded(rows, hidden))
            let out = scratch.floats(rows * width)
            context.normalize(
                memory.input + range.lowerBound * hidden, rows: rows, gains.inputNorm, into: h)
            context.round(h, stride: hidden, into: rounded)
            kernels.multiply(packed.attention.output(rounded.factor, rows: rows, into: out))
            kernels.round(out, count: rows * width, into: projected.row(range.lowerBound))
        }
        normalizeHeads(range)
    }

    /// Computes queries and keys after norm and rotation from the projected ones.
    func normalizeHeads(_ range: Range<Int>) {
        let d = shape.headDimension
        Scratch.with(bytes: 4 * queryWidth) { scratch in
            let row = scratch.floats(queryWidth)
            for token in range {
                for (part, gain, target) in [
                    (layout.queries, gains.queryNorm, workspace.queries),
                    (layout.keys, gains.keyNorm, workspace.keys),
                ] {
                    let heads = part.count / d
                    kernels.widen(projected.row(token) + part.lowerBound, count: part.count, into: row)
                    context.normalize(row, rows: heads, gain, into: row)
                    if window != nil { rotary.rotate(row, heads: heads, token: token, kernels) }
                    kernels.round(row, count: part.count, into: target + token * part.count)
                }
            }
        }
    }

    /// Applies the gate and the output projection, updates the residual stream, and calls `body` with the input of the MLP.
    private func finishAttention(_ range: Range<Int>, _ body: (UnsafePointer<Float>) -> Void) {
        let (rows, hidden) = (range.count, context.hidden)
        Scratch.with(bytes: rows * (10 * queryWidth + 8 * hidden + 64)) { scratch in
            let (values, gates) = (scratch.floats(rows * queryWidth), scratch.floats(rows * queryWidth))
            let (gated, out) = (scratch.rounded(rows, queryWidth), scratch.floats(rows * hidden))
            context.widen(rounded(memory.attended, queryWidth).rows(range), into: values)
            context.widen(projected.columns(layout.gates).rows(range), into: gates)
            kernels.sigmoidMultiply(x: values, gate: gates, count: rows * queryWidth)
            context.round(values, stride: queryWidth, into: gated)
            multiplyOutput(packed.output, gated.factor, rows: rows, into: out)
            let middle = memory.middle + range.lowerBound * hidden
            middle.update(from: memory.input + range.lowerBound * hidden, count: rows * hidden)
            addBranch(
                out, rows: rows, gains.postAttentionNorm, kept: memory.attentionOutput, range, to: middle)
            normalizeMLPInput(range, out)
            body(out)
        }
    }

    /// Computes y = x W^T for a matrix with `hidden` outputs.
    func multiplyOutput(
        _ linear: PackedLinear, _ x: PairFactor, rows: Int, into y: UnsafeMutablePointer<Float>
    ) {
        var product = linear.output(x, rows: rows, into: y)
        (product.columns, product.outStride) = (context.hidden, context.hidden)
        kernels.multiply(product)
    }

    /// Rounds a branch, keeps it, and adds its norm to x.
    private func addBranch(
        _ branch: UnsafeMutablePointer<Float>, rows: Int, _ gain: RoundedGain, kept: UnsafeMutablePointer<UInt16>,
        _ range: Range<Int>, to x: UnsafeMutablePointer<Float>
    ) {
        let count = rows * context.hidden
        let place = kept + range.lowerBound * context.hidden
        kernels.round(branch, count: count, into: place)
        // The forward pass continues with the rounded numbers, because the backward pass sees them.
        kernels.widen(place, count: count, into: branch)
        context.addNormalized(branch, rows: rows, gain, to: x)
    }

    /// Computes the normalized input of the MLP, in float32 in `h`, and rounded.
    func normalizeMLPInput(_ range: Range<Int>, _ h: UnsafeMutablePointer<Float>) {
        let hidden = context.hidden
        context.normalize(
            memory.middle + range.lowerBound * hidden, rows: range.count, gains.preMLPNorm, into: h)
        context.round(h, stride: hidden, into: mlpInput.rows(range))
    }

    /// Computes the dense MLP or the shared expert; zeros if there is neither.
    private func forwardShared(_ range: Range<Int>) {
        let out = workspace.mixed + range.lowerBound * context.hidden
        guard let shared = packed.shared else {
            out.update(repeating: 0, count: range.count * context.hidden)
            return
        }
        RoundedFeedForward(weights: shared, layer: self).forward(
            mlpInput.rows(range).factor, rows: range.count,
            kept: memory.shared + range.lowerBound * shared.input.outputs, into: out)
    }

    /// Adds the outputs of the experts to the branch, and the branch to the residual stream.
    private func finish(
        _ range: Range<Int>, _ experts: RoundedExperts?, into output: UnsafeMutablePointer<Float>
    ) {
        let (rows, hidden) = (range.count, context.hidden)
        Scratch.with(bytes: 4 * rows * hidden) { scratch in
            let mixed = scratch.floats(rows * hidden)
            mixed.update(from: workspace.mixed + range.lowerBound * hidden, count: rows * hidden)
            experts?.combine(range, into: mixed)
            let target = output + range.lowerBound * hidden
            target.update(from: memory.middle + range.lowerBound * hidden, count: rows * hidden)
            addBranch(mixed, rows: rows, gains.postMLPNorm, kept: memory.mlpOutput, range, to: target)
        }
    }
}

/// The MLP y = (silu(x A^T) * (x B^T)) D^T over some rows.
struct RoundedFeedForward {
    let weights: PackedParameters.FeedForward
    let layer: RoundedLayer

    var width: Int { weights.down.inputs }
    /// The offset of `up` in a row.
    var upOffset: Int { weights.input.offsets[1] }

    /// Computes y (rows, hidden) from x, and keeps gate and up (rows, outputs).
    func forward(
        _ x: PairFactor, indices: UnsafePointer<Int32>? = nil, rows: Int, kept: UnsafeMutablePointer<UInt16>,
        into y: UnsafeMutablePointer<Float>
    ) {
        let (kernels, outputs) = (layer.kernels, weights.input.outputs)
        Scratch.with(bytes: rows * (4 * outputs + 2 * width + 64)) { scratch in
            let (out, product) = (scratch.floats(rows * outputs), scratch.rounded(rows, width))
            kernels.multiply(weights.input.output(x, rows: rows, indices: indices, into: out))
            kernels.round(out, count: rows * outputs, into: kept)
            kernels.widen(kept, count: rows * outputs, into: out)
            kernels.siluMultiply(gate: out, up: out + upOffset, rows: rows, width: width, stride: outputs)
            layer.context.round(out, stride: outputs, into: product)
            layer.multiplyOutput(weights.down, product.factor, rows: rows, into: y)
        }
    }
}
