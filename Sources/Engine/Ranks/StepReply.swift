/// The reply of the last rank to a step: the rows whose state after the last layer is used.
///
///     header (8), number u64, stages u32, final rows u32
///     for each stage: compute u64, wait u64
///     residual stream f32, (final rows, hiddenSize)
package struct StepReply {
    var number: UInt64
    var times: [StageTime]
    private let bytes: [UInt8]
    private let rowsOffset: Int

    /// Reads the reply of `ranks` ranks to the step `number` with `rows` final rows.
    package init(
        _ bytes: [UInt8], number: UInt64, rows: Int, ranks: Int, hiddenSize: Int
    ) throws(RankMessageError) {
        var reader = RankReader(bytes)
        guard try RankMessage.read(&reader) == .reply else { throw RankMessageError(reason: "is not a reply") }
        self.number = try reader.integer()
        guard self.number == number else {
            throw RankMessageError(reason: "replies to step \(self.number), not \(number)")
        }
        let stages = try reader.count(in: ranks...ranks, "the number of stages")
        _ = try reader.count(in: rows...rows, "the number of final rows")
        times = try reader.times(stages)
        rowsOffset = reader.offset
        guard reader.left == rows * hiddenSize * 4 else {
            throw RankMessageError(reason: "has \(reader.left) bytes of rows, not \(rows) * \(hiddenSize) * 4")
        }
        self.bytes = bytes
    }

    /// Calls `body` with the final rows, (final rows, hiddenSize) in float32.
    package func withRows<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[rowsOffset...])) }
    }

    /// Returns the reply to a step.
    ///
    /// - Parameters:
    ///   - finalRows: The rows of `residual` to send.
    ///   - residual: The residual stream after the last layer, (rows, hiddenSize).
    static func bytes(
        number: UInt64, times: [StageTime], finalRows: [Int], of residual: UnsafeBufferPointer<Float>, hiddenSize: Int
    ) -> [UInt8] {
        var writer = RankMessage.reply.writer
        writer.add(number)
        writer.add(UInt32(times.count))
        writer.add(UInt32(finalRows.count))
        writer.add(times)
        for row in finalRows {
            writer.add(UnsafeRawBufferPointer(residual.extracting(row * hiddenSize..<(row + 1) * hiddenSize)))
        }
        return writer.bytes
    }
}
