import Engine

extension TrainingModel {
    /// Returns the loss sums of each piece of a batch, computed in float32. Nothing is kept for a backward pass.
    func evaluate(_ batch: PackedBatch) -> [LossSums] {
        let pool = products.pool
        let context = LayerContext(
            config: config, weights: weights, products: products,
            norm: RMSNorm(epsilon: config.normEpsilon, pool: pool))
        let memory = Buffer<Float>(count: 2 * batch.tokens * config.hiddenSize)
        let x = Matrix(memory.base, rows: batch.tokens, columns: config.hiddenSize)
        let h = Matrix(memory.base + batch.tokens * config.hiddenSize, rows: x.rows, columns: x.columns)
        embed(batch.ids, into: x)
        let rotary = RotaryPositions(config, positions: batch.positions, pool: pool)
        for index in layers.indices {
            _ = DecoderLayer(
                layers[index], bias: bias(layer: index), x: x, batch: batch, rotary: rotary, context)
        }
        context.norm.forward(x, gain: weights.pointer(layout.parameter("model.norm.weight")), into: h)
        let losses = OutputHead(weight: weights.matrix(head), products: products).losses(h, batch: batch)
        return batch.pieces.map { piece in
            piece.reduce(into: LossSums()) { sums, token in
                let weight = Double(batch.targetWeights[token])
                sums.crossEntropy += weight * losses[token].loss
                sums.z += weight * losses[token].logSum * losses[token].logSum
            }
        }
    }
}
