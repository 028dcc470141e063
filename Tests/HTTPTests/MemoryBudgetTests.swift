import HTTP
import Testing

@Suite struct MemoryBudgetTests {
    @Test func `a budget gives no more than it has`() throws {
        let budget = MemoryBudget(limit: 10)
        let first = try #require(budget.reserve(6))
        #expect(budget.reserve(5) == nil)
        #expect(budget.used == 6, "a refused reservation leaves nothing behind")
        #expect(first.grow(by: 4))
        #expect(!first.grow(by: 1))
        #expect((first.bytes, budget.available) == (10, 0))
    }

    @Test func `what is released can be reserved again`() throws {
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

    @Test func `the end of a reservation gives its bytes back`() {
        let budget = MemoryBudget(limit: 10)
        do {
            let reservation = budget.reserve(10)
            #expect(reservation != nil && budget.used == 10)
        }
        #expect(budget.used == 0)
    }

    @Test func `a sum that no integer holds is refused`() throws {
        let budget = MemoryBudget(limit: .max)
        let reservation = try #require(budget.reserve(.max))
        #expect(!reservation.grow(by: .max))
        #expect(reservation.bytes == .max)
    }

    @Test func `many threads never exceed it`() async {
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
