/// A transport of messages between the ranks of one model: ``LocalTransport`` in one process, `MPITransport` between processes.
///
/// It is created and used on one thread, except for ``bell``.
public protocol RankTransport: AnyObject {
    var rank: Int { get }
    var ranks: Int { get }
    var bell: any RankBell { get }
    /// Sends a message without waiting. Messages to the same rank arrive in order.
    func send(_ bytes: [UInt8], to rank: Int) throws(RankFailure)
    /// Returns the next message from a rank, or `nil` if none has arrived.
    ///
    /// - Throws: `RankFailure.message` if the message has more than `limit` bytes.
    func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8]?
    /// Makes progress on sent messages and returns whether all have left.
    func progress() -> Bool
    /// Closes the connection to the other ranks, which do the same.
    ///
    /// - Throws: `RankFailure` if one of them does not.
    func close() throws(RankFailure)
    /// Closes the connection without coordination, so that the other ranks see this rank as lost.
    func abandon()
}

/// A channel between ranks besides the messages. It wakes sleeping ranks, and reports ranks that are lost or do not respond. It may
/// be used on any thread.
public protocol RankBell: Sendable {
    /// The failure of the first rank that was lost or did not respond.
    var failure: RankFailure? { get }
    /// Wakes the other ranks, once for each call. Only rank 0 calls this.
    func ring()
    /// Sleeps until the bell rings once more or there is a ``failure``.
    func sleep()
    /// Registers a function that is called once, on any thread, when there is a ``failure``.
    func onLoss(_ body: @escaping @Sendable () -> Void)
}
