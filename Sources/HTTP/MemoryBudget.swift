import Synchronization

/// A bound on the bytes that several owners may hold together, such as all request bodies of a server.
///
/// An owner asks before it allocates, and holds a ``Reservation`` as long as it holds the bytes. Safe to use from any thread.
public final class MemoryBudget: Sendable {
    /// Who reserves.
    public enum Account: Hashable, Sendable {
        /// Bound by the limit alone.
        case common
        /// One of several that share the budget: none keeps out another that comes later.
        case owner(String)
    }

    private struct State {
        var used = 0
        /// What each owner has, of those that have something.
        var held: [String: Int] = [:]
    }

    /// How owners share a budget.
    public static let threshold = DynamicThreshold(factor: 3)

    /// The most bytes that may be reserved at a time.
    public let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: In bytes. Precondition: not negative.
    public init(limit: Int) {
        precondition(limit >= 0, "a memory budget is not negative")
        self.limit = limit
    }

    /// The bytes that are reserved now.
    public var used: Int { state.withLock(\.used) }

    /// The bytes that can be reserved now.
    public var available: Int { limit - used }

    /// The most bytes that an account can ever have.
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

    /// Reserves `bytes` until the reservation is released or deallocated; nil: the budget does not have them. O(1).
    ///
    /// - Parameters:
    ///   - bytes: Not negative; with 0 the reservation always succeeds and can grow later.
    ///   - account: Who reserves.
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

    /// A part of a budget that one owner has; its end gives the bytes back.
    public final class Reservation: Sendable {
        private let budget: MemoryBudget
        private let account: Account
        /// What it holds beside the budget.
        private let freeBytes: Int
        private let amount = Mutex(0)

        fileprivate init(of budget: MemoryBudget, _ account: Account, freeBytes: Int) {
            self.budget = budget
            self.account = account
            self.freeBytes = freeBytes
        }

        deinit { release() }

        /// The reserved bytes, with those that are not charged.
        public var bytes: Int { amount.withLock { $0 } }

        /// What of them the budget is charged.
        public var chargedBytes: Int { max(0, bytes - freeBytes) }

        /// What the budget can ever be charged for this account.
        public var mostCharged: Int { budget.most(for: account) }

        /// A reservation of nothing yet, for the same account of the same budget.
        ///
        /// - Parameter freeBytes: its first bytes, which the budget is not charged.
        public func beside(freeBytes: Int) -> Reservation {
            Reservation(of: budget, account, freeBytes: freeBytes)
        }

        /// Reserves more; false: the budget does not have them, and nothing has changed. O(1).
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

        /// Gives back what exceeds `bytes`. O(1).
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

        /// Gives back everything; it may grow again. O(1).
        public func release() { shrink(to: 0) }

        private func charge(of amount: Int) -> Int { max(0, amount - freeBytes) }
    }
}
