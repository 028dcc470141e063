import Foundation
import JSON
import Logging
import TestSupport
import Testing

@testable import Server

/// The whole server, in this process, on a port that the system chooses.
struct TestServer {
    let application: Application

    /// Starts a server and waits for its model.
    static func start(
        model: URL = Fixtures.chatModel, logger: Logger? = nil,
        _ change: (inout ServerConfiguration) -> Void = { _ in }
    ) async throws -> TestServer {
        let server = try await startWithoutWaiting(model: model, logger: logger, change)
        try await server.application.waitUntilReady()
        return server
    }

    static func startWithoutWaiting(
        model: URL = Fixtures.chatModel, logger: Logger? = nil,
        _ change: (inout ServerConfiguration) -> Void = { _ in }
    ) async throws -> TestServer {
        var configuration = try ServerConfiguration(flags: [.model: model.path, .port: "0"], environment: [:])
        // Tests share two cores: threads must neither spin nor be pinned.
        configuration.engine.pinsThreads = false
        configuration.engine.threads = 2
        // The references are results of exact arithmetic.
        configuration.engine.compute = .exact
        change(&configuration)
        var errors = Logger(label: "test")
        errors.logLevel = .error
        return TestServer(application: try await Application(configuration, logger: logger ?? errors))
    }

    func stop() async {
        do { try await application.drain() } catch { Issue.record("\(error)") }
    }

    var url: String { "http://127.0.0.1:\(application.address.port)" }

    func get(_ path: String, method: String = "GET") async throws -> CurlResponse {
        try await CurlClient.send(CurlRequest(url: url + path, method: method))
    }

    func post(
        _ path: String, _ body: JSONValue, headers: [String] = [], leavesAfterBytes: Int? = nil
    ) async throws -> CurlResponse {
        try await CurlClient.send(
            CurlRequest(
                url: url + path, method: "POST", headers: ["Content-Type: application/json"] + headers,
                body: String(decoding: body.serialized, as: UTF8.self), leavesAfterBytes: leavesAfterBytes))
    }

    /// The value of the first sample of `name` whose labels contain `label`.
    func metric(_ name: String, label: String = "") async throws -> Double? {
        let text = try await get("/metrics").body
        let line = text.split(separator: "\n").first {
            ($0.hasPrefix(name + "{") || $0.hasPrefix(name + " ")) && (label.isEmpty || $0.contains(label))
        }
        return line?.split(separator: " ").last.flatMap { Double($0) }
    }
}

extension CurlResponse {
    var json: JSONValue {
        (try? JSONValue(parsing: body)) ?? .null
    }

    /// The JSON of each event but the last, `[DONE]`.
    var chunks: [JSONValue] {
        events.filter { $0 != "[DONE]" }.map { (try? JSONValue(parsing: $0)) ?? .null }
    }

    /// The text of choice `index` in a stream of either endpoint.
    func streamedText(_ index: Int = 0) -> String {
        chunks.flatMap { $0["choices"]?.array ?? [] }
            .filter { $0["index"]?.integer == index }
            .map { $0["text"]?.string ?? $0["delta"]?["content"]?.string ?? "" }
            .joined()
    }
}
