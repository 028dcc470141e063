/// A planner that divides the layers of a model among ranks, so that the slowest rank is as fast as possible.
///
/// It assumes that the time of a stage is proportional to the bytes that it reads from memory in a step. Every rank has at least
/// one layer.
package struct StagePlanner {
    /// The size of a layer, or of the tensors that only rank 0 has.
    package struct Part: Sendable, Equatable {
        /// The number of bytes in memory.
        package var bytes: Int
        /// The number of bytes that a typical step reads. Of routed experts, only those that receive a token count.
        package var readBytes: Double

        package init(bytes: Int, readBytes: Double) {
            self.bytes = bytes
            self.readBytes = readBytes
        }
    }

    /// The reason why layers cannot be divided.
    package enum Failure: Error, Equatable, CustomStringConvertible {
        case tooManyRanks(ranks: Int, layers: Int)
        /// No division fits in memory.
        case memory(neededBytes: Int, availableBytes: Int, ranks: Int)
        /// A rank's memory is too small for its given number of layers.
        case stageMemory(rank: Int, neededBytes: Int, availableBytes: Int)
        /// The given numbers of layers are not a division of the model.
        case layerCounts([Int], ranks: Int, layers: Int)

        package var description: String {
            switch self {
            case .tooManyRanks(let ranks, let layers):
                "\(ranks) ranks, but the model has only \(layers) layers, and every rank needs at least one"
            case .memory(let needed, let available, let ranks):
                """
                the weights need \(MemoryPlan.format(needed)), and no division among \(ranks) ranks with \
                \(MemoryPlan.format(available)) of free memory together fits
                """
            case .stageMemory(let rank, let needed, let available):
                """
                the layers that --stage-layers gives rank \(rank) need \(MemoryPlan.format(needed)), and it may use \
                \(MemoryPlan.format(available))
                """
            case .layerCounts(let counts, let ranks, let layers):
                """
                --stage-layers \(counts.map(String.init).joined(separator: ",")) must be \(ranks) numbers of at least 1, one \
                for each rank, with the sum \(layers)
                """
            }
        }
    }

    private let layers: [Part]
    private let ends: Part

    /// - Parameters:
    ///   - layers: The layers in order, at least 1.
    ///   - ends: The embeddings, the last norm and the LM head.
    package init(layers: [Part], ends: Part) {
        self.layers = layers
        self.ends = ends
    }

    /// Returns the number of bytes of a stage's weights in memory.
    package func bytes(of stage: Stage) -> Int {
        layers[stage.layers].reduce(stage.isFirst ? ends.bytes : 0) { $0 + $1.bytes }
    }

    /// Returns the number of bytes that a stage reads from memory in a step.
    package func readBytes(of stage: Stage) -> Double {
        layers[stage.layers].reduce(stage.isFirst ? ends.readBytes : 0) { $0 + $1.readBytes }
    }

    /// Checks the given numbers of layers.
    ///
    /// - Parameter memory: The number of free bytes of each rank for weights.
    package func check(_ counts: [Int], memory: [Int]) throws(Failure) {
        let ranks = memory.count
        // A sum of large numbers could overflow, so each number is compared first.
        guard counts.count == ranks, counts.allSatisfy({ (1...layers.count).contains($0) }),
            counts.reduce(0, +) == layers.count
        else { throw .layerCounts(counts, ranks: ranks, layers: layers.count) }
        for stage in Stage.stages(layerCounts: counts) where bytes(of: stage) > memory[stage.rank] {
            throw .stageMemory(
                rank: stage.rank, neededBytes: bytes(of: stage), availableBytes: memory[stage.rank])
        }
    }

    /// Returns the number of layers of each rank. Uses dynamic programming over the end of the first rank, of the second rank, and
    /// so on, in O(ranks * layers^2). Among equally good divisions, later ranks have fewer layers.
    ///
    /// - Parameter memory: The number of free bytes of each rank for weights, for at least one rank.
    package func layerCounts(memory: [Int]) throws(Failure) -> [Int] {
        let (count, ranks) = (layers.count, memory.count)
        guard ranks <= count else { throw .tooManyRanks(ranks: ranks, layers: count) }
        var bytes = [0]
        var reads = [0.0]
        for layer in layers {
            bytes.append(bytes[bytes.count - 1] + layer.bytes)
            reads.append(reads[reads.count - 1] + layer.readBytes)
        }
        /// Returns the time of a rank with layers `start ..< end`, or `nil` if they do not fit in its memory.
        func time(_ rank: Int, _ start: Int, _ end: Int) -> Double? {
            let (own, read) = rank == 0 ? (ends.bytes, ends.readBytes) : (0, 0)
            guard own + bytes[end] - bytes[start] <= memory[rank] else { return nil }
            return read + reads[end] - reads[start]
        }
        // For the ranks so far with the layers `..< end`: the time of the slowest rank, and the start of the last rank.
        var best: [[(time: Double, start: Int)?]] = []
        for rank in 0..<ranks {
            var row = [(time: Double, start: Int)?](repeating: nil, count: count + 1)
            for end in rank + 1...count - (ranks - 1 - rank) {
                for start in rank == 0 ? 0...0 : rank...end - 1 {
                    let before = rank == 0 ? 0 : best[rank - 1][start]?.time
                    guard let before, let own = time(rank, start, end) else { continue }
                    let slowest = max(before, own)
                    // Later starts win ties.
                    if row[end].map({ slowest <= $0.time }) ?? true { row[end] = (slowest, start) }
                }
            }
            best.append(row)
        }
        var counts: [Int] = []
        var end = count
        for rank in (0..<ranks).reversed() {
            guard let choice = best[rank][end] else {
                throw .memory(
                    neededBytes: ends.bytes + bytes[count], availableBytes: memory.reduce(0, +), ranks: ranks)
            }
            counts.append(end - choice.start)
            end = choice.start
        }
        return counts.reversed()
    }
}
