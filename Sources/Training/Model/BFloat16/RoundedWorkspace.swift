import Checkpoints
import Engine

/// The memory of the bfloat16 passes over a micro-batch: the activations that each layer keeps, and memory that layers reuse.
final class RoundedWorkspace {
    /// The maximum number of tokens, an even number.
    let tokens: Int
    let layers: [RoundedLayerMemory]
    /// The output of the last layer, and the gradient of the residual stream, (tokens, hidden).
    let output, gradient: UnsafeMutablePointer<Float>
    /// Queries and keys after norm and rotation.
    let queries, keys: UnsafeMutablePointer<UInt16>
    /// Normalized inputs of the MLP, and the gradient of its output, (tokens, hidden).
    let mlpInput, mlpGradient: UnsafeMutablePointer<UInt16>
    /// Outputs of the dense MLP or the shared expert, or gradients of the MLP's inputs, (tokens, hidden); and the same for the
    /// experts, (slots, hidden).
    let mixed, slotRows: UnsafeMutablePointer<Float>
    /// Gradients of queries, keys and values, (tokens, projection width).
    let attentionGradient: UnsafeMutablePointer<Float>
    /// The same gradients rounded to bfloat16, together with those of the gates.
    let projectionGradient: UnsafeMutablePointer<UInt16>
    /// The gradient of attention's output before the gate, (tokens, queries).
    let attendedGradient: UnsafeMutablePointer<UInt16>
    /// <gradient, output> of each head, (tokens, heads).
    let deltas: UnsafeMutablePointer<Float>
    /// The gradients of the route weights and of the router's logits.
    let routeGradient, logitGradient: UnsafeMutablePointer<Float>
    /// The sums over the tokens of each chunk: the gradients of up to two norms, two head norms, and the router.
    let partialSums: UnsafeMutablePointer<Float>
    let partialWidth: Int
    /// The panels for the products of one part of a layer's backward pass.
    private let panels: UnsafeMutablePointer<UInt16>

    private let arena = MemoryArena()

    /// The number of allocated bytes.
    var bytes: Int { arena.bytes }

    init(_ packed: PackedParameters, _ shape: RoundedShape, tokens wanted: Int) {
        let (tokens, arena) = (wanted.roundedUp(to: 2), arena)
        self.tokens = tokens
        layers = packed.layers.map { RoundedLayerMemory($0, shape, tokens: tokens, arena) }
        let (hidden, layout) = (shape.hidden, shape.layout)
        let isSparse = packed.layers.contains { !$0.experts.isEmpty }
        let slots = isSparse ? RoundedLayerMemory.slots(shape, tokens: tokens) : 0
        (output, gradient) = (arena.floats(tokens * hidden), arena.floats(tokens * hidden))
        queries = arena.rounded(tokens * layout.queries.count + 16)
        keys = arena.rounded(tokens * layout.keys.count + 16)
        let stride = hidden.roundedUp(to: 16)
        (mlpInput, mlpGradient) = (arena.rounded(tokens * stride), arena.rounded(tokens * stride))
        (mixed, slotRows) = (arena.floats(tokens * hidden), arena.floats(slots * hidden))
        attentionGradient = arena.floats(tokens * layout.width)
        projectionGradient = arena.rounded(tokens * layout.width)
        attendedGradient = arena.rounded(tokens * layout.queries.count + 16)
        deltas = arena.floats(tokens * shape.heads)
        routeGradient = arena.floats(isSparse ? tokens * shape.chosen : 0)
        logitGradient = arena.floats(isSparse ? tokens * shape.experts : 0)
        partialWidth = 2 * hidden + 2 * shape.headDimension + (isSparse ? shape.experts * hidden : 0)
        partialSums = arena.floats(RoundedContext.chunks(of: tokens) * partialWidth)
        func widths(_ groups: [PackedParameters.FeedForward]) -> Int {
            groups.map { $0.input.outputs + $0.down.inputs.roundedUp(to: 16) + 2 * stride }.max() ?? 0
        }
        let mlp =
            tokens * widths(packed.layers.compactMap(\.shared)) + slots * widths(packed.layers.flatMap(\.experts))
        let attention = tokens * (layout.width + layout.queries.count.roundedUp(to: 16) + 2 * stride)
        panels = arena.rounded(max(mlp, attention))
    }

    /// Returns panels of `rows` rows, an even number, one for each number of columns.
    func panels(_ columns: [Int], rows: Int, after bytes: Int = 0) -> [PairPanels] {
        var place = UnsafeMutableRawPointer(panels) + bytes
        return columns.map { columns in
            defer { place += PairPanels.bytes(rows: rows, columns: columns) }
            return PairPanels(place, rows: rows)
        }
    }
}
