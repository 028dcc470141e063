import Engine
import KernelInterface

/// One or several weight matrices with the same inputs, rounded to bfloat16 and packed for products.
///
/// The outputs of each part begin at a multiple of 16. The gaps between parts are zero.
final class PackedLinear {
    let parts: [Parameter]
    /// The first output of each part.
    let offsets: [Int]
    /// The number of outputs, including the zeros between the parts.
    let outputs: Int
    let inputs: Int
    /// Panels with one lane per output (forward) and with one lane per input (backward).
    fileprivate let forwardPanels: UnsafeMutableRawPointer
    fileprivate let backwardPanels: UnsafeMutableRawPointer

    fileprivate init(_ parts: [Parameter], _ memory: UnsafeMutableRawPointer) {
        self.parts = parts
        var offsets: [Int] = []
        var outputs = 0
        for part in parts {
            offsets.append(outputs)
            outputs += part.rows.roundedUp(to: 16)
        }
        (self.offsets, self.outputs, inputs) = (offsets, outputs, parts[0].columns)
        forwardPanels = memory
        backwardPanels = memory + Self.forwardBytes(parts)
    }

    private static func forwardBytes(_ parts: [Parameter]) -> Int {
        parts.reduce(0) { $0 + $1.rows.roundedUp(to: 16) } * ((parts[0].columns + 1) / 2) * 4
    }

    /// Returns the size of both forms in bytes, a multiple of 64.
    fileprivate static func bytes(_ parts: [Parameter]) -> Int {
        let outputs = parts.reduce(0) { $0 + $1.rows.roundedUp(to: 16) }
        return forwardBytes(parts).roundedUp(to: 64) + outputs * 2 * parts[0].columns.roundedUp(to: 16)
    }

    private var forwardBlock: Int { (inputs + 1) / 2 * 64 }
    private var backwardBlock: Int { outputs / 2 * 64 }

    /// Returns the product y = x W^T: x (rows, inputs), y (rows, outputs).
    func output(
        _ x: PairFactor, rows: Int, indices: UnsafePointer<Int32>? = nil, into y: UnsafeMutablePointer<Float>
    ) -> PairProduct {
        PairProduct(
            left: x, leftRows: indices, right: PairFactor(panels: forwardPanels, block: forwardBlock),
            pairs: (inputs + 1) / 2, out: y, outStride: outputs, rows: rows, columns: outputs)
    }

    /// Returns the product dx = dy W: dy (rows, outputs), dx (rows, inputs) with a row stride of `stride` floats.
    func inputGradient(
        _ dy: PairFactor, rows: Int, indices: UnsafePointer<Int32>? = nil, into dx: UnsafeMutablePointer<Float>,
        stride: Int
    ) -> PairProduct {
        PairProduct(
            left: dy, leftRows: indices, right: PairFactor(panels: backwardPanels, block: backwardBlock),
            pairs: outputs / 2, out: dx, outStride: stride, rows: rows, columns: inputs)
    }

    /// The number of rows that ``pack(part:rows:weights:_:)`` packs at a time, a multiple of 16.
    fileprivate static let sliceRows = 128

    /// Packs some rows of a part. `rows.lowerBound` must be a multiple of 16.
    fileprivate func pack(
        part: Int, rows: Range<Int>, weights: TrainedTensors, _ kernels: any TrainingKernels.Type
    ) {
        let source = weights.matrix(parts[part]).rows(rows)
        let padded = rows.count.roundedUp(to: 16)
        Scratch.with(bytes: 2 * padded * inputs.roundedUp(to: 16)) { scratch in
            let rounded = scratch.rounded(padded, inputs)
            for row in 0..<padded {
                if row < rows.count {
                    kernels.round(source.row(row), count: inputs, into: rounded.row(row))
                } else {
                    rounded.row(row).update(repeating: 0, count: inputs)
                }
            }
            let place = offsets[part] + rows.lowerBound
            kernels.packColumns(rounded.source(), into: forwardPanels + place / 16 * forwardBlock, block: forwardBlock)
            kernels.packRows(rounded.source(), into: backwardPanels + place / 2 * 64, block: backwardBlock)
        }
    }
}

/// The bfloat16 copies of all matrices used in bfloat16 products. Routers stay in float32.
final class PackedParameters {
    /// The packed matrices of a layer. `attention` has the query, key, value and gate projections.
    struct Layer {
        let attention: PackedLinear
        let output: PackedLinear
        let shared: FeedForward?
        let experts: [FeedForward]
    }

    struct FeedForward {
        /// The gate and up projections.
        let input: PackedLinear
        let down: PackedLinear
    }

    let layers: [Layer]
    let head: PackedLinear
    private let memory: Buffer<UInt16>
    private let all: [PackedLinear]
    private var isPacked = false

    init(_ layers: [LayerParameters], head: Parameter) {
        var groups: [[Parameter]] = [[head]]
        for layer in layers {
            groups.append([layer.query, layer.key, layer.value, layer.gate])
            groups.append([layer.output])
            for group in (layer.mixture.shared.map { [$0] } ?? []) + layer.mixture.experts {
                groups.append([group.gate, group.up])
                groups.append([group.down])
            }
        }
        memory = Buffer(count: groups.reduce(0) { $0 + PackedLinear.bytes($1) } / 2)
        var place = UnsafeMutableRawPointer(memory.base)
        all = groups.map { group in
            defer { place += PackedLinear.bytes(group) }
            return PackedLinear(group, place)
        }
        var rest = all[1...]
        self.head = all[0]
        self.layers = layers.map { layer in
            let (attention, output) = (rest.removeFirst(), rest.removeFirst())
            let shared = layer.mixture.shared.map { _ in
                FeedForward(input: rest.removeFirst(), down: rest.removeFirst())
            }
            let experts = layer.mixture.experts.map { _ in
                FeedForward(input: rest.removeFirst(), down: rest.removeFirst())
            }
            return Layer(attention: attention, output: output, shared: shared, experts: experts)
        }
    }

    /// Rounds and packs all weights after they have changed. Frozen weights are packed only the first time.
    func pack(_ context: RoundedContext) {
        var jobs: [(linear: PackedLinear, part: Int, rows: Range<Int>)] = []
        for linear in all {
            for (part, parameter) in linear.parts.enumerated()
            where !isPacked || context.gradients.kept(parameter) != nil {
                for row in stride(from: 0, to: parameter.rows, by: PackedLinear.sliceRows) {
                    jobs.append((linear, part, row..<min(row + PackedLinear.sliceRows, parameter.rows)))
                }
            }
        }
        context.pool.parallelFor(chunks: jobs.count) { index in
            let job = jobs[index]
            job.linear.pack(part: job.part, rows: job.rows, weights: context.weights, context.kernels)
        }
        isPacked = true
    }
}
