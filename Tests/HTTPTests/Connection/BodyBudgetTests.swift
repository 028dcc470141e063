import HTTPTypes
import TestSupport
import Testing

@testable import HTTP

/// Several connections whose bodies share a budget.
@Suite struct BodyBudgetTests {
    private let free = BodyBuffer.freeBytes

    private func post(_ length: Int) -> String { "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\n\r\n" }
    private let chunked = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

    private func text(_ count: Int) -> String { String(repeating: "x", count: count) }

    @Test func `a body is charged as it arrives, not as it is announced, until its charge is released`() {
        let budget = MemoryBudget(limit: 10_000_000)
        var connection = MachineHarness(bodyBudget: budget)
        connection.receive(post(5_000_000))
        #expect(budget.used == 0)
        for _ in 0..<49 { connection.receive(text(100_000)) }
        #expect((4_900_000 - free...5_000_000 - free).contains(budget.used))
        connection.receive(text(100_000))
        #expect(connection.delivered.count == 1)
        #expect(budget.used == 5_000_000 - free)
        connection.respond("")
        #expect(budget.used == 5_000_000 - free, "the service still has the body")
        connection.charge?.release()
        #expect(budget.used == 0)
    }

    @Test(arguments: [true, false])
    func `the body that exceeds the budget is refused, and others continue`(isChunked: Bool) {
        let budget = MemoryBudget(limit: 1_000_000)
        var first = MachineHarness(bodyBudget: budget)
        var second = MachineHarness(bodyBudget: budget)
        let head = isChunked ? chunked + "\(String(900_000, radix: 16))\r\n" : post(900_000)
        first.receive(head)
        second.receive(head)
        first.receive(text(600_000))
        second.receive(text(600_000))
        let reply = second.takeWritten()
        #expect(reply.hasPrefix("HTTP/1.1 503 ") && reply.contains("\r\nRetry-After: 1\r\n"))
        #expect(reply.contains("\r\nConnection: close\r\n") && reply.hasSuffix("bodyMemoryExhausted"))
        #expect(budget.used < 800_000, "what was refused gives its memory back at once")
        first.receive(text(300_000) + (isChunked ? "\r\n0\r\n\r\n" : ""))
        #expect(first.delivered.count == 1)
        #expect(first.takeWritten().isEmpty)
    }

    @Test func `bodies that have begun have priority over a new one`() {
        let budget = MemoryBudget(limit: 1_000_000)
        var first = MachineHarness(bodyBudget: budget)
        first.receive(post(900_000))
        first.receive(text(600_000))
        var second = MachineHarness(bodyBudget: budget)
        second.receive("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 900000\r\n\r\n")
        #expect(second.takeWritten().hasPrefix("HTTP/1.1 503 "), "it is not asked to send a body that has no room")
        first.receive(text(300_000))
        #expect(first.delivered.count == 1)
    }

    @Test func `large bodies never block a small request`() {
        let budget = MemoryBudget(limit: 1_000_000)
        let hog = budget.reserve(1_000_000)
        var connection = MachineHarness(bodyBudget: budget)
        connection.receive(post(free) + text(free))
        #expect(connection.delivered.count == 1)
        #expect(hog?.bytes == budget.used)
    }

    @Test(arguments: [true, false])
    func `the bodies of one owner leave room for those of another`(isChunked: Bool) {
        let budget = MemoryBudget(limit: 1_000_000)
        let account: @Sendable (HTTPRequest) -> MemoryBudget.Account? = { $0.path.map { .owner($0) } }
        let head = isChunked ? chunked + "\(String(180_000 + free, radix: 16))\r\n" : post(180_000 + free)
        let held = budget.reserve(740_000, for: .owner("/a"))
        var first = MachineHarness(bodyBudget: budget, bodyAccount: account)
        first.receive(head + text(180_000 + free))
        #expect(first.takeWritten().hasPrefix("HTTP/1.1 503 "))
        var second = MachineHarness(bodyBudget: budget, bodyAccount: account)
        second.receive(head.replacing("/a", with: "/b") + text(180_000 + free) + (isChunked ? "\r\n0\r\n\r\n" : ""))
        #expect(second.delivered.count == 1 && second.takeWritten().isEmpty)
        #expect(held?.bytes == 740_000 && budget.used == 920_000)
    }

    @Test func `a single connection may use the whole budget`() {
        let budget = MemoryBudget(limit: 3_000_000)
        var connection = MachineHarness(bodyBudget: budget)
        for head in [post(3_000_000), chunked + "\(String(3_000_000, radix: 16))\r\n"] {
            connection.receive(head)
            for _ in 0..<30 { connection.receive(text(100_000)) }
            if head == post(3_000_000) { connection.respond("") }
            connection.charge = nil
        }
        connection.receive("\r\n0\r\n\r\n")
        #expect(connection.delivered.count == 2)
    }

    @Test(arguments: ["closes", "is refused", "times out"])
    func `an unfinished body releases its memory`(when: String) {
        let budget = MemoryBudget(limit: 3_000_000)
        var connection = MachineHarness(bodyBudget: budget)
        connection.receive(chunked + "\(String(200_000, radix: 16))\r\n" + text(200_000))
        #expect(budget.used > 0)
        switch when {
        case "closes": connection.peerCloses()
        case "is refused": connection.receive("no chunk ends like this")
        default: connection.wait(.seconds(20))
        }
        #expect(budget.used == 0)
        #expect(connection.delivered.isEmpty)
    }

    @Test func `a body in pieces of any size is the same body`() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<50 {
            let body = (0..<Int.random(in: 0...900_000, using: &random)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let budget = MemoryBudget(limit: .max)
            var buffer = BodyBuffer(chargedTo: try #require(budget.reserve(0)))
            var rest = body[...]
            while !rest.isEmpty {
                let part = rest.prefix(Int.random(in: 1...150_000, using: &random))
                try buffer.append(part, remaining: rest.count)
                rest = rest.dropFirst(part.count)
                #expect(budget.used <= max(0, body.count - free))
            }
            #expect(buffer.count == body.count)
            let (taken, charge) = buffer.take()
            #expect(taken == body)
            #expect(charge.bytes == max(0, body.count - free) && taken.capacity < body.count + 8192)
        }
    }
}
