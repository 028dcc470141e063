/// The received bytes of a body, in pieces that are never moved. A growing array would double its memory, and use both the old
/// and the new storage while it is copied.
///
/// The first ``freeBytes`` of a body are not charged to the budget, so that large bodies of other requests never block a small
/// request.
package struct BodyBuffer {
    /// The number of bytes of each body that are not charged to the budget.
    package static let freeBytes = 64 * 1024
    /// The smallest and the largest piece in bytes. In between, a piece is as large as all bytes received before it.
    private static let pieceBytes = (least: 4 * 1024, most: 256 * 1024)

    private var pieces: [[UInt8]] = []
    /// The free bytes of the last piece.
    private var room = 0
    /// The memory of all pieces in bytes.
    private var capacity = 0
    private let reservation: MemoryBudget.Reservation

    /// The number of bytes that have arrived.
    package private(set) var count = 0

    /// - Parameter reservation: The charge of the body, initially without bytes.
    init(chargedTo reservation: MemoryBudget.Reservation) {
        self.reservation = reservation
    }

    /// Adds `bytes`.
    ///
    /// - Parameter remaining: The maximum length of the rest of the body, including these bytes.
    /// - Throws: `bodyMemoryExhausted` if the budget has no room for another piece.
    mutating func append(_ bytes: ArraySlice<UInt8>, remaining: Int) throws(WireError) {
        var rest = bytes
        var remaining = remaining
        while !rest.isEmpty {
            if room == 0 { try addPiece(for: rest.count, remaining: remaining) }
            let part = rest.prefix(room)
            pieces[pieces.count - 1].append(contentsOf: part)
            room -= part.count
            count += part.count
            remaining -= part.count
            rest = rest.dropFirst(part.count)
        }
    }

    /// Returns the whole body as one array, with its charge. O(count), without a copy if there is only one piece. Each piece is
    /// freed once it is copied, so that only a little is stored twice.
    mutating func take() -> ([UInt8], MemoryBudget.Reservation) {
        let count = count
        pieces.reverse()
        var body = pieces.popLast() ?? []
        if !pieces.isEmpty {
            let first = body
            body = []
            body.reserveCapacity(count)
            body += first
            while let piece = pieces.popLast() { body += piece }
        }
        (self.count, room, capacity) = (0, 0, 0)
        reservation.shrink(to: max(0, body.count - Self.freeBytes))
        return (body, reservation)
    }

    private mutating func addPiece(for bytes: Int, remaining: Int) throws(WireError) {
        let wanted = max(count, bytes, Self.pieceBytes.least)
        let size = min(wanted, Self.pieceBytes.most, remaining)
        let charge = max(0, capacity + size - Self.freeBytes) - max(0, capacity - Self.freeBytes)
        guard reservation.grow(by: charge) else { throw .bodyMemoryExhausted }
        var piece: [UInt8] = []
        piece.reserveCapacity(size)
        pieces.append(piece)
        capacity += size
        room = size
    }
}
