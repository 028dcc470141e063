import Synchronization

/// A bound on the bytes that several owners may hold together, such as all request bodies of a server.
///
/// An owner asks before it allocates, and holds a ``Reservation`` as long as it holds the bytes. Safe to use from any thread.
public final class MemoryBudget: Sendable {
    /// The most bytes that may be reserved at a time.
    public let limit: Int
    private let reserved = Atomic<Int>(0)

    /// - Parameter limit: In bytes. Precondition: not negative.
    public init(limit: Int) {
        precondition(limit >= 0, "a memory budget is not negative")
        self.limit = limit
    }

    /// The bytes that are reserved now.
    public var used: Int { reserved.load(ordering: .relaxed) }

    /// The bytes that can be reserved now.
    public var available: Int { limit - used }

    /// Reserves `bytes` until the reservation is released or deallocated; nil: the budget does not have them. O(1).
    ///
    /// - Parameter bytes: Not negative; with 0 the reservation always succeeds and can grow later.
    public func reserve(_ bytes: Int) -> Reservation? {
        let reservation = Reservation(of: self)
        return reservation.grow(by: bytes) ? reservation : nil
    }

    private func take(_ bytes: Int) -> Bool {
        var used = reserved.load(ordering: .relaxed)
        while bytes <= limit - used {
            let (exchanged, original) = reserved.weakCompareExchange(
                expected: used, desired: used + bytes, ordering: .relaxed)
            if exchanged { return true }
            used = original
        }
        return false
    }

    private func giveBack(_ bytes: Int) {
        reserved.subtract(bytes, ordering: .relaxed)
    }

    /// A part of a budget that one owner has; its end gives the bytes back.
    public final class Reservation: Sendable {
        private let budget: MemoryBudget
        private let amount = Mutex(0)

        fileprivate init(of budget: MemoryBudget) {
            self.budget = budget
        }

        deinit { release() }

        /// The reserved bytes.
        public var bytes: Int { amount.withLock { $0 } }

        /// Reserves more; false: the budget does not have them, and nothing has changed. O(1).
        ///
        /// - Parameter bytes: Not negative.
        public func grow(by bytes: Int) -> Bool {
            precondition(bytes >= 0, "a reservation grows by no negative number of bytes")
            return amount.withLock { amount in
                guard budget.take(bytes) else { return false }
                amount += bytes
                return true
            }
        }

        /// Gives back what exceeds `bytes`. O(1).
        ///
        /// - Parameter bytes: Not negative.
        public func shrink(to bytes: Int) {
            precondition(bytes >= 0, "a reservation has no negative number of bytes")
            amount.withLock { amount in
                guard bytes < amount else { return }
                budget.giveBack(amount - bytes)
                amount = bytes
            }
        }

        /// Gives back everything; it may grow again. O(1).
        public func release() { shrink(to: 0) }
    }
}
