import Engine
import Foundation

/// One set of weights of y = (silu(x A^T) * (x B^T)) D^T, and its rows of x. A dense MLP is one group; a mixture has one for each
/// expert.
struct FeedForwardGroup {
    /// The weights: gate and up (width, hidden), down (hidden, width).
    var gate: Parameter
    var up: Parameter
    var down: Parameter
    var rows: Range<Int>
}

/// The activations that the forward pass keeps: gate and up before the activation, (rows, width) each.
struct FeedForward {
    let gate: Matrix
    let up: Matrix
    private let memory: Buffer<Float>

    init(rows: Int, width: Int) {
        memory = Buffer(count: 2 * rows * width)
        gate = Matrix(memory.base, rows: rows, columns: width)
        up = Matrix(memory.base + rows * width, rows: rows, columns: width)
    }

    /// Computes y (rows, hidden) from x (rows, hidden).
    func forward(
        _ groups: [FeedForwardGroup], _ x: Matrix, into y: Matrix, weights: TrainedTensors, _ products: MatrixProducts
    ) {
        products.run(
            groups.flatMap { group in
                [
                    .output(x.rows(group.rows), weights.matrix(group.gate), into: gate.rows(group.rows)),
                    .output(x.rows(group.rows), weights.matrix(group.up), into: up.rows(group.rows)),
                ]
            })
        let memory = Buffer<Float>(count: gate.rows * gate.columns)
        let hidden = Matrix(memory.base, rows: gate.rows, columns: gate.columns)
        activate(into: hidden, products.pool)
        products.run(
            groups.map {
                .output(hidden.rows($0.rows), weights.matrix($0.down), into: y.rows($0.rows))
            })
    }

    /// Computes dx from dy, replacing its old contents, and adds the gradients of the weights.
    func backward(
        _ groups: [FeedForwardGroup], dy: Matrix, x: Matrix, into dx: Matrix, weights: TrainedTensors,
        gradients: TrainedTensors, _ products: MatrixProducts
    ) {
        let count = gate.rows * gate.columns
        let memory = Buffer<Float>(count: 2 * count)
        let hidden = Matrix(memory.base, rows: gate.rows, columns: gate.columns)
        let change = Matrix(memory.base + count, rows: gate.rows, columns: gate.columns)
        activate(into: hidden, products.pool)
        products.run(
            groups.flatMap { group -> [MatrixProduct] in
                let dy = dy.rows(group.rows)
                return [
                    gradients.product(dy, hidden.rows(group.rows), for: group.down),
                    .inputGradient(dy, weights.matrix(group.down), into: change.rows(group.rows), adds: false),
                ].compactMap(\.self)
            })
        // `hidden` is reused for the gradient of gate, and `change` for that of up.
        products.pool.forEachPiece(of: count, size: 1 << 14) { _, range in
            for index in range {
                let (a, b, e) = (gate.base[index], up.base[index], change.base[index])
                let sigmoid = 1 / (1 + exp(-a))
                let silu = a * sigmoid
                hidden.base[index] = e * b * (sigmoid + silu * (1 - sigmoid))
                change.base[index] = e * silu
            }
        }
        products.run(
            groups.flatMap { group -> [MatrixProduct] in
                let (x, dGate, dUp) = (x.rows(group.rows), hidden.rows(group.rows), change.rows(group.rows))
                return [
                    gradients.product(dGate, x, for: group.gate),
                    gradients.product(dUp, x, for: group.up),
                    .inputGradient(dGate, weights.matrix(group.gate), into: dx.rows(group.rows), adds: false),
                ].compactMap(\.self)
            })
        products.run(
            groups.map {
                .inputGradient(change.rows($0.rows), weights.matrix($0.up), into: dx.rows($0.rows), adds: true)
            })
    }

    /// Computes hidden = silu(gate) * up.
    private func activate(into hidden: Matrix, _ pool: WorkerPool) {
        pool.forEachPiece(of: gate.rows * gate.columns, size: 1 << 14) { _, range in
            for index in range {
                let a = gate.base[index]
                hidden.base[index] = a / (1 + exp(-a)) * up.base[index]
            }
        }
    }
}
