import HTTPTypes
import Testing

@testable import HTTP

@Suite struct RequestParserTests {
    @Test func `case names are unique, and each part of a request has cases`() {
        #expect(Set(RequestCorpus.all.map(\.name)).count == RequestCorpus.all.count)
        #expect(RequestCorpus.all.count > 140)
        let errors = Set(
            RequestCorpus.all.compactMap { if case .refused(let error) = $0.outcome { error } else { nil } })
        // These two do not concern bytes.
        #expect(errors == Set(WireError.allCases).subtracting([.timedOut, .overloaded, .bodyMemoryExhausted]))
    }

    @Test(arguments: RequestCorpus.all)
    func `a whole request is parsed as in the corpus`(_ example: CorpusCase) {
        let reading = Reading(of: [example.bytes])
        #expect(reading.outcome == example.outcome)
        if case .request = example.outcome { #expect(reading.unread == 0) }
    }

    @Test(arguments: RequestCorpus.all)
    func `a request is parsed the same byte by byte`(_ example: CorpusCase) {
        #expect(Reading(of: example.bytes.map { [$0] }).outcome == example.outcome)
    }

    @Test(arguments: RequestCorpus.all)
    func `a request is parsed the same when it is split anywhere`(_ example: CorpusCase) {
        let bytes = example.bytes
        for split in bytes.indices {
            #expect(
                Reading(of: [Array(bytes[..<split]), Array(bytes[split...])]).outcome == example.outcome, "at \(split)")
        }
    }

    @Test(arguments: RequestCorpus.all.filter { $0.outcome != .incomplete })
    func `bytes after a request are not consumed`(_ example: CorpusCase) {
        let next = Array("GET /next HTTP/1.1\r\n".utf8)
        let reading = Reading(of: [example.bytes + next])
        if case .refused(let error) = example.outcome {
            guard case .refused = reading.outcome else {
                Issue.record("accepted after all: \(error)")
                return
            }
        } else {
            #expect(reading.outcome == example.outcome)
            #expect(reading.unread == next.count)
        }
    }

    @Test(
        arguments: [
            ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
            ("HTTP/1.1", "Connection: x, CLOSE\r\n", false), ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true), ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
        ] as [(String, String, Bool)])
    func `version and Connection decide whether the connection stays`(version: String, field: String, stays: Bool)
        throws
    {
        var buffer = ByteBuffer()
        buffer.append(Array("GET / \(version)\r\nHost: a\r\n\(field)\r\n".utf8))
        var parser = RequestParser(limits: WireLimits())
        #expect(try parser.parse(&buffer)?.keepsAlive == stays)
    }

    @Test func `fields keep their order and bytes, and Host becomes the authority`() throws {
        var buffer = ByteBuffer()
        buffer.append(Array("GET / HTTP/1.1\r\nX-One: 1\r\nHost: a\r\nx-one: 2\r\n\r\n".utf8))
        var parser = RequestParser(limits: WireLimits())
        let request = try #require(try parser.parse(&buffer)).request
        #expect(request.headerFields.map(\.name.rawName) == ["X-One", "x-one"])
        #expect(request.headerFields.map(\.value) == ["1", "2"])
        #expect(request.authority == "a")
    }

    @Test func `each error has an error status and a reason`() {
        for error in WireError.allCases {
            #expect(error.status.code >= 400)
            #expect(!error.status.reasonPhrase.isEmpty)
            #expect(error.reason.hasSuffix("."))
        }
    }
}

/// A request parsed from pieces by the parser and the body decoder.
private struct Reading {
    var outcome = CorpusCase.Outcome.incomplete
    var unread = 0

    init(of pieces: [[UInt8]]) {
        var buffer = ByteBuffer()
        var parser = RequestParser(limits: RequestCorpus.limits)
        var head: RequestHead?
        var decoder: BodyDecoder?
        do throws(WireError) {
            for piece in pieces {
                buffer.append(piece[...])
                if head == nil, let parsed = try parser.parse(&buffer) {
                    head = parsed
                    decoder = BodyDecoder(framing: parsed.framing, limits: RequestCorpus.limits)
                }
                guard let request = head?.request, try decoder?.decode(&buffer) == true,
                    let taken = decoder?.takeBody().0
                else { continue }
                let body = String(decoding: taken, as: UTF8.self)
                let line = "\(request.method) \(request.authority ?? "-") \(request.path ?? "-")"
                outcome = .request(body.isEmpty ? line : "\(line) \(body)")
            }
        } catch {
            outcome = .refused(error)
        }
        unread = buffer.count
    }
}
