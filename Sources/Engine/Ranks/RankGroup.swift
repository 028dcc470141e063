import Foundation

/// A rank's view of all ranks, with which it waits for their messages and agrees with them at start. Used on one thread.
package final class RankGroup {
    /// How much longer than ``timeout`` the bell may take to notice that a rank does not respond.
    private static let bellTime = Duration.seconds(1)

    let transport: any RankTransport
    /// How long rank 0 waits for the reply to a step, or `nil` for no limit.
    let timeout: Duration?
    private let clock = ContinuousClock()
    private var arrival = ArrivalForecast()

    init(_ transport: any RankTransport, timeout: Duration?) {
        self.transport = transport
        self.timeout = timeout
    }

    var rank: Int { transport.rank }
    var ranks: Int { transport.ranks }

    /// Throws if another rank is lost.
    func check() throws(RankFailure) {
        if let failure = transport.bell.failure { throw failure }
    }

    /// Waits for a message from a rank.
    ///
    /// - Parameters:
    ///   - limit: The maximum size of the message in bytes.
    func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8] {
        let begin = clock.now
        defer { arrival.observe(clock.now - begin) }
        return try wait(for: arrival) { () throws(RankFailure) in try transport.receive(from: rank, atMost: limit) }
    }

    /// Waits for the reply of the last rank to a step, for at most ``timeout`` plus the time that the bell needs, so that the error
    /// can name a rank that does not respond.
    ///
    /// - Parameters:
    ///   - waited: The time of earlier waits for this reply.
    ///   - isInterrupted: A function that returns whether to stop waiting.
    /// - Returns: The reply, or `nil` if the wait was interrupted.
    func receiveReply(
        atMost limit: Int, waited: Duration, unless isInterrupted: () -> Bool
    ) throws(RankFailure) -> [UInt8]? {
        let begin = clock.now - waited
        let failure = timeout.map { RankFailure.noReply(seconds: $0 / .seconds(1)) }
        let reply = try wait(
            since: begin, for: arrival, failing: failure, after: timeout.map { $0 + Self.bellTime }
        ) { () throws(RankFailure) -> [UInt8]?? in
            if let reply = try transport.receive(from: ranks - 1, atMost: limit) { return reply }
            return isInterrupted() ? .some(nil) : nil
        }
        if reply != nil { arrival.observe(clock.now - begin) }
        return reply
    }

    /// Waits until all messages have been sent.
    func flush() throws(RankFailure) {
        try wait(failing: .transport("a message has not left for 5 s"), after: .seconds(5)) { () throws(RankFailure) in
            transport.progress() ? () : nil
        }
    }

    /// Calls `body` until it returns a value, or throws `failure` after a time limit. Sleeps in between, except when the value is
    /// expected.
    private func wait<Result>(
        since start: ContinuousClock.Instant? = nil, for arrival: ArrivalForecast = ArrivalForecast(),
        failing failure: RankFailure? = nil, after limit: Duration? = nil, _ body: () throws(RankFailure) -> Result?
    ) throws(RankFailure) -> Result {
        let start = start ?? clock.now
        while true {
            _ = transport.progress()
            if let result = try body() { return result }
            let elapsed = clock.now - start
            guard let nap = arrival.nap(after: elapsed) else { continue }
            try check()
            if let failure, let limit, elapsed > limit { throw failure }
            usleep(UInt32(nap / .microseconds(1)))
        }
    }

    /// Reaches an agreement of all ranks: each sends a report to rank 0, which sends its decision to all. All ranks call this the
    /// same number of times and in the same order.
    ///
    /// - Parameters:
    ///   - report: The report of this rank, at most 64 KB.
    ///   - decide: A function that is called on rank 0 with all reports in order of rank.
    /// - Returns: The decision.
    /// - Throws: `RankFailure.ended` if another rank cannot continue, and the errors of `decide`.
    func agree(_ report: [UInt8], _ decide: ([[UInt8]]) throws -> [UInt8]) throws -> [UInt8] {
        guard rank == 0 else {
            try send(.report, report, to: 0)
            return try body(of: receive(from: 0, atMost: RankMessage.shortBytes), .decision, from: 0)
        }
        var reports: [[UInt8]?] = [report] + [[UInt8]?](repeating: nil, count: ranks - 1)
        // Reports are read in order of arrival, so that the failure of one rank is noticed before a slow rank reports.
        while reports.contains(where: { $0 == nil }) {
            let (sender, bytes) = try wait { () throws(RankFailure) in
                for sender in reports.indices where reports[sender] == nil {
                    if let bytes = try transport.receive(from: sender, atMost: RankMessage.shortBytes) {
                        return (sender, bytes)
                    }
                }
                return nil
            }
            reports[sender] = try body(of: bytes, .report, from: sender)
        }
        let decision = try decide(reports.compactMap(\.self))
        for rank in 1..<ranks { try send(.decision, decision, to: rank) }
        return decision
    }

    private func send(_ kind: RankMessage, _ body: [UInt8], to rank: Int) throws(RankFailure) {
        try transport.send(kind.writer.bytes + body, to: rank)
    }

    /// Returns the body of a message of this kind.
    private func body(of bytes: [UInt8], _ kind: RankMessage, from sender: Int) throws(RankFailure) -> [UInt8] {
        try read(bytes, from: sender) { (reader) throws(RankMessageError) -> [UInt8]? in
            guard try RankMessage.read(&reader) == kind else { return nil }
            return Array(bytes[reader.offset...])
        }
    }

    /// Reads a message. `body` returns `nil` for a kind that it does not expect.
    func read<Result>(
        _ bytes: [UInt8], from sender: Int, _ body: (inout RankReader) throws(RankMessageError) -> Result?
    ) throws(RankFailure) -> Result {
        let failure: RankFailure
        do throws(RankMessageError) {
            var reader = RankReader(bytes)
            if let result = try body(&reader) { return result }
            failure = try Self.failure(in: bytes, from: sender)
        } catch {
            failure = RankFailure(error, from: sender)
        }
        throw failure
    }

    /// Returns the failure that another rank announced.
    private static func failure(in bytes: [UInt8], from sender: Int) throws(RankMessageError) -> RankFailure {
        var reader = RankReader(bytes)
        let kind = try RankMessage.read(&reader)
        guard kind == .failure else { throw RankMessageError(reason: "is a \(kind), which is not expected") }
        let code: Int32 = try reader.integer()
        return .ended(rank: sender, reason: try reader.text(atMost: RankMessage.shortBytes), code: code)
    }

    /// Tells the other ranks that this one cannot continue. Rank 0 tells all ranks, and any other rank tells rank 0. Waits until
    /// the messages have been sent.
    func announce(_ error: any Error) {
        var code: Int32 = 1
        if let failure = error as? RankFailure {
            // The sender has already ended.
            if case .ended = failure, rank != 0 { return }
            code = failure.exitCode
        }
        var writer = RankMessage.failure.writer
        writer.add(code)
        writer.add(String(String(describing: error).prefix(8192)))
        let receivers = rank == 0 ? Array(1..<ranks) : [0]
        do throws(RankFailure) {
            for receiver in receivers { try transport.send(writer.bytes, to: receiver) }
            try flush()
        } catch {
            // They will notice that this rank is lost.
        }
    }
}
