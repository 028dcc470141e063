/// Carries messages between the ranks of one model: ``LocalTransport`` in one process, `MPITransport` between processes.
///
/// Made and used on one thread, except for ``bell``.
public protocol RankTransport: AnyObject {
    var rank: Int { get }
    var ranks: Int { get }
    var bell: any RankBell { get }
    /// Sends a message without waiting. Messages to the same rank arrive in order.
    func send(_ bytes: [UInt8], to rank: Int) throws(RankFailure)
    /// The next message from a rank; `nil` if none has arrived.
    ///
    /// - Throws: `RankFailure.message` if it has more than `limit` bytes.
    func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8]?
    /// Lets sent messages move; returns whether all have left.
    func progress() -> Bool
    /// Ends the connection to the other ranks, which do the same.
    ///
    /// - Throws: if one of them does not.
    func close() throws(RankFailure)
    /// Leaves the others without an orderly end, so that they see this rank as gone.
    func abandon()
}

/// A way to reach ranks beside the messages: it wakes those that sleep, and tells of those that are gone or have stopped. Used on
/// any thread.
public protocol RankBell: Sendable {
    /// Why the first rank that is gone, or that does not answer, is no longer there.
    var failure: RankFailure? { get }
    /// Wakes the other ranks, each once for each call. For rank 0.
    func ring()
    /// Sleeps until the bell has rung once more, or there is a ``failure``.
    func sleep()
    /// Sets what to call, once, on any thread, when there is a ``failure``.
    func onLoss(_ body: @escaping @Sendable () -> Void)
}
