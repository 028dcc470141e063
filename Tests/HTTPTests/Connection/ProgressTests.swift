import Testing

@testable import HTTP

/// The minimum rates at which peers must send and read.
@Suite struct ProgressTests {
    private func post(_ length: Int) -> String { "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\n\r\n" }

    @Test(arguments: [0, 1, 1000])
    func `a body below the minimum rate is ended at the end of a window`(bytesPerSecond: Int) {
        var connection = MachineHarness()
        connection.receive(post(1_000_000))
        for _ in 0..<9 {
            connection.wait(.seconds(1))
            connection.receive(String(repeating: "x", count: bytesPerSecond))
        }
        #expect(connection.takeWritten().isEmpty)
        connection.wait(.seconds(1))
        #expect(connection.takeWritten().hasPrefix("HTTP/1.1 408 "))
        #expect(connection.delivered.isEmpty)
    }

    @Test func `a chunked body's framing and earlier bytes do not compensate for a stall`() {
        var connection = MachineHarness()
        connection.receive("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.receive("\(String(500_000, radix: 16))\r\n" + String(repeating: "x", count: 500_000) + "\r\n")
        connection.wait(.seconds(10))
        #expect(connection.takeWritten().isEmpty)
        for _ in 0..<10 {
            connection.receive("1\r\nx\r\n")
            connection.wait(.seconds(1))
        }
        #expect(connection.takeWritten().hasPrefix("HTTP/1.1 408 "))
    }

    @Test func `a body at the minimum rate arrives`() {
        var connection = MachineHarness()
        connection.receive(post(50 * 1024))
        for _ in 0..<50 {
            connection.receive(String(repeating: "x", count: 1024))
            connection.wait(.seconds(1))
        }
        #expect(connection.delivered.count == 1)
        connection.respond("")
        #expect(connection.outcomes == [.completed])
    }

    @Test func `a body must end in ten minutes, even if bytes keep arriving`() {
        var connection = MachineHarness()
        connection.receive(post(30_000_000))
        for _ in 0..<599 {
            connection.receive(String(repeating: "x", count: 2048))
            connection.wait(.seconds(1))
        }
        #expect(connection.takeWritten().isEmpty)
        connection.wait(.seconds(1))
        #expect(connection.takeWritten().hasPrefix("HTTP/1.1 408 "))
    }

    @Test(arguments: [0, 1, 1000])
    func `the connection of a reader below the minimum rate is closed at the end of a window`(bytesPerSecond: Int) {
        var connection = MachineHarness()
        connection.receive("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        connection.startStream()
        connection.kernelRoom = 0
        connection.send(String(repeating: "x", count: 1_000_000))
        for _ in 0..<59 {
            connection.wait(.seconds(1))
            connection.drain(bytesPerSecond)
        }
        #expect(connection.outcomes.isEmpty)
        connection.wait(.seconds(1))
        #expect(connection.outcomes == [.clientGone])
        #expect(connection.isClosed)
    }

    @Test func `a reader at the minimum rate gets everything, and time without pending output does not count`() {
        var connection = MachineHarness()
        connection.receive("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        connection.startStream()
        _ = connection.takeWritten()
        for _ in 0..<3 {
            connection.kernelRoom = 0
            connection.send(String(repeating: "x", count: 100 * 1024))
            for _ in 0..<101 {
                connection.drain(1024)
                connection.wait(.seconds(1))
            }
            connection.wait(.seconds(3600))
        }
        connection.kernelRoom = .max
        connection.finish()
        #expect(connection.outcomes == [.completed])
        #expect(connection.takeWritten().utf8.count > 300 * 1024)
    }
}
