import Foundation
import Synchronization
import Testing

@testable import HTTP

@Suite struct LoopExecutorTests {
    @Test func `a request on an open connection needs one wait`() async throws {
        let server = try await TestServer()
        let executor = server.loop.executor
        let port = server.port
        let requests = 200
        let waits = try await onThread {
            let client = try TestClient(port: port)
            func exchange() throws {
                client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try client.receiveReply().body == Array("hello".utf8))
            }
            try exchange()
            let before = executor.waits
            for _ in 0..<requests { try exchange() }
            return executor.waits - before
        }
        // The deadlines may be checked meanwhile.
        #expect(waits >= requests && waits <= requests + 10, "\(waits)")
        await server.stop()
    }

    @Test func `a loop without work does not spin`() async throws {
        let server = try await TestServer()
        let executor = server.loop.executor
        _ = await server.loop.connections
        let before = executor.waits
        try await Task.sleep(for: .milliseconds(100))
        #expect(executor.waits - before <= 1)
        await server.stop()
    }

    @Test func `the loop polls after a reply, unless another one is awaited`() async throws {
        let server = try await TestServer()
        let executor = server.loop.executor
        let port = server.port
        /// Sends a request, or a part of one; returns the number of waits that polled after it.
        @Sendable func polls(_ client: TestClient, _ text: String, isAnswered: Bool) throws -> Int {
            let before = (waits: executor.waits, polls: executor.polls)
            client.send(text)
            if isAnswered { #expect(try client.receiveReply().body == Array("hello".utf8)) }
            // The count is increased at the end of a wait, which the next event ends.
            for _ in 0..<2000 where executor.waits == before.waits || executor.polls == before.polls { usleep(100) }
            return executor.polls - before.polls
        }
        try await onThread {
            let (client, other) = (try TestClient(port: port), try TestClient(port: port))
            let hello = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"
            _ = try polls(client, hello, isAnswered: true)
            // The wait after the first reply ends with the second request.
            #expect(try polls(client, hello, isAnswered: true) == 1)
            _ = try polls(other, "GET /silent HTTP/1.1\r\nHost: h\r\n\r\n", isAnswered: false)
            _ = try polls(client, hello, isAnswered: true)
            #expect(try polls(client, hello, isAnswered: true) == 0, "a reply is awaited")
        }
        await server.stop()
    }

    @Test func `a part of a request starts no polling`() async throws {
        let server = try await TestServer()
        let executor = server.loop.executor
        let port = server.port
        let polls = try await onThread {
            let client = try TestClient(port: port)
            for piece in ["GET /hel", "lo HTTP/1.1\r\n", "Host: h\r\n", "A: b\r\n"] {
                let before = executor.waits
                client.send(piece)
                for _ in 0..<2000 where executor.waits == before { usleep(100) }
            }
            return executor.polls
        }
        #expect(polls == 0)
        await server.stop()
    }

    @Test func `polling uses the CPU until its end or the deadline, and finds events and wakes`() throws {
        let sockets = try SocketSet()
        func cpuTime(_ body: () -> Void) -> Duration {
            func now() -> Duration {
                var time = timespec()
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
                return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
            }
            let before = now()
            body()
            return now() - before
        }
        let clock = ContinuousClock()
        let polling = cpuTime {
            let time = clock.measure {
                #expect(sockets.wait(until: .now + .milliseconds(60), polling: .seconds(60)).isEmpty)
            }
            #expect(time >= .milliseconds(60) && time < .seconds(30))
        }
        let blocking = cpuTime { _ = sockets.wait(until: .now + .milliseconds(60)) }
        #expect(polling > .milliseconds(3) && blocking < .milliseconds(3), "\(polling), \(blocking)")
        // After the polling, the wait goes on.
        let time = clock.measure { _ = sockets.wait(until: .now + .milliseconds(30), polling: .milliseconds(1)) }
        #expect(time >= .milliseconds(30))
        // Another thread wakes it while it polls.
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(5)) { sockets.wake() }
        #expect(clock.measure { _ = sockets.wait(until: nil, polling: .seconds(60)) } < .seconds(30))
    }

    @Test func `work of several threads runs, and that of each thread runs in order`() async throws {
        let loop = try EventLoop()
        let record = Record()
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<4 {
                group.addTask {
                    try? await onThread {
                        for number in 0..<2000 { loop.post { _ in record.add(number, of: thread) } }
                    }
                }
            }
        }
        // After all of them.
        await withCheckedContinuation { continuation in loop.post { _ in continuation.resume() } }
        #expect(record.numbers.withLock { $0 } == Array(repeating: Array(0..<2000), count: 4))
    }

    @Test func `work that posts itself again does not delay requests and timers`() async throws {
        let server = try await TestServer()
        let again = Repetition()
        defer { again.isOver.store(true, ordering: .relaxed) }
        server.loop.post { loop in again.run(on: loop) }
        let port = server.port
        try await onThread {
            let client = try TestClient(port: port)
            for _ in 0..<20 {
                client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(try client.receiveReply().body == Array("hello".utf8))
            }
        }
        await withCheckedContinuation { continuation in
            server.loop.post { loop in
                _ = loop.schedule(after: .milliseconds(5)) { _ in continuation.resume() }
            }
        }
        await server.stop()
    }

    @Test func `a loop without references ends, and so does its thread`() async throws {
        weak var executor: LoopExecutor?
        do {
            let loop = try EventLoop()
            executor = loop.executor
            // A pending timer does not keep it alive.
            _ = await loop.schedule(after: .seconds(3600)) { _ in }
        }
        for _ in 0..<1000 where executor != nil { try await Task.sleep(for: .milliseconds(5)) }
        #expect(executor == nil)
    }

    /// The numbers that four threads have posted, in order of arrival.
    private final class Record: Sendable {
        let numbers = Mutex<[[Int]]>(Array(repeating: [], count: 4))

        func add(_ number: Int, of thread: Int) {
            numbers.withLock { $0[thread].append(number) }
        }
    }

    /// Posts itself again until it is stopped.
    private final class Repetition: Sendable {
        let isOver = Atomic(false)

        func run(on loop: isolated EventLoop) {
            guard !isOver.load(ordering: .relaxed) else { return }
            loop.post { loop in self.run(on: loop) }
        }
    }
}
