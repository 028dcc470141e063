import HTTPTypes
import Testing

@testable import HTTP

@Suite struct ResponseEncoderTests {
    @Test func `a head has status, date, the service's fields and its framing`() {
        #expect(
            head([.contentType: "text/plain"], framing: .length(3), connection: "close")
                == "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        )
    }

    @Test func `framing fields of the service are left out`() {
        let fields: HTTPFields = [.contentLength: "9", .transferEncoding: "gzip", .connection: "close", .date: "then"]
        let encoded = head(fields, framing: .chunked, connection: nil)
        #expect(encoded == "HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    @Test func `a line break in a value cannot start another field`() {
        let encoded = head([.contentType: "a\r\nX: y"], framing: .none, connection: nil)
        #expect(encoded.split(separator: "\r\n").count == 3)
    }

    @Test func `a chunk is its size in hexadecimal and its data`() {
        var bytes: [UInt8] = []
        ResponseEncoder.chunk(Array(repeating: UInt8(ascii: "x"), count: 26), into: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "1a\r\n" + String(repeating: "x", count: 26) + "\r\n")
    }

    @Test func `an empty chunk is omitted, because it would end the body`() {
        var bytes: [UInt8] = []
        ResponseEncoder.chunk([], into: &bytes)
        #expect(bytes.isEmpty)
    }

    @Test(
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] as [(Int, String)])
    func `a date is written as IMF-fixdate`(seconds: Int, text: String) {
        #expect(HTTPDate.string(secondsSince1970: seconds) == text)
    }

    private func head(_ fields: HTTPFields, framing: ResponseEncoder.Framing, connection: StaticString?) -> String {
        var bytes: [UInt8] = []
        let head = HTTPResponse(status: .ok, headerFields: fields)
        ResponseEncoder.head(head, framing: framing, connection: connection, date: "D", into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
