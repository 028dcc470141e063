import Basics

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

    /// One line; what comes from a file is printable.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason): "cannot read \(file): \(reason.printable())"
        case .invalid(let key, let value, let expected):
            "\(key.printable()) is \(value.printable()), expected \(expected.printable(atMost: 1000))"
        case .unsupported(let key, let value, let supported):
            "\(key.printable()) is \(value.printable()), which is not supported (supported: \(supported.printable(atMost: 1000)))"
        case .unsupportedQuantization(let name, let supported):
            "quantization '\(name.printable())' is not supported (supported: \(supported.printable(atMost: 1000)))"
        }
    }
}
