import HTTPTypes
import Testing

@testable import HTTP

@Suite struct ConnectionMachineTests {
    private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

    // MARK: Keep-alive and pipelining

    @Test func `a connection serves one request after another`() {
        var connection = MachineHarness()
        for _ in 0..<3 {
            connection.receive(get)
            connection.respond("hi")
            #expect(connection.takeWritten() == "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi")
        }
        #expect(connection.delivered == ["GET /a ", "GET /a ", "GET /a "])
        #expect(connection.outcomes == [.completed, .completed, .completed])
        #expect(!connection.isClosed)
    }

    @Test func `a connection stays open after a stream`() {
        var connection = MachineHarness()
        connection.receive(get)
        connection.startStream()
        connection.send("one")
        connection.send("")
        connection.send("two")
        #expect(connection.outcomes.isEmpty)
        connection.finish()
        #expect(
            connection.takeWritten()
                == "HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
        #expect(connection.outcomes == [.completed])
        connection.receive(get)
        #expect(connection.delivered.count == 2)
    }

    @Test func `pipelined requests are served one at a time, in order`() {
        var connection = MachineHarness()
        connection.receive(
            "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiGET /3 HT"
        )
        #expect(connection.delivered == ["GET /1 "])
        connection.respond("")
        #expect(connection.delivered == ["GET /1 ", "POST /2 hi"])
        connection.respond("")
        #expect(connection.delivered.count == 2)
        connection.receive("TP/1.1\r\nHost: h\r\n\r\n")
        #expect(connection.delivered.last == "GET /3 ")
    }

    @Test func `reading pauses when too much is pipelined, and resumes`() {
        var limits = ConnectionLimits()
        limits.pipelinedBytes = 100
        var connection = MachineHarness(limits: limits)
        connection.receive(get)
        for _ in 0..<5 { connection.receive(get) }
        #expect(connection.isReadingPaused)
        for _ in 0..<5 { connection.respond("") }
        #expect(!connection.isReadingPaused)
        connection.respond("")
        #expect(connection.outcomes.count == 6)
    }

    @Test func `a request waits until the kernel has accepted the whole previous reply`() {
        var connection = MachineHarness()
        connection.receive(get + get)
        connection.kernelRoom = 10
        connection.respond("hi")
        #expect(connection.outcomes.isEmpty)
        #expect(connection.delivered.count == 1)
        connection.drain(1000)
        #expect(connection.outcomes == [.completed])
        #expect(connection.delivered.count == 2)
    }

    // MARK: The last reply

    @Test(arguments: ["GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"])
    func `a peer that does not keep the connection gets Connection: close, and the connection lingers`(request: String)
    {
        var connection = MachineHarness()
        connection.receive(request)
        connection.respond("hi")
        #expect(connection.takeWritten().contains("\r\nConnection: close\r\n"))
        #expect(connection.outcomes == [.completed])
        #expect(connection.isSendingShut)
        #expect(!connection.isClosed)
        connection.receive("noise that is dropped")
        connection.peerCloses()
        #expect(connection.isClosed)
        #expect(connection.outcomes == [.completed])
    }

    @Test func `the service can close the connection`() {
        var connection = MachineHarness()
        connection.receive(get)
        connection.respond("", [.connection: "Close"])
        #expect(connection.takeWritten().contains("\r\nConnection: close\r\n"))
        #expect(connection.isSendingShut)
    }

    @Test func `an HTTP/1.0 peer that requests it keeps its connection`() {
        var connection = MachineHarness()
        connection.receive("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        connection.respond("hi")
        #expect(connection.takeWritten().contains("\r\nConnection: keep-alive\r\n"))
        #expect(!connection.isSendingShut)
    }

    @Test func `a stream to an HTTP/1.0 peer ends by closing`() {
        var connection = MachineHarness()
        connection.receive("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        connection.startStream()
        connection.send("one")
        connection.finish()
        #expect(connection.takeWritten() == "HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\n\r\none")
        #expect(connection.isSendingShut)
    }

    @Test func `lingering is limited in time and bytes`() {
        var limits = ConnectionLimits()
        limits.lingerBytes = 10
        var slow = MachineHarness(limits: limits)
        slow.receive("GET /a HTTP/1.0\r\n\r\n")
        slow.respond("")
        slow.wait(limits.lingerTimeout)
        #expect(slow.isClosed)
        var noisy = MachineHarness(limits: limits)
        noisy.receive("GET /a HTTP/1.0\r\n\r\n")
        noisy.respond("")
        noisy.receive("0123456789")
        #expect(!noisy.isClosed)
        noisy.receive("0")
        #expect(noisy.isClosed)
    }

    // MARK: Bodies that are not sent

    @Test func `HEAD gets the head of GET and no body`() {
        var connection = MachineHarness()
        connection.receive("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n")
        connection.respond("hello")
        #expect(connection.takeWritten() == "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 5\r\n\r\n")
        connection.receive("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n")
        connection.startStream()
        connection.send("hello")
        connection.finish()
        #expect(connection.takeWritten() == "HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n")
        #expect(connection.outcomes == [.completed, .completed])
    }

    @Test(arguments: [HTTPResponse.Status.noContent, .notModified])
    func `a status without body has neither body nor length`(status: HTTPResponse.Status) {
        var connection = MachineHarness()
        connection.receive(get)
        connection.respond("ignored", status: status)
        #expect(connection.takeWritten().hasSuffix("\r\nDate: D\r\n\r\n"))
    }

    // MARK: 100-continue

    @Test func `a peer that waits gets 100 Continue`() {
        var connection = MachineHarness()
        connection.receive("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(connection.takeWritten() == "HTTP/1.1 100 Continue\r\n\r\n")
        connection.receive("hi")
        #expect(connection.delivered == ["POST /a hi"])
    }

    @Test func `a peer that does not wait, or is refused, gets no 100 Continue`() {
        var eager = MachineHarness()
        eager.receive("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nh")
        #expect(eager.takeWritten() == "")
        var limits = ConnectionLimits()
        limits.wire.bodyBytes = 1
        var refused = MachineHarness(limits: limits)
        refused.receive("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(refused.takeWritten().hasPrefix("HTTP/1.1 413 "))
    }

    // MARK: Errors

    @Test func `a bad request gets a reply, and the connection is closed after discarding its input`() {
        var connection = MachineHarness()
        connection.receive("nonsense\r\n")
        #expect(
            connection.takeWritten()
                == "HTTP/1.1 400 Bad Request\r\nDate: D\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n"
                + "Connection: close\r\n\r\nmalformedRequestLine")
        #expect(connection.isSendingShut)
        connection.receive(get)
        #expect(connection.delivered.isEmpty)
        connection.peerCloses()
        #expect(connection.isClosed)
        #expect(connection.outcomes.isEmpty)
    }

    @Test func `a bad pipelined request gets its reply after the good one before it`() {
        var connection = MachineHarness()
        connection.receive(get + "nonsense\r\n")
        connection.respond("hi")
        let written = connection.takeWritten()
        #expect(written.hasPrefix("HTTP/1.1 200 OK"))
        #expect(written.contains("hiHTTP/1.1 400 Bad Request"))
    }

    @Test func `beyond the limit only admitted paths are served, once`() {
        var admitted = MachineHarness(admittedPaths: ["/health"])
        admitted.receive("GET /health?x HTTP/1.1\r\nHost: h\r\n\r\n")
        admitted.respond("")
        #expect(admitted.takeWritten().contains("\r\nConnection: close\r\n"))
        var other = MachineHarness(admittedPaths: ["/health"])
        other.receive("POST /healthy HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
        let written = other.takeWritten()
        #expect(written.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(written.contains("\r\nRetry-After: 1\r\n"))
        #expect(other.delivered.isEmpty)
    }

    // MARK: The client leaves

    @Test func `a peer that closes before, during or after sending of the reply is gone`() {
        var before = MachineHarness()
        before.receive(get)
        before.peerCloses()
        var within = MachineHarness()
        within.receive(get)
        within.startStream()
        within.peerCloses()
        var flushing = MachineHarness()
        flushing.receive(get)
        flushing.kernelRoom = 3
        flushing.respond("hi")
        flushing.peerCloses()
        for connection in [before, within, flushing] {
            #expect(connection.outcomes == [.clientGone])
            #expect(connection.isClosed)
        }
    }

    @Test func `a peer that closes before its request is complete ends no exchange`() {
        for text in ["", "GET /", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nh"] {
            var connection = MachineHarness()
            connection.receive(text)
            connection.peerCloses()
            #expect(connection.isClosed)
            #expect(connection.outcomes.isEmpty)
            #expect(connection.takeWritten().isEmpty)
        }
    }

    @Test func `replies after the end are ignored`() {
        var connection = MachineHarness()
        connection.receive(get)
        connection.startStream()
        connection.peerCloses()
        connection.send("late")
        connection.finish()
        connection.respond("late")
        #expect(connection.outcomes == [.clientGone])
    }

    /// A stream that the peer does not read, with a bound of 1,000 bytes.
    private func unreadStream() -> MachineHarness {
        var limits = ConnectionLimits()
        limits.outboundBytes = 1000
        var connection = MachineHarness(limits: limits)
        connection.receive(get)
        connection.startStream()
        connection.kernelRoom = 0
        return connection
    }

    @Test func `the connection of a slow reader is closed at the bound`() {
        var connection = unreadStream()
        var sent = 0
        while !connection.isClosed, sent < 100 {
            connection.send(String(repeating: "x", count: 100))
            sent += 1
        }
        #expect((9...10).contains(sent))
        #expect(connection.outcomes == [.clientGone])
    }

    @Test func `a large piece of a stream does not count against the bound`() {
        var connection = unreadStream()
        connection.send(String(repeating: "x", count: 5000))
        connection.send(String(repeating: "x", count: 100))
        #expect(!connection.isClosed)
        for _ in 0..<10 where !connection.isClosed { connection.send(String(repeating: "x", count: 100)) }
        #expect(connection.isClosed && connection.outcomes == [.clientGone])
    }

    @Test func `one whole reply may exceed the bound`() {
        var limits = ConnectionLimits()
        limits.outboundBytes = 1000
        var connection = MachineHarness(limits: limits)
        connection.receive(get)
        connection.kernelRoom = 0
        connection.respond(String(repeating: "x", count: 5000))
        connection.drain(.max)
        #expect(connection.outcomes == [.completed])
    }

    // MARK: Deadlines

    @Test func `a silent new connection is closed without a reply`() {
        var connection = MachineHarness()
        connection.wait(.seconds(29))
        #expect(!connection.isClosed)
        connection.wait(.seconds(1))
        #expect(connection.isClosed)
        #expect(connection.takeWritten().isEmpty)
    }

    @Test func `a head must be complete in time, even if bytes keep arriving`() {
        var connection = MachineHarness()
        connection.receive("GET / HTTP/1.1\r\n")
        for _ in 0..<29 {
            connection.wait(.seconds(1))
            connection.receive("X: y\r\n")
        }
        #expect(connection.takeWritten().isEmpty)
        connection.wait(.seconds(1))
        #expect(connection.takeWritten().hasPrefix("HTTP/1.1 408 "))
    }

    @Test func `a kept connection may be idle longer than a new one`() {
        var connection = MachineHarness()
        connection.receive(get)
        connection.respond("")
        _ = connection.takeWritten()
        connection.wait(.seconds(74))
        #expect(!connection.isClosed)
        connection.receive("G")
        connection.wait(.seconds(29))
        #expect(!connection.isClosed)
        connection.wait(.seconds(1))
        #expect(connection.takeWritten().hasPrefix("HTTP/1.1 408 "))
        var idle = MachineHarness()
        idle.receive(get)
        idle.respond("")
        idle.wait(.seconds(75))
        #expect(idle.isClosed)
    }

    @Test func `the service may take any time`() {
        var connection = MachineHarness()
        connection.receive(get)
        connection.wait(.seconds(3600))
        connection.startStream()
        connection.wait(.seconds(3600))
        #expect(connection.outcomes.isEmpty)
    }

    // MARK: Shutting down

    @Test func `a retired connection closes when it is idle, otherwise after its reply`() {
        var idle = MachineHarness()
        idle.retire()
        #expect(idle.isClosed)
        var busy = MachineHarness()
        busy.receive(get)
        busy.retire()
        busy.respond("hi")
        #expect(busy.takeWritten().contains("\r\nConnection: close\r\n"))
        #expect(busy.outcomes == [.completed])
        var streaming = MachineHarness()
        streaming.receive(get)
        streaming.startStream()
        streaming.retire()
        streaming.finish()
        #expect(streaming.outcomes == [.completed])
        #expect(streaming.isSendingShut)
    }
}
