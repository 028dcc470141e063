/// Why a model's configuration cannot be used; each case names the key, its value, and the supported values.
public enum ModelConfigError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A file is missing, or is not a JSON object.
    case unreadable(file: String, reason: String)
    /// A value is outside its bound.
    case invalid(key: String, value: String, expected: String)
    /// A valid setting that this server does not support.
    case unsupported(key: String, value: String, supported: String)
    /// A quantization format that this server does not read.
    case unsupportedQuantization(name: String, supported: String)

    public var description: String {
        switch self {
        case .unreadable(let file, let reason): "cannot read \(file): \(reason)"
        case .invalid(let key, let value, let expected): "\(key) is \(value), expected \(expected)"
        case .unsupported(let key, let value, let supported):
            "\(key) is \(value), which is not supported (supported: \(supported))"
        case .unsupportedQuantization(let name, let supported):
            "quantization '\(name)' is not supported (supported: \(supported))"
        }
    }
}
