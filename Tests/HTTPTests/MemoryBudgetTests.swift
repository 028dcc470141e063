import HTTP
import Testing

@Suite struct MemoryBudgetTests {
    @Test func `a budget provides no more than its limit`() throws {
        let budget = MemoryBudget(limit: 10)
        let first = try #require(budget.reserve(6))
        #expect(budget.reserve(5) == nil)
        #expect(budget.used == 6, "a refused reservation leaves nothing behind")
        #expect(first.grow(by: 4))
        #expect(!first.grow(by: 1))
        #expect((first.bytes, budget.available) == (10, 0))
    }

    @Test func `released bytes can be reserved again`() throws {
        let budget = MemoryBudget(limit: 10)
        let first = try #require(budget.reserve(10))
        first.shrink(to: 12)
        #expect(first.bytes == 10, "shrinking never grows")
        first.shrink(to: 3)
        #expect(budget.available == 7)
        first.release()
        first.release()
        #expect(budget.used == 0)
        #expect(first.grow(by: 10), "it may grow again")
    }

    @Test func `the end of a reservation returns its bytes`() {
        let budget = MemoryBudget(limit: 10)
        do {
            let reservation = budget.reserve(10)
            #expect(reservation != nil && budget.used == 10)
        }
        #expect(budget.used == 0)
    }

    @Test func `a sum that overflows is refused`() throws {
        let budget = MemoryBudget(limit: .max)
        let reservation = try #require(budget.reserve(.max))
        #expect(!reservation.grow(by: .max))
        #expect(reservation.bytes == .max)
    }

    @Test func `one owner gets three quarters, and another one later finds some`() throws {
        let budget = MemoryBudget(limit: 1000)
        let ann = try #require(budget.reserve(0, for: .owner("ann")))
        #expect(!ann.grow(by: 751) && ann.grow(by: 750) && !ann.grow(by: 1))
        #expect(budget.most(for: .owner("ann")) == 750 && budget.most(for: .common) == 1000)
        let bob = try #require(budget.reserve(187, for: .owner("bob")))
        #expect(!bob.grow(by: 1))
        #expect(budget.reserve(47, for: .owner("cleo")) != nil)
        // Several reservations of an owner are one share.
        #expect(budget.reserve(1, for: .owner("bob")) == nil)
        #expect(budget.hasRoom(for: 63) && !budget.hasRoom(for: 63, of: .owner("cleo")))
        ann.release()
        #expect(bob.grow(by: 500) && budget.used == 687)
    }

    @Test func `free bytes are not charged`() throws {
        let budget = MemoryBudget(limit: 10)
        let first = try #require(budget.reserve(8, for: .common))
        let second = first.beside(freeBytes: 5)
        #expect(second.grow(by: 6) && budget.used == 9)
        #expect((second.bytes, second.chargedBytes) == (6, 1))
        #expect(!second.grow(by: 2) && second.bytes == 6)
        second.shrink(to: 3)
        #expect(budget.used == 8)
        second.release()
        #expect(second.grow(by: 7) && budget.used == 10)
    }

    @Test func `a share is the maximum that a threshold allows`() {
        for factor in 1...4 {
            let threshold = DynamicThreshold(factor: factor)
            for capacity in 0...50 {
                let share = threshold.share(of: capacity)
                #expect(threshold.allows(held: share, left: capacity - share))
                #expect(!threshold.allows(held: share + 1, left: capacity - share - 1))
                let least = threshold.capacity(forShare: capacity)
                #expect(threshold.share(of: least) >= capacity)
                #expect(least == 0 || threshold.share(of: least - 1) < capacity)
            }
            #expect(threshold.allows(held: .max, left: .max) && !threshold.allows(held: 0, left: -1))
            #expect(threshold.share(of: .max) > .max / 2 - 1)
        }
    }

    @Test func `many threads never exceed the limit`() async {
        let budget = MemoryBudget(limit: 1000)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for number in 0..<10_000 {
                        let reservation = budget.reserve(number % 400)
                        #expect(budget.used <= 1000)
                        _ = reservation?.grow(by: 50)
                    }
                }
            }
        }
        #expect(budget.used == 0)
    }
}
