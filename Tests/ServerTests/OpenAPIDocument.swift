import Foundation
import JSON
import TestSupport

@testable import Server

extension OpenAPIDocument {
    /// The repository's `openapi.yaml`.
    static func load() throws -> JSONValue {
        try value(of: String(contentsOf: Fixtures.repository.appending(path: "openapi.yaml"), encoding: .utf8))
    }

    /// Every operation, such as `GET /v1/models`.
    static func operations(of document: JSONValue) -> [String] {
        (document["paths"]?.object ?? [:]).flatMap { path, item in
            (item.object ?? [:]).names.map { "\($0.uppercased()) \(path)" }
        }
    }
}
