import JSON
import Yams

/// The API description `openapi.yaml`, compiled in.
enum OpenAPIDocument {
    static let yaml = PackageResources.openapi_yaml
    /// The document as JSON. It is converted on first use, which takes a moment.
    static let json = (try? value(of: String(decoding: yaml, as: UTF8.self)))?.serialized ?? []

    /// Converts the document in advance, so that no request has to wait.
    @concurrent static func prepare() async { _ = json }

    /// The JSON value of a YAML document; members of mappings are sorted by name.
    static func value(of yaml: String) throws -> JSONValue {
        json(try Yams.load(yaml: yaml))
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
