import Synchronization
import Testing

@testable import HTTP

@Suite struct LoopExecutorTests {
    @Test func `a request on an open connection needs one wait in the kernel`() async throws {
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
