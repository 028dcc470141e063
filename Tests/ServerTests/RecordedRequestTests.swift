import Engine
import Foundation
import JSON
import TestSupport
import Testing

@testable import Server

/// The results of reading requests with tools, formats and parts, compared with `Tests/Fixtures/requests`. After an intended
/// change, record them with `RECORD_REPLIES=1`, as in ``RecordedReplyTests``.
@Suite struct RecordedRequestTests {
    @Test(arguments: [("chat", Endpoint.chat), ("messages", .messages), ("responses", .responses)])
    func `requests are read and refused as recorded`(name: String, endpoint: Endpoint) throws {
        let folder = Fixtures.root.appending(path: "requests")
        let bodies = try Fixtures.json("requests/\(name).json").array ?? []
        var record = ""
        for body in bodies {
            record += String(decoding: body.serialized, as: UTF8.self) + "\n    " + outcome(endpoint, body) + "\n"
        }
        let file = folder.appending(path: "\(name).txt")
        if ProcessInfo.processInfo.environment["RECORD_REPLIES"] == "1" { try Data(record.utf8).write(to: file) }
        #expect(try record == String(contentsOf: file, encoding: .utf8))
    }

    /// The error, or the template's variables and the engine's parameters.
    private func outcome(_ endpoint: Endpoint, _ body: JSONValue) -> String {
        var object = body.object ?? [:]
        if object["messages"] == nil, endpoint != .responses {
            object["messages"] = [["role": "user", "content": "q"]]
        }
        if object["input"] == nil, endpoint == .responses { object["input"] = "q" }
        if object["max_tokens"] == nil, endpoint == .messages { object["max_tokens"] = 5 }
        do throws(APIError) {
            let request =
                switch endpoint {
                case .messages:
                    try ChatCompletionRequest(MessagesRequest.translate(.object(object), for: .sample), for: .sample)
                case .responses:
                    try ChatCompletionRequest(ResponsesRequest.translate(.object(object), for: .sample), for: .sample)
                default: try ChatCompletionRequest(.object(object), for: .sample)
                }
            var read = request.templateVariables(specialTokens: [:])
            read["must_call"] = .bool(request.mustCall)
            read["named_tool"] = request.namedTool.map(JSONValue.string) ?? .null
            read["parallel"] = .bool(request.callsInParallel)
            read["reasoning"] = .bool(request.includesReasoning)
            let output = request.options.structuredOutput
            read["output_param"] = output.map { .string($0.param) } ?? .null
            if case .jsonSchema(let schema) = output?.source { read["schema"] = schema }
            return String(decoding: JSONValue.object(read).serialized, as: UTF8.self)
        } catch {
            return String(decoding: error.json.serialized, as: UTF8.self)
        }
    }
}
