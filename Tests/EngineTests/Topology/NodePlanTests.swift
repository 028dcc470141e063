import Testing

@testable import Engine

struct NodePlanTests {
    private static let plans = [
        NodePlan(threads: 1), NodePlan(threads: 7), NodePlan(ofThreads: [0, 1]), NodePlan(ofThreads: [2, 2, 2, 5]),
        NodePlan(ofThreads: [0, 1, 1, 2, 2, 2]), NodePlan(ofThreads: (0..<32).map { $0 / 4 }),
    ]

    @Test(arguments: plans)
    func `the parts of the nodes cover a matrix in whole units, by their threads`(plan: NodePlan) {
        for unit in [2, 8] {
            for count in 0..<100 {
                for first in 0...plan.nodes.count {
                    let parts = plan.nodes.indices.map {
                        plan.blocks(of: $0, count: count, unit: unit, first: first)
                    }
                    #expect(parts.flatMap { Array($0) }.sorted() == Array(0..<count))
                    #expect(parts.allSatisfy { $0.isEmpty || $0.lowerBound % unit == 0 })
                    #expect(parts[first % parts.count].lowerBound == 0)
                    for (node, part) in zip(plan.nodes, parts) {
                        let share = Double(count * node.threads.count) / Double(plan.threads)
                        #expect(abs(Double(part.count) - share) < Double(2 * unit))
                    }
                }
            }
        }
    }

    @Test func `small matrices that begin on different nodes take the same of all nodes together`() {
        let plan = NodePlan(ofThreads: (0..<32).map { $0 / 4 })
        // An expert of Nano with quantized weights has two units for eight nodes.
        let blocks = plan.nodes.indices.map { node in
            (0..<128).reduce(0) { $0 + plan.blocks(of: node, count: 16, unit: 8, first: $1).count }
        }
        #expect(blocks == Array(repeating: 128 * 16 / 8, count: 8))
    }

    @Test(arguments: plans)
    func `a thread takes from each other one, from those of its node first`(plan: NodePlan) {
        for thread in 0..<plan.threads {
            let neighbours = plan.neighbours(of: thread)
            let order = (0..<plan.threads).map {
                NodePlan.victim(of: thread, attempt: $0, neighbours: neighbours, threads: plan.threads)
            }
            #expect(order.first == thread)
            #expect(order.sorted() == Array(0..<plan.threads))
            #expect(order.prefix(neighbours.count).sorted() == Array(neighbours))
        }
    }

    @Test func `the threads of a node begin with different threads of other nodes`() {
        let victims = (0..<4).map { NodePlan.victim(of: $0, attempt: 4, neighbours: 0..<4, threads: 16) }
        #expect(Set(victims).count == 4)
    }
}
