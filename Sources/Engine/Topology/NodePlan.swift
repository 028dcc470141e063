/// The NUMA nodes that compute: their threads, and the memory that holds their part of the weights.
package struct NodePlan: Sendable, Equatable {
    package struct Node: Sendable, Equatable {
        /// Linux's number of the node whose memory is used, or `nil` if the system places the memory.
        package let number: Int?
        /// The threads of the node, which have adjacent numbers. There is at least one.
        package let threads: Range<Int>

        init(_ number: Int?, threads: Range<Int>) {
            self.number = number
            self.threads = threads
        }
    }

    /// The nodes in the order of their threads. Never empty.
    package let nodes: [Node]

    var threads: Int { nodes[nodes.count - 1].threads.upperBound }
    /// Linux's numbers of the nodes that have one.
    var numbers: [Int] { nodes.compactMap(\.number) }

    init(_ nodes: [Node]) {
        precondition(!nodes.isEmpty, "threads are on a node")
        self.nodes = nodes
    }

    /// Creates a plan with one node, on which the system places the memory.
    init(threads: Int) {
        self.init([Node(nil, threads: 0..<threads)])
    }

    /// - Parameter numbers: The node of each thread. The threads of a node have adjacent numbers.
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

    /// Returns the row blocks of a matrix that belong to a node. Their share is the node's share of the threads, regardless of what
    /// else is computed in the same region.
    ///
    /// - Parameters:
    ///   - count: The number of blocks of the matrix.
    ///   - unit: The number of blocks that stay together.
    ///   - first: The node with the first blocks, modulo the number of nodes. Matrices of a few units should use different first
    ///     nodes, so that the same nodes do not get more of all of them.
    func blocks(of node: Int, count: Int, unit: Int, first: Int) -> Range<Int> {
        let units = (count + unit - 1) / unit
        let own = nodes[node].threads
        let offset = (own.lowerBound - nodes[first % nodes.count].threads.lowerBound + threads) % threads
        func start(of thread: Int) -> Int { min(units * thread / threads * unit, count) }
        return start(of: offset)..<start(of: offset + own.count)
    }

    /// Returns the threads of the node of a thread.
    func neighbours(of thread: Int) -> Range<Int> {
        for node in nodes where node.threads.contains(thread) { return node.threads }
        preconditionFailure("every thread is on a node")
    }

    /// Returns the thread from whose run a thread takes next when those of earlier attempts are empty: first the threads of its
    /// node, then the others.
    ///
    /// - Parameters:
    ///   - attempt: The number of the attempt, less than `threads`. 0 is the thread itself.
    ///   - neighbours: The threads of the thread's node.
    ///   - threads: The number of threads of all nodes.
    static func victim(of thread: Int, attempt: Int, neighbours: Range<Int>, threads: Int) -> Int {
        let place = thread - neighbours.lowerBound
        if attempt < neighbours.count { return neighbours.lowerBound + (place + attempt) % neighbours.count }
        return (neighbours.upperBound + (place + attempt) % (threads - neighbours.count)) % threads
    }
}
