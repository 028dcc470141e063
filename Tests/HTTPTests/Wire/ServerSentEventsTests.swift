import HTTP
import Testing

@Suite struct ServerSentEventsTests {
    @Test(
        arguments: [
            ("[DONE]", "data: [DONE]\n\n"), ("", "data: \n\n"), ("a\nb", "data: a\ndata: b\n\n"),
            ("a\r\nb", "data: a\ndata: b\n\n"), ("a\rb\n\nc", "data: a\ndata: b\ndata: \ndata: c\n\n"),
            ("é", "data: é\n\n"),
            ("a\r\n", "data: a\ndata: \n\n"), ("a\n\rb", "data: a\ndata: \ndata: b\n\n"),
        ] as [(String, String)])
    func `an event has a data line for each line`(data: String, event: String) {
        #expect(String(decoding: ServerSentEvents.event(data), as: UTF8.self) == event)
    }

    @Test func `a comment cannot contain a line break`() {
        #expect(String(decoding: ServerSentEvents.comment("keep-alive"), as: UTF8.self) == ": keep-alive\n\n")
        #expect(String(decoding: ServerSentEvents.comment("a\ndata: b"), as: UTF8.self) == ": a\n: data: b\n\n")
    }

    @Test func `events can be appended`() {
        var bytes: [UInt8] = []
        ServerSentEvents.append(Array("1".utf8), to: &bytes)
        ServerSentEvents.append(Array("2".utf8), to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "data: 1\n\ndata: 2\n\n")
    }
}
