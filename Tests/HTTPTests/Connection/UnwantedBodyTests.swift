import Testing

@testable import HTTP

/// Bodies that are not read, because their requests are refused anyway.
@Suite struct UnwantedBodyTests {
    @Test func `an unwanted body is never read, and the connection ends with the reply`() {
        var connection = MachineHarness(bodyAccount: { $0.path != "/a" ? .common : nil })
        connection.receive("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
        connection.respond("")
        // Delivered before the body has arrived, and without requesting it.
        connection.receive(
            "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\nGET /b HTTP/1.1\r\n")
        #expect(connection.delivered == ["POST /b hi", "POST /a "])
        connection.respond("no", status: .unauthorized)
        #expect(connection.takeWritten().hasSuffix("Content-Length: 2\r\nConnection: close\r\n\r\nno"))
        connection.receive("Host: h\r\n\r\n")
        #expect(connection.delivered.count == 2, "what there is of the body is no request")
        #expect(connection.isSendingShut)
    }
}
