import Foundation
import JSON
import Logging
import Testing

@testable import Server

@Suite struct JSONLogHandlerTests {
    @Test func `a line is one JSON object with its metadata in order`() throws {
        var handler = JSONLogHandler(label: "trinity", writer: .standardError)
        handler[metadataKey: "b"] = "from the logger"
        let event = LogEvent(
            level: .notice, message: "two\nlines", metadata: ["a": "1"], source: "", file: "", function: "", line: 0)
        let line = handler.line(event, time: Date(timeIntervalSince1970: 1.5))
        #expect(line.last == 0x0A && line.dropLast().allSatisfy { $0 != 0x0A })
        let object = try JSONValue(parsing: Array(line.dropLast()))
        #expect(
            object == [
                "time": "1970-01-01T00:00:01.500Z", "level": "notice", "logger": "trinity", "message": "two\nlines",
                "a": "1", "b": "from the logger",
            ])
    }
}
