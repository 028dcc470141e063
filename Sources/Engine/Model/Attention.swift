import Checkpoints
import KernelInterface

/// Gated grouped-query attention of one layer. Queries and keys are normalized per head, only sliding layers use rotary positions,
/// and the output of the heads is multiplied by sigmoid(gate) before the output projection.
struct Attention {
    private let layer: Int
    private let type: ModelConfig.LayerType
    private let weights: ModelWeights.Attention

    init(layer: Int, type: ModelConfig.LayerType, weights: ModelWeights.Attention) {
        self.layer = layer
        self.type = type
        self.weights = weights
    }

    /// Computes `branch` from `normed`. The keys and values of the rows are written to the cache and read from it.
    func forward(_ context: ForwardContext) {
        context.traffic.weightBytes += weights.bytes
        project(context)
        writeCache(context)
        CacheReader(context, layer: layer, type: type).attend()
        if !CacheReader.encodesSegments(context.config) {
            context.forEachRowRange { context.attended.encodeIntegers(rows: $0, kernels: context.kernels) }
        }
        let output = weights.output.view
        context.pool.forEachSlice(of: output.slices()) { blocks in
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
        context.pool.forEachSlice(of: products.map { $0.0.slices() }) { index, blocks in
            let (matrix, target) = products[index]
            matrix.multiply(
                normed, xRows: nil, tokens: rows, into: target, yStride: matrix.rows,
                blocks: blocks, kernels: context.kernels)
        }
    }

    /// Normalizes and rotates queries and keys, and writes keys and values to the cache.
    private func writeCache(_ context: ForwardContext) {
        let (config, kernels, layout) = (context.config, context.kernels.family, context.storage.layout)
        let (heads, groups, width) = (config.attentionHeads, config.keyValueHeads, config.headDimension)
        let (place, parts) = (layout.place(ofLayer: layer), layout.blocksPerLogicalBlock(type))
        let (cache, bytesPerBlock) = (context.storage.base + place.index * layout.bytesPerLayer, layout.bytesPerBlock)
        let (writer, epsilon) = (kernels.cache(layout.dataType.cacheFormat), config.normEpsilon)
        context.forEachRowRange { rows in
            for row in rows {
                let query = context.query.base + row * heads * width
                let key = context.key.base + row * groups * width
                kernels.rmsNorm(
                    x: query, weight: weights.queryNorm.base, out: query, rows: heads, width: width, epsilon: epsilon)
                kernels.rmsNorm(
                    x: key, weight: weights.keyNorm.base, out: key, rows: groups, width: width, epsilon: epsilon)
                if type == .sliding {
                    let cosines = context.cosines.base + row * (width / 2)
                    let sines = context.sines.base + row * (width / 2)
                    kernels.rotate(x: query, heads: heads, headDimension: width, cosines: cosines, sines: sines)
                    kernels.rotate(x: key, heads: groups, headDimension: width, cosines: cosines, sines: sines)
                }
                let (logicalBlock, token) = context.plan.positions[row].quotientAndRemainder(
                    dividingBy: KVCacheLayout.blockSize)
                let block = context.plan.table(row: row, type: type)[logicalBlock * parts + place.part]
                writer.write(
                    CacheWriteArguments(
                        keys: key, values: context.value.base + row * groups * width, heads: groups,
                        headDimension: width, block: cache + Int(block) * bytesPerBlock, token: token))
            }
        }
    }
}
