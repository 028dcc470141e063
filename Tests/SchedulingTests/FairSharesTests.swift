import TestSupport
import Testing

@testable import Scheduling

@Suite struct FairSharesTests {
    @Test func `a newcomer starts where the least served of the others is`() {
        var shares = TenantShares()
        shares.join("a")
        shares.join("b")
        shares.charge("a", 100)
        shares.charge("b", 70)
        shares.join("c")
        #expect(shares.served("a") == 100 && shares.served("b") == 70 && shares.served("c") == 70)
    }

    @Test func `absence earns no credit and repays no debt`() {
        var shares = TenantShares()
        shares.join("idle")
        shares.join("busy")
        shares.leave("idle")
        shares.charge("busy", 1000)
        shares.join("idle")
        #expect(shares.served("idle") == 1000)
        // The tenant that is ahead stays ahead, even if it leaves repeatedly.
        shares.charge("idle", 500)
        for _ in 0..<3 {
            shares.leave("idle")
            shares.join("idle")
        }
        #expect(shares.served("idle") == 1500 && shares.served("busy") == 1000)
        // Until the others have caught up.
        shares.leave("idle")
        shares.charge("busy", 1000)
        shares.join("idle")
        #expect(shares.served("idle") == 2000)
    }

    @Test func `the last to leave sets the start of the next`() {
        var shares = TenantShares()
        shares.join("a")
        shares.charge("a", 1000)
        shares.leave("a")
        shares.join("b")
        shares.join("a")
        #expect(shares.served("a") == shares.served("b"))
    }

    @Test func `a lead counts only up to its maximum`() {
        var shares = FairShares(longestLead: Duration.seconds(1))
        shares.join("a")
        shares.charge("a", .seconds(5))
        shares.join("b")
        // Alone it had no lead; with another tenant it gets ahead by at most a second.
        #expect(shares.served("b") == .seconds(5))
        shares.charge("a", .seconds(5))
        #expect(shares.served("a") == .seconds(6) && shares.hasWork("a"))
        shares.leave("a")
        #expect(!shares.hasWork("a") && shares.count == 2)
        shares.charge("b", .seconds(1))
        shares.leave("b")
        #expect(shares.count == 0)
    }

    @Test func `a tenant is charged for a prompt once, and for every sampled token`() throws {
        var scheduler = makeScheduler(window: 100, totalBlocks: 12)
        let (a, b) = (SequenceID(1), SequenceID(2))
        try scheduler.add(a, promptTokens: 5, maxTokens: 11, tenant: "a")
        try scheduler.add(b, promptTokens: 5, maxTokens: 11, tenant: "b")
        #expect(scheduler.shares.served("b") == 0)
        run(&scheduler)
        #expect(scheduler.shares.served("b") == 5 + 2)
        while run(&scheduler).preempted.isEmpty {}
        let served = scheduler.shares.served("b")
        #expect(served == 5 + 2 * 8)
        scheduler.finish(a)
        #expect(run(&scheduler).ranges == [b: 0..<13])
        #expect(scheduler.shares.served("b") == served + 2)
    }

    @Test func `tenants without work are dropped`() {
        var shares = TenantShares()
        for name in 0..<1000 {
            shares.join("\(name)")
            shares.charge("\(name)", 10)
            shares.leave("\(name)")
        }
        #expect(shares.count <= 1)
    }

    @Test func `the queue takes lower priorities first, then the least served, then the first to come`() {
        var shares = TenantShares()
        var queue = WaitingQueue()
        let entries: [(UInt64, Int, String)] = [
            (1, 0, "a"), (2, 0, "a"), (3, 0, "b"), (4, -1, "a"), (5, 1, "b"), (6, 0, "b"), (7, -1, "b"),
        ]
        for (id, priority, tenant) in entries.reversed() {
            shares.join(tenant)
            queue.insert(SequenceID(id), SchedulingParameters(priority: priority, tenant: tenant))
        }
        shares.charge("a", 5)
        #expect(queue.prefix(9, shares).map(\.rawValue) == [7, 4, 3, 6, 1, 2, 5])
        #expect(queue.prefix(3, shares).map(\.rawValue) == [7, 4, 3])
        queue.remove(SequenceID(3), SchedulingParameters(priority: 0, tenant: "b"))
        queue.insert(SequenceID(3), SchedulingParameters(priority: 0, tenant: "b"))
        #expect(queue.prefix(4, shares).map(\.rawValue) == [7, 4, 3, 6])
        #expect(queue.count == 7 && queue.ids.count == 7)
    }
}
