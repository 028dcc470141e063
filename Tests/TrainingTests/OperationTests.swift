import Checkpoints
import Engine
import Foundation
import Testing

@testable import Training

/// Single operations, forward and backward, against float64 vectors.
@Suite struct OperationTests {
    private let tensors: [String: StoredTensor]
    private let pool = WorkerPool(threads: 2, spinning: .zero)
    private let products: MatrixProducts

    init() throws {
        tensors = try TrainingFixture.tensors("ops.safetensors")
        products = try MatrixProducts(pool: pool)
    }

    private func tensor(_ name: String) throws -> StoredTensor { try #require(tensors[name], "\(name)") }

    private func buffer(_ name: String) throws -> Buffer<Float> { Buffer(try tensor(name).floats) }

    private func expect(_ actual: Buffer<Float>, _ name: String) throws {
        #expect(try deviation(actual.array, tensor(name).doubles).relative < 1e-5, "\(name)")
    }

    @Test func `the norm agrees with the reference`() throws {
        let (x, gain, dOut) = (try buffer("rms.in.x"), try buffer("rms.in.w"), try buffer("rms.d_out"))
        let (out, dx, dGain) = (Buffer<Float>(count: 80), Buffer<Float>(count: 80), Buffer<Float>(count: 16))
        let norm = RMSNorm(epsilon: 1e-5, pool: pool)
        norm.forward(x.matrix(5, 16), gain: gain.base, into: out.matrix(5, 16))
        norm.backward(
            dOut.matrix(5, 16), x: x.matrix(5, 16), gain: gain.base, into: dx.matrix(5, 16), gainGradient: dGain.base)
        try expect(out, "rms.out")
        try expect(dx, "rms.d_in.x")
        try expect(dGain, "rms.d_in.w")
    }

    @Test func `rotation agrees with the reference`() throws {
        let config = try ModelConfig(directory: TrainingFixture.root.appending(path: "model_untied"))
        let positions = try tensor("rope.const.position").integers.map { Int32($0) }
        let rotary = RotaryPositions(config, positions: positions, pool: pool)
        let (x, dOut) = (try buffer("rope.in.x"), try buffer("rope.d_out"))
        rotary.rotate(x.matrix(7, 16))
        rotary.rotate(dOut.matrix(7, 16), backward: true)
        try expect(x, "rope.out")
        try expect(dOut, "rope.d_in.x")
    }

    @Test(arguments: [("attention_full", nil), ("attention_window_5", 5)] as [(String, Int?)])
    func `attention agrees with the reference, in pieces and without padding`(name: String, window: Int?) throws {
        let documents = try tensor("\(name).const.document").integers
        let slots = documents.map { PackedBatch.Slot(id: 0, document: $0, weight: 1) }
        let pieces = PackedBatch(rows: [slots]).pieces
        #expect(pieces == [0..<7, 7..<19, 19..<20])
        let attention = PackedAttention(
            pieces: pieces, heads: 4, keyValueHeads: 2, headDimension: 8, window: window, products: products)
        func matrix(_ memory: Buffer<Float>) -> Matrix { memory.matrix(22, memory.count / 22) }
        let (q, k, v) = (try buffer("\(name).in.q"), try buffer("\(name).in.k"), try buffer("\(name).in.v"))
        let (gate, dGated) = (try buffer("\(name).in.g"), try buffer("\(name).d_out"))
        let (out, logSums) = (Buffer<Float>(count: 22 * 32), Buffer<Float>(count: 22 * 4))
        attention.forward(q: matrix(q), k: matrix(k), v: matrix(v), into: matrix(out), logSums: matrix(logSums))
        let (gated, dOut) = (Buffer<Float>(count: 22 * 32), Buffer<Float>(count: 22 * 32))
        for index in 0..<22 * 32 {
            let sigmoid = 1 / (1 + exp(-gate.base[index]))
            gated.base[index] = out.base[index] * sigmoid
            dOut.base[index] = dGated.base[index] * sigmoid
        }
        let (dq, dk, dv) = (
            Buffer<Float>(count: q.count), Buffer<Float>(count: k.count), Buffer<Float>(count: v.count)
        )
        attention.backward(
            q: matrix(q), k: matrix(k), v: matrix(v), out: matrix(out), logSums: matrix(logSums), dOut: matrix(dOut),
            dq: matrix(dq), dk: matrix(dk), dv: matrix(dv))
        try expect(gated, "\(name).out")
        try expect(dq, "\(name).d_in.q")
        try expect(dk, "\(name).d_in.k")
        try expect(dv, "\(name).d_in.v")
    }

    @Test func `a document longer than a tile is attended to as defined, tile by tile`() throws {
        // The reference is the definition, in float64, over 100 tokens: several tiles with and without a window.
        let (tokens, d) = (100, 4)
        var random = SplitMix64(state: 11)
        func values() -> Buffer<Float> {
            Buffer((0..<tokens * d).map { _ in Float(random.below(2000)) / 1000 - 1 })
        }
        let (q, k, v) = (values(), values(), values())
        for window in [nil, 1, 20, 33, 64] as [Int?] {
            let attention = PackedAttention(
                pieces: [0..<tokens], heads: 1, keyValueHeads: 1, headDimension: d, window: window,
                products: products)
            let (out, sums) = (Buffer<Float>(count: tokens * d), Buffer<Float>(count: tokens))
            attention.forward(
                q: q.matrix(tokens, d), k: k.matrix(tokens, d), v: v.matrix(tokens, d), into: out.matrix(tokens, d),
                logSums: sums.matrix(tokens, 1))
            var expected: [Double] = []
            for query in 0..<tokens {
                let keys = max(0, query - (window ?? tokens) + 1)...query
                let weights = keys.map { key in
                    exp(
                        (0..<d).reduce(0) { $0 + Double(q.base[query * d + $1]) * Double(k.base[key * d + $1]) } / 2)
                }
                let total = weights.reduce(0, +)
                for column in 0..<d {
                    let sum = zip(keys, weights).reduce(0) { $0 + Double(v.base[$1.0 * d + column]) * $1.1 }
                    expected.append(sum / total)
                }
            }
            #expect(deviation(out.array, expected).relative < 1e-5, "window \(window ?? 0)")
        }
    }

    @Test func `SwiGLU agrees with the reference`() throws {
        let parameters = ["gate", "up", "down"].enumerated().map { index, name in
            Parameter(
                name: name, shape: name == "down" ? [8, 12] : [12, 8], kind: .matrix, offset: 96 * index)
        }
        let layout = ParameterLayout(try ModelConfig(directory: TrainingFixture.root.appending(path: "model_untied")))
        let (weights, gradients) = (TrainedTensors(layout), TrainedTensors(layout))
        for parameter in parameters {
            weights.pointer(parameter).update(from: try tensor("swiglu.in.\(parameter.name)").floats, count: 96)
        }
        let (x, dOut) = (try buffer("swiglu.in.h"), try buffer("swiglu.d_out"))
        let (out, dx) = (Buffer<Float>(count: 48), Buffer<Float>(count: 48))
        let group = FeedForwardGroup(gate: parameters[0], up: parameters[1], down: parameters[2], rows: 0..<6)
        let state = FeedForward(rows: 6, width: 12)
        state.forward([group], x.matrix(6, 8), into: out.matrix(6, 8), weights: weights, products)
        state.backward(
            [group], dy: dOut.matrix(6, 8), x: x.matrix(6, 8), into: dx.matrix(6, 8), weights: weights,
            gradients: gradients, products)
        try expect(out, "swiglu.out")
        try expect(dx, "swiglu.d_in.h")
        for parameter in parameters {
            try expect(
                Buffer(Array(UnsafeBufferPointer(start: gradients.pointer(parameter), count: 96))),
                "swiglu.d_in.\(parameter.name)")
        }
    }

    @Test func `the router chooses and weighs as the reference does`() throws {
        let (h, router) = (try buffer("router.in.h"), try buffer("router.in.router"))
        let logits = Buffer<Float>(count: 54)
        products.run([.output(h.matrix(9, 8), router.matrix(6, 8), into: logits.matrix(9, 6))])
        let routing = ExpertRouting(
            logits: logits, tokens: 9, experts: 6, chosen: 3, normalizes: true, scale: 2.448,
            bias: try tensor("router.const.bias").floats)
        #expect(try routing.ids == tensor("router.const.chosen").integers)
        let weights = Array(UnsafeBufferPointer(start: routing.weights.base, count: 27))
        #expect(try deviation(weights, tensor("router.out").doubles).relative < 1e-5)
        let (dWeights, dLogits) = (try buffer("router.d_out"), Buffer<Float>(count: 54))
        routing.backward(dWeights: dWeights.matrix(9, 3), row: 0..<9, balance: 0, into: dLogits.matrix(9, 6))
        let (dRouter, dh) = (Buffer<Float>(count: 48), Buffer<Float>(count: 72))
        products.run([
            .weightGradient(dLogits.matrix(9, 6), h.matrix(9, 8), into: dRouter.matrix(6, 8)),
            .inputGradient(dLogits.matrix(9, 6), router.matrix(6, 8), into: dh.matrix(9, 8), adds: false),
        ])
        try expect(dRouter, "router.d_in.router")
        try expect(dh, "router.d_in.h")
    }

    @Test func `cross-entropy and z-loss agree with the reference`() throws {
        let logits = try buffer("loss.in.logits")
        let (targets, weights) = (try tensor("loss.const.target").integers, try tensor("loss.const.weight").doubles)
        let factor = try tensor("loss.d_out").doubles[0]
        let total = weights.reduce(0, +)
        var loss = 0.0
        for row in 0..<7 {
            let part = OutputHead.gradient(
                logits.base + row * 11, 11, target: targets[row], weight: Float(weights[row] / total * factor),
                zFactor: 1e-2)
            loss += weights[row] / total * (part.loss + 1e-2 * part.logSum * part.logSum)
        }
        #expect(try abs(loss - tensor("loss.out").doubles[0]) < 1e-5)
        try expect(logits, "loss.d_in.logits")
    }

    @Test func `the balance loss agrees with the reference, without padding`() throws {
        // The last two of ten positions are padding: the routing has the first eight.
        let scores = Array(try tensor("balance.in.score").doubles.prefix(48))
        let logits = Buffer(scores.map { Float(log($0 / (1 - $0))) })
        let routing = ExpertRouting(
            logits: logits, tokens: 8, experts: 6, chosen: 2, normalizes: true, scale: 1,
            bias: [Float](repeating: 0, count: 6))
        #expect(try routing.ids == Array(tensor("balance.const.chosen").integers.prefix(16)))
        #expect(try abs(BalanceLoss.value(0..<8, of: routing) - tensor("balance.out").doubles[0]) < 1e-5)
        let gradient = Buffer<Float>(count: 48)
        let shares = BalanceLoss.shares(0..<8, of: routing)
        let factor = Float(try tensor("balance.d_out").doubles[0] / 8)
        for token in 0..<8 {
            BalanceLoss.addGradient(
                routing.scores.row(token), shares: shares, factor: factor, to: gradient.base + token * 6)
        }
        let expected = Array(try tensor("balance.d_in.score").doubles.prefix(48))
        #expect(deviation(gradient.array, expected).relative < 1e-5)
    }

    @Test func `scores that underflow give no balance loss, and finite gradients`() {
        let logits = Buffer<Float>([-120, -110, -100, 0, 0, 0])
        let routing = ExpertRouting(
            logits: logits, tokens: 2, experts: 3, chosen: 2, normalizes: true, scale: 1, bias: [0, 0, 0])
        #expect(routing.scores.base[0] == 0 && routing.scores.base[2] == 0)
        // Of the second token alone: (1.5 + 1.5 + 0) / 3, or what its neighbour chooses.
        #expect(abs(BalanceLoss.value(0..<2, of: routing) - 0.5) < 1e-6)
        let (weights, changes) = (Buffer<Float>([1, 1, 1, 1]), Buffer<Float>(count: 6))
        routing.backward(dWeights: weights.matrix(2, 2), row: 0..<2, balance: 1, into: changes.matrix(2, 3))
        #expect(!changes.array.contains { !$0.isFinite })
    }
}
