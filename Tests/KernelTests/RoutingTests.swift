import Foundation
import KernelInterface
import Testing

@testable import Engine

struct RoutingTests {
    private struct Routes {
        var ids: [Int32]
        var weights: [Float]
    }

    private func route(
        _ kernels: KernelTable, _ logits: [Float], bias: [Float], chosen: Int, groups: Int = 1, keptGroups: Int = 1,
        softmax: Bool = false,
        normalizes: Bool = true, scale: Float = 1
    ) -> Routes {
        let tokens = logits.count / bias.count
        var scores = logits
        var keys = bias
        var routes = Routes(
            ids: Array(repeating: -1, count: tokens * chosen), weights: Array(repeating: .nan, count: tokens * chosen))
        kernels.family.route(
            RoutingArguments(
                logits: &scores, bias: bias, keys: &keys, tokens: tokens, experts: bias.count, chosen: chosen,
                groups: groups, keptGroups: keptGroups, usesSoftmax: softmax, normalizes: normalizes, scale: scale,
                ids: &routes.ids, weights: &routes.weights))
        return routes
    }

    @Test(arguments: KernelTable.available)
    func `the best scores with bias are chosen and mixed without it`(kernels: KernelTable) {
        var random = RandomValues(seed: 8)
        let (tokens, experts) = (20, 37)
        let logits = random.floats(tokens * experts, in: -4...4)
        let bias = random.floats(experts)
        for chosen in [1, 5, 37] {
            let routes = route(kernels, logits, bias: bias, chosen: chosen, scale: 2.5)
            for token in 0..<tokens {
                let scores = (0..<experts).map { 1 / (1 + exp(-Double(logits[token * experts + $0]))) }
                let order = (0..<experts).sorted { scores[$0] + Double(bias[$0]) > scores[$1] + Double(bias[$1]) }
                let best = order.prefix(chosen).sorted()
                let row = token * chosen..<(token + 1) * chosen
                #expect(routes.ids[row].map(Int.init) == best)
                let total = best.reduce(0) { $0 + scores[$1] }
                #expect(relativeError(Array(routes.weights[row]), best.map { scores[$0] / total * 2.5 }) < 1e-6)
            }
        }
    }

    @Test(arguments: KernelTable.available)
    func `softmax scores sum to one`(kernels: KernelTable) {
        let routes = route(kernels, [1, 2, 3, -1], bias: [0, 0, 0, 0], chosen: 4, softmax: true, normalizes: false)
        let total = [1.0, 2, 3, -1].reduce(0) { $0 + exp($1) }
        #expect(routes.ids == [0, 1, 2, 3])
        #expect(relativeError(routes.weights, [1.0, 2, 3, -1].map { exp($0) / total }) < 5e-7)
    }

    @Test(arguments: KernelTable.available)
    func `of equal scores the lower id is chosen`(kernels: KernelTable) {
        #expect(route(kernels, [0, 0, 0, 0], bias: [0, 0, 0, 0], chosen: 2).ids == [0, 1])
        #expect(route(kernels, [0, 1, 0, 1, 1], bias: [0, 0, 0, 0, 0], chosen: 4).ids == [0, 1, 3, 4])
        #expect(route(kernels, [0, 0, 0, 0], bias: [0, 0, 0, 0], chosen: 1, groups: 2, keptGroups: 1).ids == [0])
    }

    @Test(arguments: KernelTable.available)
    func `only experts of the groups with the best pair are chosen`(kernels: KernelTable) {
        // The best single expert is in the first group, the best pair in the second.
        let logits: [Float] = [5, -9, -9, 1, 1, -9, 0, 0.5, 0]
        let bias = [Float](repeating: 0, count: 9)
        #expect(route(kernels, logits, bias: bias, chosen: 2, groups: 3, keptGroups: 1).ids == [3, 4])
        #expect(route(kernels, logits, bias: bias, chosen: 3, groups: 3, keptGroups: 2).ids == [3, 4, 7])
    }

    @Test(arguments: KernelTable.available)
    func `logits that are NaN still give distinct experts`(kernels: KernelTable) {
        let routes = route(kernels, [.nan, .nan, .nan], bias: [0, 0, 0], chosen: 2)
        #expect(Set(routes.ids).count == 2 && routes.ids.allSatisfy { (0..<3).contains($0) })
    }

    @Test(arguments: KernelTable.available)
    func `rows are added in order of experts, then the shared one`(kernels: KernelTable) {
        var random = RandomValues(seed: 9)
        let (tokens, chosen, width) = (3, 2, 21)
        let rows = random.floats(tokens * chosen * width)
        let weights = random.floats(tokens * chosen)
        let shared = random.floats(tokens * width)
        let slots: [Int32] = [4, 0, 2, 5, 1, 3]
        var out = [Float](repeating: .nan, count: tokens * width)
        shared.withUnsafeBufferPointer { shared in
            kernels.family.combineExperts(
                CombineArguments(
                    rows: rows, slots: slots, weights: weights, shared: shared.baseAddress, out: &out, tokens: tokens,
                    chosen: chosen, width: width))
        }
        for index in out.indices {
            let (token, column) = (index / width, index % width)
            var total: Float = 0
            for choice in token * chosen..<(token + 1) * chosen {
                total += rows[Int(slots[choice]) * width + column] * weights[choice]
            }
            #expect(out[index] == total + shared[index])
        }
    }
}
