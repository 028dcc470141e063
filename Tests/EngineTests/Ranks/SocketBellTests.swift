import Foundation
import Synchronization
import Testing

@testable import Engine

/// Bells between threads of this process, over TCP.
@Suite struct SocketBellTests {
    /// Runs `body` on a thread of its own, since it waits: tests share few threads.
    private static func onThread<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
        }
    }

    private static func invitation() throws -> (BellInvitation, RankSocket) {
        let (listener, port) = try RankSocket.listen()
        var invitation = BellInvitation(port: port)
        invitation.addresses = ["127.0.0.1"]
        return (invitation, listener)
    }

    /// Rank 0, which waits for the others on a thread of its own.
    private final class FirstRank: Sendable {
        private let result = Mutex<Result<SocketBell, any Error>?>(nil)

        init(_ invitation: BellInvitation, _ listener: RankSocket, ranks: Int, timeout: Duration? = nil) {
            Thread.detachNewThread { [self] in
                let bell = Result<SocketBell, any Error> {
                    try invitation.accept(listener, ranks: ranks, timeout: timeout)
                }
                result.withLock { $0 = bell }
            }
        }

        func bell() async throws -> SocketBell {
            while true {
                if let bell = result.withLock({ $0 }) { return try bell.get() }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    /// The bells of rank 0 and of the others, in order.
    private static func bells(_ ranks: Int) async throws -> [SocketBell] {
        let (invitation, listener) = try invitation()
        let first = FirstRank(invitation, listener, ranks: ranks)
        let others = try await onThread {
            try (1..<ranks).map { try invitation.connect(rank: $0, timeout: nil) }
        }
        return [try await first.bell()] + others
    }

    /// A connection that has sent the secret of a rank.
    private static func connect(_ invitation: BellInvitation, as rank: Int) throws -> RankSocket {
        let socket = try #require(RankSocket.connect("127.0.0.1", port: invitation.port, within: .seconds(60)))
        var number = RankWriter()
        number.add(UInt32(rank))
        socket.send(invitation.question + number.bytes)
        return socket
    }

    private static func until(_ holds: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(60)
        while !holds() {
            try #require(ContinuousClock.now < end)
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test func `a ring wakes every other rank once`() async throws {
        let bells = try await Self.bells(3)
        let wakes = Mutex([0, 0, 0])
        for rank in 1...2 {
            let bell = bells[rank]
            Thread.detachNewThread {
                while true {
                    bell.sleep()
                    if bell.failure != nil { return }
                    wakes.withLock { $0[rank] += 1 }
                }
            }
        }
        bells[0].ring()
        bells[0].ring()
        try await Self.until { wakes.withLock { $0 == [0, 2, 2] } }
        // Beats wake nobody.
        try await Task.sleep(for: .milliseconds(600))
        #expect(wakes.withLock { $0 } == [0, 2, 2])
        #expect(bells.allSatisfy { $0.failure == nil })
        bells[0].close()
        try await Self.until { bells[1].failure == .lost(rank: 0) && bells[2].failure == .lost(rank: 0) }
        #expect(bells[0].failure == nil)
    }

    @Test func `a rank that is gone is told once`() async throws {
        let bells = try await Self.bells(3)
        let calls = Mutex(0)
        bells[0].onLoss { calls.withLock { $0 += 1 } }
        bells[2].close()
        try await Self.until { bells[0].failure == .lost(rank: 2) }
        bells[1].close()
        try await Self.until { calls.withLock { $0 } == 1 }
        bells[0].onLoss { calls.withLock { $0 += 10 } }
        #expect(calls.withLock { $0 } == 11)
        #expect(bells[0].failure == .lost(rank: 2))
    }

    @Test func `a rank that is silent is named, and others are not`() async throws {
        let (invitation, listener) = try Self.invitation()
        let first = FirstRank(invitation, listener, ranks: 4, timeout: .seconds(3))
        let (others, socket) = try await Self.onThread {
            let others = try [1, 3].map { try invitation.connect(rank: $0, timeout: .seconds(60)) }
            // Rank 2 beats once, and then stops.
            let socket = try Self.connect(invitation, as: 2)
            #expect(socket.receive(invitation.answer.count, within: .seconds(60)) == invitation.answer)
            socket.send([0, 0])
            return (others, socket)
        }
        let bell = try await first.bell()
        try await Self.until { bell.failure != nil }
        #expect(bell.failure == .timeout(rank: 2, seconds: 3))
        #expect(others.allSatisfy { $0.failure == nil })
        // It is open still.
        socket.send([0])
    }

    @Test func `a connection that was given up does not count`() async throws {
        let (invitation, listener) = try Self.invitation()
        // It has asked for the answer, and has not waited for it.
        for _ in 0..<2 { _ = try Self.connect(invitation, as: 1) }
        // A stranger that ends, and one that knows another secret.
        _ = RankSocket.connect("127.0.0.1", port: invitation.port, within: .seconds(60))
        let stranger = RankSocket.connect("127.0.0.1", port: invitation.port, within: .seconds(60))
        stranger?.send([UInt8](repeating: 7, count: 20))
        let first = FirstRank(invitation, listener, ranks: 2)
        let other = try await Self.onThread { try invitation.connect(rank: 1, timeout: nil) }
        let bell = try await first.bell()
        bell.ring()
        try await Self.onThread { other.sleep() }
        #expect(bell.failure == nil && other.failure == nil)
    }

    @Test func `an invitation of another version is known as one`() throws {
        var bytes = BellInvitation(port: 1).bytes
        #expect(try BellInvitation(bytes).port == 1)
        bytes[4] = 2
        let error = #expect(throws: RankMessageError.self) { try BellInvitation(bytes) }
        #expect(error?.isOtherVersion == true)
        #expect(RankFailure(try #require(error), from: 0).exitCode == 78)
    }
}
