import HTTPTypes
import TestSupport

extension SimulatedClient {
    /// How a request and its reply are transferred.
    struct Transfer {
        /// The number of pieces of the request.
        var pieces = 1
        /// The time of sending them.
        var time = Duration.zero
        /// Whether it sends all of them; otherwise it stops halfway, and waits.
        var sendsAll = true
        var isChunked = false
        var expectsContinue = false
        /// The bytes that the client reads per second; nil: all at once; 0: nothing.
        var readRate: Int?
        /// Bytes of white space after the body.
        var padding = 0

        /// Fast enough for every limit.
        var isPrompt: Bool { time <= .seconds(9) && readRate == nil }

        static func random(_ random: inout SeededGenerator) -> Transfer {
            var transfer = Transfer()
            transfer.isChunked = random.oneIn(4)
            if random.oneIn(3) {
                transfer.pieces = .random(in: 2...20, using: &random)
                transfer.time = .random(in: .milliseconds(1) ... .seconds(1000), &random)
            }
            if random.oneIn(12) { (transfer.pieces, transfer.sendsAll) = (.random(in: 2...20, using: &random), false) }
            if random.oneIn(15) { transfer.expectsContinue = true }
            if random.oneIn(8) { transfer.readRate = random.oneIn(3) ? 0 : .random(in: 100...20_000, using: &random) }
            if random.oneIn(40) { transfer.padding = .random(in: 60_000...300_000, using: &random) }
            return transfer
        }

        /// A body of about the maximum size, sent over seconds.
        mutating func makeHeavy(_ random: inout SeededGenerator) {
            padding = .random(in: 120_000...250_000, using: &random)
            pieces = .random(in: 5...20, using: &random)
            time = .random(in: .seconds(10) ... .seconds(200), &random)
            sendsAll = random.oneIn(2)
        }
    }

    /// The request's bytes, and the number of bytes of its head.
    func wire() -> (bytes: [UInt8], head: Int) {
        let head = message.head
        var text = "\(head.method.rawValue) \(head.path ?? "/") HTTP/1.1\r\nHost: localhost\r\n"
        for field in head.headerFields { text += "\(field.name.rawName): \(field.value)\r\n" }
        if transfer.expectsContinue { text += "Expect: 100-continue\r\n" }
        let body = message.body + [UInt8](repeating: UInt8(ascii: " "), count: transfer.padding)
        guard head.method == .post else { return (Array((text + "\r\n").utf8), text.utf8.count + 2) }
        guard transfer.isChunked else {
            text += "Content-Length: \(body.count)\r\n\r\n"
            return (Array(text.utf8) + body, text.utf8.count)
        }
        text += "Transfer-Encoding: chunked\r\n\r\n"
        var bytes = Array(text.utf8)
        let chunk = max(1, body.count / 3)
        for start in stride(from: 0, to: body.count, by: chunk) {
            let part = body[start..<min(start + chunk, body.count)]
            bytes += Array("\(String(part.count, radix: 16))\r\n".utf8) + part + [13, 10]
        }
        return (bytes + Array("0\r\n\r\n".utf8), text.utf8.count)
    }

    /// Whether the connection itself may send this status.
    func mayBeRefused(_ status: Int, isLate: Bool) -> Bool {
        switch status {
        // The client is too slow, also in reading 100 Continue, or the clock has jumped.
        case 408:
            !transfer.sendsAll || transfer.time > .seconds(9) || isLate
                || (transfer.expectsContinue && transfer.readRate != nil)
        case 413: message.body.count + transfer.padding > ServerSimulation.maxBodyBytes
        // There is no memory for its body, or no room for its connection.
        case 503: true
        default: false
        }
    }
}
