import JSON
import Yams

/// The description of the API that the repository carries, `openapi.yaml`, compiled in.
enum OpenAPIDocument {
    static let yaml = PackageResources.openapi_yaml
    /// The same as JSON. Reading it takes a moment, at its first use.
    static let json = (try? value(of: String(decoding: yaml, as: UTF8.self)))?.serialized ?? []

    /// Reads it, so that nobody has to wait for that later.
    @concurrent static func prepare() async { _ = json }

    /// The value of a document in YAML; of its mappings, members are in the order of their names.
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
