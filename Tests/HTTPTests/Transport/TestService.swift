import HTTP
import HTTPTypes

/// A service whose paths have the behavior that the tests need.
final class TestService: HTTPService {
    struct Ending: Equatable, Sendable {
        var path: String
        var outcome: ExchangeOutcome
    }

    private let endings: AsyncStream<Ending>.Continuation
    private var open: [ExchangeID: String] = [:]
    private var isCalling = false

    init(endings: AsyncStream<Ending>.Continuation) {
        self.endings = endings
    }

    func receive(_ message: HTTPMessage, exchange: ExchangeID, on loop: isolated EventLoop) {
        precondition(!isCalling, "the service was called inside a call of its own")
        let path = message.head.path ?? ""
        open[exchange] = path
        isCalling = true
        defer { isCalling = false }
        switch path {
        case "/connection":
            loop.respond(exchange, HTTPResponse(status: .ok), body: Array("\(message.connection)".utf8))
        case "/echo": loop.respond(exchange, HTTPResponse(status: .ok), body: message.body)
        case "/stream":
            loop.startStream(exchange, HTTPResponse(status: .ok, headerFields: [.contentType: "text/event-stream"]))
            for number in 1...3 { loop.send(exchange, ServerSentEvents.event("\(number)")) }
            loop.finish(exchange)
        case "/hold":
            loop.startStream(exchange, HTTPResponse(status: .ok))
            loop.send(exchange, Array("held".utf8))
        case "/flood":
            loop.startStream(exchange, HTTPResponse(status: .ok))
            flood(exchange, on: loop)
        case "/silent": break
        case "/prepare":
            Task {
                let prepared = await Self.prepare(message)
                self.proceed(prepared, exchange, on: loop)
            }
        case _ where path.hasPrefix("/megabytes/"):
            let count = (Int(path.dropFirst(11)) ?? 0) << 20
            loop.respond(exchange, HTTPResponse(status: .ok), body: [UInt8](repeating: 120, count: count))
        default: loop.respond(exchange, HTTPResponse(status: .ok), body: Array("hello".utf8))
        }
    }

    func ended(_ exchange: ExchangeID, outcome: ExchangeOutcome, on loop: isolated EventLoop) {
        precondition(!isCalling, "the service was called inside a call of its own")
        guard let path = open.removeValue(forKey: exchange) else {
            preconditionFailure("ended twice, or never received")
        }
        endings.yield(Ending(path: path, outcome: outcome))
    }

    /// Called by posted work: sends a piece on each open stream, then ends it.
    func finishAll(on loop: isolated EventLoop) {
        for exchange in open.keys {
            loop.send(exchange, Array("end".utf8))
            loop.finish(exchange)
        }
    }

    @concurrent private static func prepare(_ message: HTTPMessage) async -> String {
        "prepared \(message.body.count)"
    }

    private func proceed(_ text: String, _ exchange: ExchangeID, on loop: isolated EventLoop) {
        loop.respond(exchange, HTTPResponse(status: .ok), body: Array(text.utf8))
    }

    /// Sends forever, a megabyte per turn.
    private func flood(_ exchange: ExchangeID, on loop: isolated EventLoop) {
        guard open[exchange] != nil else { return }
        loop.send(exchange, [UInt8](repeating: 120, count: 1 << 20))
        loop.post { loop in (loop.service as? TestService)?.flood(exchange, on: loop) }
    }
}
