/// The part of attention that reads the cache: from `query` to `attended`, gated.
///
/// A unit of work is a row and the query heads that share keys and values. Its keys are taken in segments of 256
/// absolute positions, each computed by itself and added to the ones before in order. With few units and long contexts
/// the segments themselves are spread over the threads; the arithmetic is the same.
struct CacheReader {
    /// Positions that one kernel call reads at most; their borders are absolute.
    private static let segmentLength = 256

    private let context: ForwardContext
    private let layer: Int
    private let type: ModelConfig.LayerType
    private let groups: Int
    /// Query heads of a group.
    private let heads: Int
    private let width: Int
    /// Floats of what attention to one segment comes to.
    private let partialCount: Int

    init(_ context: ForwardContext, layer: Int, type: ModelConfig.LayerType) {
        self.context = context
        self.layer = layer
        self.type = type
        groups = context.config.keyValueHeads
        heads = context.config.attentionHeads / groups
        width = context.config.headDimension
        partialCount = heads * (width + 2)
    }

    func attend() {
        let tokens = context.plan.spans.reduce(0) { $0 + $1.upperBound - firstKey($1.lowerBound) }
        context.traffic.cacheBytes +=
            tokens * groups * context.storage.layout.dataType.bytesPerToken(headDimension: width)
        let units = context.plan.rows * groups
        let fewUnits = context.pool.threads * 4
        if units < fewUnits, context.pool.threads > 1, (0..<units).contains(where: { segments(of: $0).count > 2 }) {
            attendBySegments(units)
        } else {
            attendByUnits(units)
        }
    }

    /// Each unit by one thread, its segments one after another.
    private func attendByUnits(_ units: Int) {
        let chunks = min(units, context.pool.threads * 4)
        let scratch = context.attentionScratch(count: chunks * 2 * partialCount)
        context.pool.parallelFor(chunks: chunks) { chunk in
            let total = scratch + chunk * 2 * partialCount
            for unit in units * chunk / chunks..<units * (chunk + 1) / chunks {
                let segments = segments(of: unit)
                read(unit, segments.lowerBound, into: total)
                for segment in segments.dropFirst() {
                    read(unit, segment, into: total + partialCount)
                    context.kernels.mergeSegment(total + partialCount, heads, width, total)
                }
                finish(unit, total)
            }
        }
    }

    /// Each segment of each unit by any thread.
    private func attendBySegments(_ units: Int) {
        let segments = (0..<units).map(segments)
        let work = segments.enumerated().flatMap { unit, range in range.map { (unit: unit, segment: $0) } }
        let scratch = context.attentionScratch(count: work.count * partialCount)
        context.pool.parallelFor(chunks: work.count) { index in
            read(work[index].unit, work[index].segment, into: scratch + index * partialCount)
        }
        var starts = [0]
        for range in segments { starts.append(starts[starts.count - 1] + range.count) }
        context.pool.parallelFor(chunks: units) { unit in
            let total = scratch + starts[unit] * partialCount
            for index in 1..<max(segments[unit].count, 1) {
                context.kernels.mergeSegment(total + index * partialCount, heads, width, total)
            }
            finish(unit, total)
        }
    }

    private func firstKey(_ position: Int) -> Int {
        type == .full ? 0 : max(position - context.config.slidingWindow + 1, 0)
    }

    private func segments(of unit: Int) -> Range<Int> {
        let position = context.plan.positions[unit / groups]
        return firstKey(position) / Self.segmentLength..<position / Self.segmentLength + 1
    }

    private func read(_ unit: Int, _ segment: Int, into partial: UnsafeMutablePointer<Float>) {
        let (row, group) = unit.quotientAndRemainder(dividingBy: groups)
        let layout = context.storage.layout
        let place = layout.places[layer]
        let position = context.plan.positions[row]
        let attend =
            switch layout.dataType {
            case .f32: context.kernels.attendFloat32
            case .bf16: context.kernels.attendBFloat16
            case .fp8: context.kernels.attendFloat8
            }
        attend(
            context.query.base + unit * heads * width, heads, width,
            context.storage.base + place.index * layout.bytesPerLayer + group * layout.bytesPerHead,
            layout.bytesPerBlock, context.plan.table(row: row, type: type) + place.part, layout.blocksPerSlot(type),
            max(segment * Self.segmentLength, firstKey(position)),
            min((segment + 1) * Self.segmentLength, position + 1),
            1 / Float(width).squareRoot(), partial)
    }

    private func finish(_ unit: Int, _ total: UnsafePointer<Float>) {
        let (row, group) = unit.quotientAndRemainder(dividingBy: groups)
        let offset = unit * heads * width
        context.kernels.finishAttention(total, heads, width, context.attended.values + offset)
        context.kernels.sigmoidMultiply(context.attended.values + offset, context.gate.base + offset, heads * width)
        context.attended.encode(
            rows: row..<row + 1, columns: group * heads * width..<(group + 1) * heads * width,
            width: groups * heads * width, kernels: context.kernels)
    }
}
