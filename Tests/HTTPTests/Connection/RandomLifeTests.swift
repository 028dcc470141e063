import HTTPTypes
import TestSupport
import Testing

@testable import HTTP

@Suite struct RandomLifeTests {
    /// The harness fails on an action after close and on a second open exchange; the machine checks its own invariants.
    @Test(arguments: 0..<400 as Range<UInt64>)
    func `for random events, each delivery ends once and a closed connection does nothing`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var limits = ConnectionLimits()
        limits.outboundBytes = 400
        limits.pipelinedBytes = 120
        limits.lingerBytes = 500
        limits.wire.bodyBytes = 60
        var connection = MachineHarness(limits: limits, admittedPaths: seed % 10 == 0 ? ["/1"] : nil)
        for _ in 0..<200 where !connection.isClosed {
            step(&connection, &random)
            #expect(connection.outcomes.count <= connection.delivered.count)
        }
        connection.peerCloses()
        #expect(connection.isClosed)
        #expect(connection.outcomes.count == connection.delivered.count)
        #expect(connection.machine.deadline == nil)
    }

    /// Most steps follow the protocol, some do not.
    private func step(_ connection: inout MachineHarness, _ random: inout SeededGenerator) {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<45: connection.receive(piece(&random))
        case 45..<60: if connection.machine.exchange?.reply == Exchange.Reply.none { connection.respond("whole") }
        case 60..<70: if connection.machine.exchange?.reply == Exchange.Reply.none { connection.startStream() }
        case 70..<80: if isStreaming(connection) { connection.send("a piece of a stream") }
        case 80..<87: if isStreaming(connection) { connection.finish() }
        case 87..<93: connection.drain(Int.random(in: 0...300, using: &random))
        case 93..<96: connection.kernelRoom = .max
        case 96..<99: connection.wait(.seconds(Int.random(in: 1...40, using: &random)))
        default: if Bool.random(using: &random) { connection.retire() } else { connection.peerCloses() }
        }
    }

    private func isStreaming(_ connection: MachineHarness) -> Bool {
        if case .streaming = connection.machine.exchange?.reply { true } else { false }
    }

    private func piece(_ random: inout SeededGenerator) -> String {
        let pieces = [
            "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD /2 HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", "body",
            "POST /4 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nbody\r\n", "0\r\n\r\n",
        ]
        let text = pieces.randomElement(using: &random) ?? ""
        // Sometimes a piece is cut off, and garbage follows.
        return Int.random(in: 0..<12, using: &random) == 0 ? String(text.prefix(9)) : text
    }
}
