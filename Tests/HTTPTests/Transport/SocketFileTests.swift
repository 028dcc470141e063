import Foundation
import Testing

@testable import HTTP

/// A server on a Unix socket.
@Suite struct SocketFileTests {
    private let folder = URL(fileURLWithPath: "/tmp/trinity-socket-\(UUID().uuidString)")
    private var path: String { folder.appending(path: "s.sock").path }

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func makeLoop() async throws -> EventLoop {
        let loop = try EventLoop()
        await loop.serve(TestService(endings: AsyncStream.makeStream(of: TestService.Ending.self).continuation))
        return loop
    }

    private func end() { try? FileManager.default.removeItem(at: folder) }

    @Test func `requests arrive through a file that other users cannot access, and that is removed with its listener`()
        async throws
    {
        defer { end() }
        let loop = try await makeLoop()
        let address = try await loop.listen(host: "unix:" + path, port: 8000)
        #expect(address.description == "unix:" + path && address.isLoopback)
        var status = stat()
        #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o660)
        let reply = try await onThread { [path] in
            let client = try TestClient(path: path)
            client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            return try client.receiveReply().body
        }
        #expect(reply == Array("hello".utf8))
        await loop.closeListeners()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func `a socket without a listening process is replaced, and no other`() async throws {
        defer { end() }
        let first = try await makeLoop()
        _ = try await first.listen(host: "unix:" + path, port: 0)
        let second = try await makeLoop()
        await #expect(throws: TransportError.socketInUse(path: path)) {
            try await second.listen(host: "unix:" + path, port: 0)
        }
        // As a killed process leaves it.
        let left = try #require(await first.socketFile)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".left")
        await first.closeListeners()
        try FileManager.default.moveItem(atPath: path + ".left", toPath: path)
        _ = try await second.listen(host: "unix:" + path, port: 0)
        left.remove()
        #expect(SocketFile(path: path) != nil, "what has been replaced is another's, even if it has the same number")
        await second.closeListeners()
    }

    @Test func `a file that is not a socket stays, and paths have a maximum length`() async throws {
        defer { end() }
        try Data("x".utf8).write(to: folder.appending(path: "s.sock"))
        let loop = try await makeLoop()
        await #expect(throws: TransportError.noSocket(path: path)) {
            try await loop.listen(host: "unix:" + path, port: 0)
        }
        #expect(FileManager.default.fileExists(atPath: path))
        for name in ["", "/tmp/" + String(repeating: "x", count: 103)] {
            await #expect(throws: TransportError.invalidSocketPath(name)) {
                try await loop.listen(host: "unix:" + name, port: 0)
            }
        }
        await #expect(throws: TransportError.self) { try await loop.listen(host: "unix:/nowhere/s.sock", port: 0) }
    }
}
