import Foundation
import JSON
import Logging

/// Writes one JSON object per line: time, level, logger, message and the metadata.
struct JSONLogHandler: LogHandler {
    let label: String
    private let writer: LogWriter
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init(label: String, writer: LogWriter) {
        self.label = label
        self.writer = writer
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        writer.add(line(event, time: Date()))
    }

    /// The line with its newline, for a single write, so that lines of several threads do not mix.
    func line(_ event: LogEvent, time: Date) -> [UInt8] {
        var object: JSONObject = [
            "time": .string(time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
            "level": .string(event.level.rawValue), "logger": .string(label), "message": .string("\(event.message)"),
        ]
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { object[key] = .string("\(value)") }
        return JSONValue.object(object).serialized + [0x0A]
    }
}
