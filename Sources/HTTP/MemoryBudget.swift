import Synchronization

/// A bound on the memory that several owners may use together, such as all request bodies of a server.
///
/// An owner reserves memory before it allocates it, and keeps a ``Reservation`` as long as it uses it. Safe to use from any
/// thread.
public final class MemoryBudget: Sendable {
    /// The owner of a reservation.
    public enum Account: Hashable, Sendable {
        /// Limited only by the whole budget.
        case common
        /// One of several owners that share the budget, so that some always remains for another one.
        case owner(String)
    }

    private struct State {
        var used = 0
        /// The number of reserved bytes of each owner with reservations.
        var held: [String: Int] = [:]
    }

    /// How the budget is shared between owners.
    public static let threshold = DynamicThreshold(factor: 3)

    /// The maximum number of reserved bytes.
    public let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: The maximum number of reserved bytes. Precondition: not negative.
    public init(limit: Int) {
        precondition(limit >= 0, "a memory budget is not negative")
        self.limit = limit
    }

    /// The number of bytes that are reserved now.
    public var used: Int { state.withLock(\.used) }

    /// The number of bytes that can be reserved now.
    public var available: Int { limit - used }

    /// Returns the maximum number of bytes that an account can have.
    public func most(for account: Account) -> Int {
        switch account {
        case .common: limit
        case .owner: Self.threshold.share(of: limit)
        }
    }

    /// Whether `bytes` could be reserved now. O(1).
    public func hasRoom(for bytes: Int, of account: Account = .common) -> Bool {
        state.withLock { isWithinBounds(bytes, account, $0) }
    }

    /// Reserves `bytes` until the reservation is released or deallocated. Returns nil if they are not available. O(1).
    ///
    /// - Parameters:
    ///   - bytes: Not negative; with 0 the reservation always succeeds and can grow later.
    ///   - account: The owner.
    public func reserve(_ bytes: Int, for account: Account = .common) -> Reservation? {
        let reservation = Reservation(of: self, account, freeBytes: 0)
        return reservation.grow(by: bytes) ? reservation : nil
    }

    private func isWithinBounds(_ bytes: Int, _ account: Account, _ state: State) -> Bool {
        guard bytes > 0 else { return true }
        guard bytes <= limit - state.used else { return false }
        guard case .owner(let name) = account else { return true }
        return Self.threshold.allows(held: (state.held[name] ?? 0) + bytes, left: limit - state.used - bytes)
    }

    private func take(_ bytes: Int, _ account: Account) -> Bool {
        state.withLock { state in
            guard isWithinBounds(bytes, account, state) else { return false }
            state.used += bytes
            if case .owner(let name) = account, bytes > 0 { state.held[name, default: 0] += bytes }
            return true
        }
    }

    private func giveBack(_ bytes: Int, _ account: Account) {
        state.withLock { state in
            state.used -= bytes
            guard case .owner(let name) = account, let held = state.held[name] else { return }
            state.held[name] = held > bytes ? held - bytes : nil
        }
    }

    /// A part of a budget that belongs to one owner. Its deallocation releases the bytes.
    public final class Reservation: Sendable {
        private let budget: MemoryBudget
        private let account: Account
        /// The number of bytes that are not charged to the budget.
        private let freeBytes: Int
        private let amount = Mutex(0)

        fileprivate init(of budget: MemoryBudget, _ account: Account, freeBytes: Int) {
            self.budget = budget
            self.account = account
            self.freeBytes = freeBytes
        }

        deinit { release() }

        /// The number of reserved bytes, including those that are not charged.
        public var bytes: Int { amount.withLock { $0 } }

        /// The part of them that is charged to the budget.
        public var chargedBytes: Int { max(0, bytes - freeBytes) }

        /// The maximum charge for this account.
        public var mostCharged: Int { budget.most(for: account) }

        /// Returns an empty reservation for the same account of the same budget.
        ///
        /// - Parameter freeBytes: the number of its first bytes that are not charged.
        public func beside(freeBytes: Int) -> Reservation {
            Reservation(of: budget, account, freeBytes: freeBytes)
        }

        /// Reserves more bytes. Returns false, without a change, if they are not available. O(1).
        ///
        /// - Parameter bytes: Not negative.
        public func grow(by bytes: Int) -> Bool {
            precondition(bytes >= 0, "a reservation grows by no negative number of bytes")
            return amount.withLock { amount in
                let (sum, overflows) = amount.addingReportingOverflow(bytes)
                guard !overflows, budget.take(charge(of: sum) - charge(of: amount), account) else { return false }
                amount = sum
                return true
            }
        }

        /// Releases everything beyond `bytes`. O(1).
        ///
        /// - Parameter bytes: Not negative.
        public func shrink(to bytes: Int) {
            precondition(bytes >= 0, "a reservation has no negative number of bytes")
            amount.withLock { amount in
                guard bytes < amount else { return }
                budget.giveBack(charge(of: amount) - charge(of: bytes), account)
                amount = bytes
            }
        }

        /// Releases everything. The reservation may grow again. O(1).
        public func release() { shrink(to: 0) }

        private func charge(of amount: Int) -> Int { max(0, amount - freeBytes) }
    }
}
