import Engine
import Scheduling

extension FuzzTarget {
    private static let bounds = StepBounds(
        rows: 64, sequences: 4, length: 300, hiddenSize: 2,
        geometry: KVCacheGeometry(
            blockSize: 16, globalBlocksPerLogicalBlock: 1, slidingBlocksPerLogicalBlock: 3, slidingWindow: 40,
            totalBlocks: 50))

    /// Any bytes are a message between ranks or a `RankMessageError`. The first byte selects the kind. An accepted step has
    /// sequences within the bounds with all their blocks, and is written with the same bytes; the other kinds are the same after
    /// they are written and read again.
    static func readRankMessage(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let first = bytes.first else { return }
        let message = Array(bytes.dropFirst())
        switch first % 5 {
        case 0: try readStep(message)
        case 1:
            guard let reply = try? StepReply(message, number: 7, rows: 2, ranks: 2, hiddenSize: 2) else { return }
            try BrokenInvariant.check(reply.withRows { $0.count } == 16, "a reply has other rows")
        case 2:
            guard let hello = try? RankHello(message) else { return }
            try BrokenInvariant.check((try? RankHello(hello.bytes)) == hello, "a hello changes")
        case 3:
            guard let terms = try? RankTerms(message, ranks: 2, layers: 7) else { return }
            try BrokenInvariant.check(
                (try? RankTerms(terms.bytes, ranks: 2, layers: 7)) == terms, "terms change")
        default:
            guard let invitation = try? BellInvitation(message) else { return }
            try BrokenInvariant.check((try? BellInvitation(invitation.bytes)) == invitation, "an invitation changes")
        }
    }

    private static func readStep(_ message: [UInt8]) throws(BrokenInvariant) {
        guard let step = try? StepMessage(message, from: 0, bounds) else { return }
        let geometry = bounds.geometry
        var rows = 0
        for sequence in step.batch.sequences {
            try BrokenInvariant.check(sequence.rows.lowerBound == rows && !sequence.rows.isEmpty, "rows are in order")
            rows = sequence.rows.upperBound
            let end = sequence.start + sequence.rows.count
            try BrokenInvariant.check(end <= 300, "a sequence is too long")
            let blocks = geometry.logicalBlocks(tokens: end)
            let first = geometry.firstSlidingLogicalBlock(forQueryAt: sequence.start)
            try BrokenInvariant.check(
                sequence.globalTable.blocks.count == blocks && sequence.slidingTable.blocks.count == 3 * blocks,
                "a table has other blocks")
            let visible = sequence.globalTable.blocks + sequence.slidingTable.blocks[(3 * first)...]
            try BrokenInvariant.check(visible.allSatisfy { (0..<50).contains($0) }, "a block is not in the pool")
        }
        try BrokenInvariant.check((1...64).contains(rows) && rows == step.batch.tokens.count, "rows without a sequence")
        let written = step.withRows { raw in
            let floats = Array(raw).floats
            return floats.withUnsafeBufferPointer {
                StepMessage.bytes(number: step.number, step.batch, times: step.times, rows: $0, bounds)
            }
        }
        // One byte of the header has no meaning.
        try BrokenInvariant.check(
            written.prefix(7) == message.prefix(7) && written.dropFirst(8) == message.dropFirst(8), "a step changes")
    }
}

extension [UInt8] {
    /// Little-endian numbers of float32, with their bits.
    fileprivate var floats: [Float] {
        withUnsafeBytes { raw in
            (0..<count / 4).map { Float(bitPattern: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
        }
    }
}
