import Foundation
import JSON
import TestSupport
import Yams

/// The repository's `openapi.yaml` as a JSON value.
enum OpenAPIDocument {
    static func load() throws -> JSONValue {
        let text = try String(contentsOf: Fixtures.repository.appending(path: "openapi.yaml"), encoding: .utf8)
        return json(try Yams.load(yaml: text))
    }

    /// Every operation, such as `GET /v1/models`.
    static func operations(of document: JSONValue) -> [String] {
        (document["paths"]?.object ?? [:]).flatMap { path, item in
            (item.object ?? [:]).names.map { "\($0.uppercased()) \(path)" }
        }
    }

    private static func json(_ value: Any?) -> JSONValue {
        switch value {
        case let value as Bool: .bool(value)
        case let value as Int: .integer(value)
        case let value as Double: .double(value)
        case let value as String: .string(value)
        case let value as [Any]: .array(value.map(json))
        case let value as [String: Any]:
            .object(value.sorted { $0.key < $1.key }.reduce(into: [:]) { $0[$1.key] = json($1.value) })
        default: .null
        }
    }
}
