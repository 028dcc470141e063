import Checkpoints
import Engine

/// The ranges of queries, keys, values and gates in the outputs of the first projection of attention.
struct ProjectionLayout {
    let queries: Range<Int>
    let keys: Range<Int>
    let values: Range<Int>
    let gates: Range<Int>
    let width: Int

    init(_ config: ModelConfig) {
        let (query, key) = (
            config.attentionHeads * config.headDimension, config.keyValueHeads * config.headDimension
        )
        let (queryEnd, keyEnd) = (query.roundedUp(to: 16), key.roundedUp(to: 16))
        queries = 0..<query
        keys = queryEnd..<queryEnd + key
        values = queryEnd + keyEnd..<queryEnd + keyEnd + key
        gates = queryEnd + 2 * keyEnd..<queryEnd + 2 * keyEnd + query
        width = 2 * (queryEnd + keyEnd)
    }
}

/// Zero-initialized memory that is freed together.
final class MemoryArena {
    private var buffers: [Buffer<UInt8>] = []

    /// The number of allocated bytes.
    var bytes: Int { buffers.reduce(0) { $0 + $1.count } }

    func floats(_ count: Int) -> UnsafeMutablePointer<Float> { allocate(count) }
    func rounded(_ count: Int) -> UnsafeMutablePointer<UInt16> { allocate(count) }
    func integers(_ count: Int) -> UnsafeMutablePointer<Int32> { allocate(count) }

    private func allocate<Element: BitwiseCopyable>(_ count: Int) -> UnsafeMutablePointer<Element> {
        let buffer = Buffer<UInt8>(count: count * MemoryLayout<Element>.stride)
        buffers.append(buffer)
        return UnsafeMutableRawPointer(buffer.base).bindMemory(to: Element.self, capacity: count)
    }
}

/// The activations that one layer keeps for the backward pass. The memory belongs to an arena.
struct RoundedLayerMemory {
    /// The residual stream before the layer and after attention, (tokens, hidden).
    let input, middle: UnsafeMutablePointer<Float>
    /// Queries and keys before their norms, values, and gates, (tokens, width).
    let projected: UnsafeMutablePointer<UInt16>
    /// Attention's output before the gate, (tokens, queries).
    let attended: UnsafeMutablePointer<UInt16>
    /// The logarithms of the softmax sums, (tokens, heads).
    let logSums: UnsafeMutablePointer<Float>
    /// The outputs of the two branches before their norms, (tokens, hidden).
    let attentionOutput, mlpOutput: UnsafeMutablePointer<UInt16>
    /// Gate and up of the dense MLP or the shared expert, (tokens, 2 * width).
    let shared: UnsafeMutablePointer<UInt16>
    /// Gate and up of the routed experts, (slots, 2 * width).
    let routed: UnsafeMutablePointer<UInt16>
    /// Scores (tokens, experts), and the weights and ids of the chosen experts (tokens, chosen).
    let scores, routeWeights: UnsafeMutablePointer<Float>
    let ids: UnsafeMutablePointer<Int32>
    /// The slot of each choice, (tokens, chosen); the token and the choice of each slot.
    let slots, slotTokens, slotChoices: UnsafeMutablePointer<Int32>

    init(_ packed: PackedParameters.Layer, _ shape: RoundedShape, tokens: Int, _ arena: MemoryArena) {
        let isSparse = !packed.experts.isEmpty
        let choices = isSparse ? tokens * shape.chosen : 0
        let slotCount = isSparse ? Self.slots(shape, tokens: tokens) : 0
        (input, middle) = (arena.floats(tokens * shape.hidden), arena.floats(tokens * shape.hidden))
        // A pair may begin at the last element, so some extra elements are allocated.
        projected = arena.rounded(tokens * packed.attention.outputs + 16)
        attended = arena.rounded(tokens * shape.layout.queries.count + 16)
        logSums = arena.floats(tokens * shape.heads)
        attentionOutput = arena.rounded(tokens * shape.hidden)
        mlpOutput = arena.rounded(tokens * shape.hidden)
        shared = arena.rounded(tokens * (packed.shared?.input.outputs ?? 0))
        routed = arena.rounded(slotCount * (packed.experts.first?.input.outputs ?? 0))
        scores = arena.floats(isSparse ? tokens * shape.experts : 0)
        routeWeights = arena.floats(choices)
        (ids, slots) = (arena.integers(choices), arena.integers(choices))
        (slotTokens, slotChoices) = (arena.integers(slotCount), arena.integers(slotCount))
    }

    /// Returns the maximum number of slots for some tokens. The slots of each expert begin at an even number.
    static func slots(_ shape: RoundedShape, tokens: Int) -> Int { tokens * shape.chosen + shape.experts }
}
