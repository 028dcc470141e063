import Checkpoints
import KernelInterface

/// The part of attention that reads the cache: it computes `attended` from `query` and applies the gate.
///
/// A unit of work is a row together with the query heads that share keys and values. Its keys are processed in segments of 512
/// absolute positions. Each segment is computed separately and merged into the previous ones in order. With few units and long
/// contexts, the segments themselves are distributed over the threads. The arithmetic is the same.
struct CacheReader {
    /// The maximum number of positions that one kernel call reads. Segment boundaries are absolute positions.
    private static let segmentLength = 512
    /// The number of rows that read a segment one after another while it is in the L2 cache.
    private static let rowsPerChunk = 16

    private let context: ForwardContext
    private let type: ModelConfig.LayerType
    private let groups: Int
    /// The number of query heads of a group.
    private let heads: Int
    private let width: Int
    private let slidingWindow: Int
    private let format: CacheFormat
    /// This layer's section of block 0, the number of bytes per head, and the number of bytes per block.
    private let cache: UnsafeRawPointer
    private let bytesPerHead: Int
    private let bytesPerBlock: Int
    /// This layer's part of a logical block, and the number of parts.
    private let part: Int
    private let parts: Int
    /// The number of floats of the partial result of one segment.
    private let partialCount: Int

    init(_ context: ForwardContext, layer: Int, type: ModelConfig.LayerType) {
        self.context = context
        self.type = type
        groups = context.config.keyValueHeads
        heads = context.config.attentionHeads / groups
        width = context.config.headDimension
        slidingWindow = context.config.slidingWindow
        let layout = context.storage.layout
        format = layout.dataType.cacheFormat
        let place = layout.place(ofLayer: layer)
        cache = UnsafeRawPointer(context.storage.base) + place.index * layout.bytesPerLayer
        bytesPerHead = layout.bytesPerHead
        bytesPerBlock = layout.bytesPerBlock
        part = place.part
        parts = layout.blocksPerLogicalBlock(type)
        partialCount = Self.partialCount(context.config)
    }

    private static func partialCount(_ config: ModelConfig) -> Int {
        config.attentionHeads / config.keyValueHeads * (config.headDimension + 2)
    }

    /// Returns the number of floats of scratch memory. It is enough for a total for each unit and a partial result for each chunk
    /// of rows, or for a partial result for each segment of few units, as far as `threads` can use them.
    static func scratchCount(_ config: ModelConfig, maxTokens: Int, threads: Int) -> Int {
        let units = maxTokens * config.keyValueHeads
        let chunks = max(units / rowsPerChunk, 8 * threads) + config.keyValueHeads
        return max(units + chunks, 256 * threads) * partialCount(config)
    }

    func attend() {
        let tokens = context.plan.spans.reduce(0) { $0 + $1.upperBound - firstKey($1.lowerBound) }
        context.traffic.cacheBytes +=
            tokens * groups * context.storage.layout.dataType.bytesPerToken(headDimension: width)
        let units = context.plan.rows * groups
        if context.pool.threads > 1, units < context.pool.threads * 4 {
            let segments = (0..<units).map { self.segments(ofRow: $0 / groups) }
            let count = segments.reduce(0) { $0 + $1.count }
            if segments.contains(where: { $0.count > 2 }), count * partialCount <= context.attentionScratch.count {
                return attendBySegments(segments)
            }
        }
        attendByRows()
    }

    /// Computes attention in chunks: one thread computes some rows of one group, segment by segment.
    private func attendByRows() {
        let rows = context.plan.rows
        let height = max(min(Self.rowsPerChunk, rows * groups / (context.pool.threads * 4)), 1)
        let chunks = (rows + height - 1) / height * groups
        let totals = context.attentionScratch.base
        let partials = totals + rows * groups * partialCount
        context.pool.parallelFor(chunks: chunks) { chunk in
            let (number, group) = chunk.quotientAndRemainder(dividingBy: groups)
            let rows = number * height..<min((number + 1) * height, rows)
            let partial = partials + chunk * partialCount
            var (first, end) = (Int.max, 0)
            for row in rows {
                let segments = self.segments(ofRow: row)
                (first, end) = (min(first, segments.lowerBound), max(end, segments.upperBound))
            }
            for segment in first..<end {
                for row in rows {
                    let segments = self.segments(ofRow: row)
                    guard segments.contains(segment) else { continue }
                    let unit = row * groups + group
                    let total = totals + unit * partialCount
                    if segment == segments.lowerBound {
                        read(unit, segment, into: total)
                    } else {
                        read(unit, segment, into: partial)
                        context.kernels.family.mergeSegment(
                            partial: partial, heads: heads, headDimension: width, total: total)
                    }
                    if segment == segments.upperBound - 1 { finish(unit, total) }
                }
            }
        }
    }

    /// Computes attention in segments: any thread computes any segment of any unit.
    private func attendBySegments(_ segments: [Range<Int>]) {
        let work = segments.enumerated().flatMap { unit, range in range.map { (unit: unit, segment: $0) } }
        let scratch = context.attentionScratch.base
        context.pool.parallelFor(chunks: work.count) { index in
            read(work[index].unit, work[index].segment, into: scratch + index * partialCount)
        }
        var starts = [0]
        for range in segments { starts.append(starts[starts.count - 1] + range.count) }
        context.pool.parallelFor(chunks: segments.count) { unit in
            let total = scratch + starts[unit] * partialCount
            for index in 1..<max(segments[unit].count, 1) {
                context.kernels.family.mergeSegment(
                    partial: total + index * partialCount, heads: heads, headDimension: width, total: total)
            }
            finish(unit, total)
        }
    }

    private func firstKey(_ position: Int) -> Int {
        type == .full ? 0 : max(position - slidingWindow + 1, 0)
    }

    private func segments(ofRow row: Int) -> Range<Int> {
        let position = context.plan.positions[row]
        return firstKey(position) / Self.segmentLength..<position / Self.segmentLength + 1
    }

    private func read(_ unit: Int, _ segment: Int, into partial: UnsafeMutablePointer<Float>) {
        let (row, group) = unit.quotientAndRemainder(dividingBy: groups)
        let position = context.plan.positions[row]
        context.kernels.attend(
            format,
            AttentionArguments(
                query: context.query.base + unit * heads * width, heads: heads, headDimension: width,
                cache: cache + group * bytesPerHead, blockBytes: bytesPerBlock,
                table: context.plan.table(row: row, type: type) + part, tableStride: parts,
                start: max(segment * Self.segmentLength, firstKey(position)),
                end: min((segment + 1) * Self.segmentLength, position + 1),
                scale: 1 / Float(width).squareRoot(), partial: partial))
    }

    /// Returns whether the output of the heads that share keys consists of whole integer segments, which ``attend()`` then encodes.
    static func encodesSegments(_ config: ModelConfig) -> Bool {
        let width = config.attentionHeads / config.keyValueHeads * config.headDimension
        return MatrixRows.areSegments(0..<width, width: config.attentionHeads * config.headDimension)
    }

    private func finish(_ unit: Int, _ total: UnsafePointer<Float>) {
        let (row, group) = unit.quotientAndRemainder(dividingBy: groups)
        let offset = unit * heads * width
        context.kernels.family.finishAttention(
            total: total, heads: heads, headDimension: width, out: context.attended.values + offset)
        context.kernels.family.sigmoidMultiply(
            x: context.attended.values + offset, gate: context.gate.base + offset, count: heads * width)
        context.attended.encode(
            rows: row..<row + 1, columns: group * heads * width..<(group + 1) * heads * width,
            width: groups * heads * width, kernels: context.kernels)
    }
}
