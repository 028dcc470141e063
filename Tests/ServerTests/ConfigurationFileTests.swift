import Foundation
import Testing

@testable import Server

/// Options from a file, and the output of `trinity config`.
@Suite struct ConfigurationFileTests {
    private func read(
        _ text: String, flags: [ServerConfiguration.Option: String] = [:], environment: [String: String] = [:]
    ) throws -> ServerConfiguration {
        let file = FileManager.default.temporaryDirectory.appending(path: "config-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(text.utf8).write(to: file)
        return try ServerConfiguration(
            flags: flags, environment: environment.merging(["TRINITY_CONFIG": file.path]) { $1 })
    }

    @Test func `a flag overrides the environment, which overrides the file`() throws {
        let text = #"{"port": 1, "host": "file", "max-model-len": 3, "trust-user-content": true}"#
        let configuration = try read(
            text, flags: [.port: "9"], environment: ["TRINITY_PORT": "8", "TRINITY_HOST": "environment"])
        #expect(configuration.port == 9 && configuration.host == "environment")
        #expect(configuration.engine.maxModelLength == 3 && configuration.trustsUserContent)
        let rows = configuration.table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        for row in [
            ["port", "9", "flag"], ["host", "environment", "environment"], ["max-model-len", "3", "file"],
            ["max-num-seqs", "64", "default"], ["max-inter-token-latency", "auto", "default"],
            ["ssl-certfile", "-", "default"],
        ] { #expect(rows.contains(row), "\(row)") }
        #expect(rows.count == ServerConfiguration.Option.allCases.count)
    }

    @Test func `a file may have the format of a Windows editor, and names may be an array`() throws {
        let configuration = try read("\u{FEFF}{\r\n\"port\": 1,\r\n\"served-model-name\": [\"a\", \"b\"]}\r\n")
        #expect(configuration.port == 1 && configuration.servedModelNames == ["a", "b"])
        #expect(throws: ConfigurationError.self) { try read(#"{"served-model-name": ["a", 1]}"#) }
    }

    @Test(
        arguments: [
            ("[]", "must be one JSON object"), (#"{"prot": 1}"#, "unknown option 'prot'"),
            (#"{"port": [1]}"#, "'port' must be a string, an integer or a boolean"),
            (#"{"config": "x"}"#, "unknown option 'config'"),
            (#"{"port""#, "byte 7"), (#"{"port": 1.5}"#, "'port' must be a string, an integer or a boolean"),
        ])
    func `an invalid file is refused with the key`(text: String, reason: String) {
        let error = #expect(throws: ConfigurationError.self) { try read(text) }
        #expect(error?.option == .config && error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func `a bad value in the file is refused like a flag's`() {
        let error = #expect(throws: ConfigurationError.self) { try read(#"{"port": 70000}"#) }
        #expect(
            error == ConfigurationError(option: .port, reason: "must be a whole number from 0 to 65535; got '70000'"))
    }

    @Test func `the printed configuration is a file with the same options, without secrets`() throws {
        let flags: [ServerConfiguration.Option: String] = [
            .apiKey: "very-secret", .port: "9000", .maxQueueWait: "off", .trustUserContent: "true",
        ]
        let configuration = try ServerConfiguration(flags: flags, environment: [:])
        #expect(!configuration.fileText.contains("very-secret") && !configuration.table.contains("very-secret"))
        let again = try read(configuration.fileText)
        #expect(again.port == 9000 && again.queueBounds.wait == nil && again.trustsUserContent && again.apiKeys.isEmpty)
    }

    @Test func `a missing file is an error`() {
        #expect(throws: ConfigurationError.self) {
            try ServerConfiguration(flags: [.config: "/nowhere.json"], environment: [:])
        }
    }
}
