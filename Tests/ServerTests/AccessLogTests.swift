import JSON
import Logging
import Synchronization
import Testing

@testable import Server

/// The lines of the access log.
@Suite struct AccessLogTests {
    @Test func `the line of a stream that ends with an error names the error`() async throws {
        let log = RecordingLog()
        let server = try await TestServer.start(logger: Logger(label: "test") { _ in log })
        // On a busy machine a short time may pass before the first token.
        var timeout = 0.1
        var status = 0
        repeat {
            timeout *= 2
            let body: JSONValue = [
                "prompt": [1, 2, 3], "ignore_eos": true, "max_tokens": 1500, "n": 8, "stream": true,
                "timeout": .double(timeout),
            ]
            status = try await server.post("/v1/completions", body).status
        } while status != 200 && timeout < 60
        _ = try await server.post("/v1/completions", ["prompt": [1], "max_tokens": 1, "temperature": 9])
        _ = try await server.post("/v1/completions", ["prompt": [1], "max_tokens": 1, "stream": true])
        await server.stop()
        let lines = log.requests.suffix(3).map { line in ["status", "error", "param"].map { line[$0]?.description } }
        #expect(
            lines == [
                ["200", "deadline_exceeded", nil], ["400", "invalid_value", "temperature"], ["200", nil, nil],
            ])
    }
}

/// Keeps the fields of the lines about requests.
private struct RecordingLog: LogHandler {
    private final class Lines: Sendable {
        let all = Mutex<[Logger.Metadata]>([])
    }

    private let recorded = Lines()
    var requests: [Logger.Metadata] { recorded.all.withLock { $0 } }
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard let fields = event.metadata, fields["outcome"] != nil else { return }
        recorded.all.withLock { $0.append(fields) }
    }
}
