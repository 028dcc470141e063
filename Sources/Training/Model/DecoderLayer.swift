import Checkpoints
import Engine
import Foundation

/// The state that all layers share.
struct LayerContext {
    let config: ModelConfig
    let weights: TrainedTensors
    let products: MatrixProducts
    let norm: RMSNorm
}

/// The parameters of one decoder layer.
struct LayerParameters {
    let inputNorm, postAttentionNorm, preMLPNorm, postMLPNorm: Parameter
    let query, key, value, gate, output: Parameter
    let queryNorm, keyNorm: Parameter
    let mixture: MixtureParameters
    /// The number of keys that a query sees, or `nil` for all.
    let window: Int?

    init(layer: Int, config: ModelConfig, layout: ParameterLayout) {
        func parameter(_ name: String) -> Parameter { layout.parameter("model.layers.\(layer).\(name).weight") }
        inputNorm = parameter("input_layernorm")
        postAttentionNorm = parameter("post_attention_layernorm")
        preMLPNorm = parameter("pre_mlp_layernorm")
        postMLPNorm = parameter("post_mlp_layernorm")
        query = parameter("self_attn.q_proj")
        key = parameter("self_attn.k_proj")
        value = parameter("self_attn.v_proj")
        gate = parameter("self_attn.gate_proj")
        output = parameter("self_attn.o_proj")
        queryNorm = parameter("self_attn.q_norm")
        keyNorm = parameter("self_attn.k_norm")
        mixture = MixtureParameters(layer: layer, config: config, layout: layout)
        window = config.layerTypes[layer] == .sliding ? config.slidingWindow : nil
    }
}

/// A decoder layer over a batch. The initializer runs the forward pass and keeps what the backward pass needs.
final class DecoderLayer {
    /// A matrix that owns its memory.
    struct Tensor {
        let matrix: Matrix
        private let memory: Buffer<Float>

        init(_ rows: Int, _ columns: Int) {
            memory = Buffer(count: rows * columns)
            matrix = Matrix(memory.base, rows: rows, columns: columns)
        }
    }

    private let parameters: LayerParameters
    private let context: LayerContext
    private let rotary: RotaryPositions
    private let attention: PackedAttention
    private let mixture: MixtureOfExperts
    /// The residual stream before the layer and after attention.
    private let input, middle: Tensor
    /// The normalized inputs of the two branches, and their outputs before the second norm.
    private let attentionInput, attentionOutput, mlpInput, mlpOutput: Tensor
    /// Queries and keys before their norm, queries and keys after norm and rotation, and values.
    private let rawQueries, rawKeys, queries, keys, values: Tensor
    /// sigmoid(gate), and attention's output before the gate.
    private let gates, attended: Tensor
    private let logSums: Tensor

    var routing: ExpertRouting? { mixture.routing }

    /// - Parameter x: the residual stream (tokens, hidden), which is replaced by the layer's output.
    init(
        _ parameters: LayerParameters, bias: [Float], x: Matrix, batch: PackedBatch, rotary: RotaryPositions,
        _ context: LayerContext
    ) {
        let (config, products, norm, weights) = (context.config, context.products, context.norm, context.weights)
        let (tokens, hidden, d) = (x.rows, config.hiddenSize, config.headDimension)
        let (queryWidth, keyWidth) = (config.attentionHeads * d, config.keyValueHeads * d)
        (self.parameters, self.context, self.rotary) = (parameters, context, rotary)
        attention = PackedAttention(
            pieces: batch.pieces, heads: config.attentionHeads, keyValueHeads: config.keyValueHeads, headDimension: d,
            window: parameters.window, products: products)
        input = Tensor(tokens, hidden)
        input.matrix.base.update(from: x.base, count: tokens * hidden)
        attentionInput = Tensor(tokens, hidden)
        norm.forward(x, gain: weights.pointer(parameters.inputNorm), into: attentionInput.matrix)
        (rawQueries, rawKeys) = (Tensor(tokens, queryWidth), Tensor(tokens, keyWidth))
        (values, gates) = (Tensor(tokens, keyWidth), Tensor(tokens, queryWidth))
        let h = attentionInput.matrix
        products.run([
            .output(h, weights.matrix(parameters.query), into: rawQueries.matrix),
            .output(h, weights.matrix(parameters.key), into: rawKeys.matrix),
            .output(h, weights.matrix(parameters.value), into: values.matrix),
            .output(h, weights.matrix(parameters.gate), into: gates.matrix),
        ])
        (queries, keys) = (Tensor(tokens, queryWidth), Tensor(tokens, keyWidth))
        norm.forward(
            rawQueries.matrix.heads(d), gain: weights.pointer(parameters.queryNorm), into: queries.matrix.heads(d))
        norm.forward(rawKeys.matrix.heads(d), gain: weights.pointer(parameters.keyNorm), into: keys.matrix.heads(d))
        if parameters.window != nil {
            rotary.rotate(queries.matrix)
            rotary.rotate(keys.matrix)
        }
        (attended, logSums) = (Tensor(tokens, queryWidth), Tensor(tokens, config.attentionHeads))
        attention.forward(
            q: queries.matrix, k: keys.matrix, v: values.matrix, into: attended.matrix, logSums: logSums.matrix)
        let gated = Tensor(tokens, queryWidth)
        let (gate, output) = (gates.matrix.base, attended.matrix.base)
        products.pool.forEachPiece(of: tokens * queryWidth, size: 1 << 14) { _, range in
            for index in range {
                gate[index] = 1 / (1 + exp(-gate[index]))
                gated.matrix.base[index] = output[index] * gate[index]
            }
        }
        attentionOutput = Tensor(tokens, hidden)
        products.run([.output(gated.matrix, weights.matrix(parameters.output), into: attentionOutput.matrix)])
        norm.forward(
            attentionOutput.matrix, gain: weights.pointer(parameters.postAttentionNorm), into: x, adds: true)
        middle = Tensor(tokens, hidden)
        middle.matrix.base.update(from: x.base, count: tokens * hidden)
        (mlpInput, mlpOutput) = (Tensor(tokens, hidden), Tensor(tokens, hidden))
        norm.forward(x, gain: weights.pointer(parameters.preMLPNorm), into: mlpInput.matrix)
        mixture = MixtureOfExperts(
            parameters.mixture, bias: bias, h: mlpInput.matrix, into: mlpOutput.matrix, context)
        norm.forward(mlpOutput.matrix, gain: weights.pointer(parameters.postMLPNorm), into: x, adds: true)
    }

    /// Turns dx, the gradient of the layer's output, into the gradient of its input.
    func backward(_ dx: Matrix, rows: [Range<Int>], balance: Float, gradients: TrainedTensors) {
        let (weights, norm) = (context.weights, context.norm)
        let branch = Tensor(dx.rows, dx.columns)
        let dh = Tensor(dx.rows, dx.columns)
        norm.backward(
            dx, x: mlpOutput.matrix, gain: weights.pointer(parameters.postMLPNorm), into: branch.matrix,
            gainGradient: gradients.kept(parameters.postMLPNorm)?.base)
        mixture.backward(
            dOut: branch.matrix, h: mlpInput.matrix, into: dh.matrix, rows: rows, balance: balance,
            gradients: gradients)
        norm.backward(
            dh.matrix, x: middle.matrix, gain: weights.pointer(parameters.preMLPNorm), into: dx, adds: true,
            gainGradient: gradients.kept(parameters.preMLPNorm)?.base)
        norm.backward(
            dx, x: attentionOutput.matrix, gain: weights.pointer(parameters.postAttentionNorm), into: branch.matrix,
            gainGradient: gradients.kept(parameters.postAttentionNorm)?.base)
        backwardAttention(branch.matrix, into: dh.matrix, gradients: gradients)
        norm.backward(
            dh.matrix, x: input.matrix, gain: weights.pointer(parameters.inputNorm), into: dx, adds: true,
            gainGradient: gradients.kept(parameters.inputNorm)?.base)
    }

    /// Computes dh, the gradient of attention's normalized input, from the gradient of attention's output, and replaces its old
    /// contents.
    private func backwardAttention(_ dOutput: Matrix, into dh: Matrix, gradients: TrainedTensors) {
        let (weights, products, norm) = (context.weights, context.products, context.norm)
        let (tokens, queryWidth, keyWidth) = (dh.rows, queries.matrix.columns, keys.matrix.columns)
        let (gated, dAttended) = (Tensor(tokens, queryWidth), Tensor(tokens, queryWidth))
        let (gate, output) = (gates.matrix.base, attended.matrix.base)
        products.pool.forEachPiece(of: tokens * queryWidth, size: 1 << 14) { _, range in
            for index in range { gated.matrix.base[index] = output[index] * gate[index] }
        }
        products.run(
            [
                gradients.product(dOutput, gated.matrix, for: parameters.output),
                .inputGradient(dOutput, weights.matrix(parameters.output), into: dAttended.matrix, adds: false),
            ].compactMap(\.self))
        // `gated` is reused for the gradient of the gate before the sigmoid.
        let dGate = gated
        products.pool.forEachPiece(of: tokens * queryWidth, size: 1 << 14) { _, range in
            for index in range {
                let change = dAttended.matrix.base[index]
                dGate.matrix.base[index] = change * output[index] * gate[index] * (1 - gate[index])
                dAttended.matrix.base[index] = change * gate[index]
            }
        }
        let (dq, dk, dv) = (Tensor(tokens, queryWidth), Tensor(tokens, keyWidth), Tensor(tokens, keyWidth))
        attention.backward(
            q: queries.matrix, k: keys.matrix, v: values.matrix, out: attended.matrix, logSums: logSums.matrix,
            dOut: dAttended.matrix, dq: dq.matrix, dk: dk.matrix, dv: dv.matrix)
        if parameters.window != nil {
            rotary.rotate(dq.matrix, backward: true)
            rotary.rotate(dk.matrix, backward: true)
        }
        let d = context.config.headDimension
        for (gradient, raw, gain) in [(dq, rawQueries, parameters.queryNorm), (dk, rawKeys, parameters.keyNorm)] {
            norm.backward(
                gradient.matrix.heads(d), x: raw.matrix.heads(d), gain: weights.pointer(gain),
                into: gradient.matrix.heads(d), gainGradient: gradients.kept(gain)?.base)
        }
        let parts = [
            (dq, parameters.query), (dk, parameters.key), (dv, parameters.value), (dGate, parameters.gate),
        ]
        products.run(parts.compactMap { gradients.product($0.matrix, attentionInput.matrix, for: $1) })
        for (index, (gradient, parameter)) in parts.enumerated() {
            products.run([
                .inputGradient(gradient.matrix, weights.matrix(parameter), into: dh, adds: index > 0)
            ])
        }
    }
}

extension Matrix {
    /// Returns (rows, heads * d) as (rows * heads, d).
    fileprivate func heads(_ d: Int) -> Matrix { Matrix(base, rows: rows * columns / d, columns: d) }
}
