/// The NUMA nodes that compute: their threads, and the memory that has their part of the weights.
package struct NodePlan: Sendable, Equatable {
    package struct Node: Sendable, Equatable {
        /// Linux's number of the node whose memory is used; nil: the system chooses the memory.
        package let number: Int?
        /// Neighbours among all threads; at least one.
        package let threads: Range<Int>

        init(_ number: Int?, threads: Range<Int>) {
            self.number = number
            self.threads = threads
        }
    }

    /// In the order of their threads; never empty.
    package let nodes: [Node]

    var threads: Int { nodes[nodes.count - 1].threads.upperBound }
    /// Of the nodes that have one.
    var numbers: [Int] { nodes.compactMap(\.number) }

    init(_ nodes: [Node]) {
        precondition(!nodes.isEmpty, "threads are on a node")
        self.nodes = nodes
    }

    /// One node, whose memory the system chooses.
    init(threads: Int) {
        self.init([Node(nil, threads: 0..<threads)])
    }

    /// - Parameter numbers: the node of each thread; the threads of a node are neighbours.
    init(ofThreads numbers: [Int]) {
        var nodes: [Node] = []
        for (thread, number) in numbers.enumerated() {
            if let last = nodes.last, last.number == number {
                nodes[nodes.count - 1] = Node(number, threads: last.threads.lowerBound..<thread + 1)
            } else {
                nodes.append(Node(number, threads: thread..<thread + 1))
            }
        }
        self.init(nodes)
    }

    /// The row blocks of a matrix that belong to a node: as many as its share of the threads, whatever else is computed in the
    /// same region.
    ///
    /// - Parameters:
    ///   - count: the blocks of the matrix.
    ///   - unit: blocks that stay together.
    ///   - first: the node that has the first blocks, modulo the number of nodes. Matrices of a few units should differ in it,
    ///     so that the same nodes do not get more of all of them.
    func blocks(of node: Int, count: Int, unit: Int, first: Int) -> Range<Int> {
        let units = (count + unit - 1) / unit
        let own = nodes[node].threads
        let offset = (own.lowerBound - nodes[first % nodes.count].threads.lowerBound + threads) % threads
        func start(of thread: Int) -> Int { min(units * thread / threads * unit, count) }
        return start(of: offset)..<start(of: offset + own.count)
    }

    /// The threads of the node of a thread.
    func neighbours(of thread: Int) -> Range<Int> {
        for node in nodes where node.threads.contains(thread) { return node.threads }
        preconditionFailure("every thread is on a node")
    }

    /// The thread whose run comes next when those of the attempts before are empty: first the neighbours', then the others'.
    ///
    /// - Parameters:
    ///   - attempt: below `threads`; 0 is the thread itself.
    ///   - neighbours: of the thread.
    ///   - threads: of all nodes.
    static func victim(of thread: Int, attempt: Int, neighbours: Range<Int>, threads: Int) -> Int {
        let place = thread - neighbours.lowerBound
        if attempt < neighbours.count { return neighbours.lowerBound + (place + attempt) % neighbours.count }
        return (neighbours.upperBound + (place + attempt) % (threads - neighbours.count)) % threads
    }
}
