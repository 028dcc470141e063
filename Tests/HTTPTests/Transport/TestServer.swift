import HTTP

/// A loop with a test service on its own port.
struct TestServer {
    let loop: EventLoop
    let port: Int
    let endings: AsyncStream<TestService.Ending>

    init(_ configuration: HTTPConfiguration = HTTPConfiguration()) async throws {
        loop = try EventLoop(configuration: configuration)
        let (endings, continuation) = AsyncStream.makeStream(of: TestService.Ending.self)
        self.endings = endings
        await loop.serve(TestService(endings: continuation))
        port = try await loop.listen(host: "127.0.0.1", port: 0).port
    }

    func nextEnding() async -> TestService.Ending? {
        await endings.first { _ in true }
    }

    /// Waits until a check that is posted to the loop returns true.
    func connectionsSettle(at count: Int) async throws -> Bool {
        for _ in 0..<500 {
            if await loop.connections == count { return true }
            try await Task.sleep(for: .milliseconds(2))
        }
        return false
    }

    func stop() async {
        await loop.closeListeners()
        await loop.closeConnections()
    }
}
