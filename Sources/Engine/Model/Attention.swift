import Checkpoints
import KernelInterface

/// Gated grouped-query attention of one layer: q and k are normalized per head, only sliding layers use rotary positions, and the
/// heads' output is multiplied by sigmoid(gate) before the output projection.
struct Attention {
    private let layer: Int
    private let type: ModelConfig.LayerType
    private let weights: ModelWeights.Attention

    init(layer: Int, type: ModelConfig.LayerType, weights: ModelWeights.Attention) {
        self.layer = layer
        self.type = type
        self.weights = weights
    }

    /// From `normed` to `branch`; the rows' keys and values are written to the cache, and read from it.
    func forward(_ context: ForwardContext) {
        context.traffic.weightBytes += weights.bytes
        project(context)
        context.forEachRowRange { rows in
            for row in rows { writeCache(context, row: row) }
        }
        CacheReader(context, layer: layer, type: type).attend()
        if !CacheReader.encodesSegments(context.config) {
            context.forEachRowRange { context.attended.encodeIntegers(rows: $0, kernels: context.kernels) }
        }
        let output = weights.output.view
        context.pool.forEachSlice(of: output.blocks) { blocks in
            output.multiply(
                context.attended, xRows: nil, tokens: context.plan.rows, into: context.branch.base,
                yStride: output.rows, blocks: blocks, kernels: context.kernels)
        }
    }

    private func project(_ context: ForwardContext) {
        let products = [
            (weights.query.view, context.query.base), (weights.key.view, context.key.base),
            (weights.value.view, context.value.base), (weights.gate.view, context.gate.base),
        ]
        let (normed, rows) = (context.normed, context.plan.rows)
        context.pool.forEachSlice(of: products.map { WorkerPool.Divisible(blocks: $0.0.blocks) }) { index, blocks in
            let (matrix, target) = products[index]
            matrix.multiply(
                normed, xRows: nil, tokens: rows, into: target, yStride: matrix.rows,
                blocks: blocks, kernels: context.kernels)
        }
    }

    private func writeCache(_ context: ForwardContext, row: Int) {
        let (config, kernels, layout) = (context.config, context.kernels.family, context.storage.layout)
        let (heads, groups, width) = (config.attentionHeads, config.keyValueHeads, config.headDimension)
        let query = context.query.base + row * heads * width
        let key = context.key.base + row * groups * width
        let value = context.value.base + row * groups * width
        kernels.rmsNorm(
            x: query, weight: weights.queryNorm.base, out: query, rows: heads, width: width,
            epsilon: config.normEpsilon)
        kernels.rmsNorm(
            x: key, weight: weights.keyNorm.base, out: key, rows: groups, width: width, epsilon: config.normEpsilon)
        if type == .sliding {
            let cosines = context.cosines.base + row * (width / 2)
            let sines = context.sines.base + row * (width / 2)
            kernels.rotate(x: query, heads: heads, headDimension: width, cosines: cosines, sines: sines)
            kernels.rotate(x: key, heads: groups, headDimension: width, cosines: cosines, sines: sines)
        }
        let place = layout.places[layer]
        let (logicalBlock, token) = context.plan.positions[row].quotientAndRemainder(
            dividingBy: KVCacheLayout.blockSize)
        let block = context.plan.table(row: row, type: type)[
            logicalBlock * layout.blocksPerLogicalBlock(type) + place.part]
        let target = context.storage.base + Int(block) * layout.bytesPerBlock + place.index * layout.bytesPerLayer
        kernels.cache(layout.dataType.cacheFormat).write(
            CacheWriteArguments(
                keys: key, values: value, heads: groups, headDimension: width, block: target, token: token))
    }
}
