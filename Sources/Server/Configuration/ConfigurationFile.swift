import Basics
import Foundation
import JSON

/// A file of options: one JSON object, `{"port": 9000, "max-model-len": 4096}`. Keys are names of options. Values are strings,
/// integers or booleans; an option that is a list of names may be an array of strings.
enum ConfigurationFile {
    /// The maximum size of the file in bytes.
    private static let largest = 1 << 20

    /// - Throws: why the file or one of its keys cannot be used.
    static func read(_ path: String) throws(ConfigurationError) -> [GivenOption] {
        let bytes: [UInt8]
        do throws(RegularFile.Failure) { bytes = try RegularFile.read(path, atMost: largest) } catch {
            throw failure("cannot read '\(path)': \(error)")
        }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes.withoutByteOrderMark, limits: JSONLimits(refusesRepeatedNames: true))
        } catch {
            throw failure("'\(path)': \(error)")
        }
        guard let object = value.object else { throw failure("'\(path)' must be one JSON object") }
        var options: [GivenOption] = []
        for (key, value) in object {
            guard let option = ServerConfiguration.Option(named: key), option != .config else {
                throw failure("'\(path)': unknown option '\(key)'")
            }
            guard let text = text(value, of: option) else {
                throw failure("'\(path)': '\(key)' must be a string, an integer or a boolean")
            }
            options.append(GivenOption(option, as: "'\(key)' in '\(path)'", text))
        }
        return options
    }

    private static func text(_ value: JSONValue, of option: ServerConfiguration.Option) -> String? {
        if case .names = option.entry.kind, let names = value.array?.map(\.string), names.allSatisfy({ $0 != nil }) {
            return names.compactMap(\.self).joined(separator: ",")
        }
        return value.string ?? value.bool.map { String($0) } ?? value.integer.map { String($0) }
    }

    private static func failure(_ reason: String) -> ConfigurationError {
        ConfigurationError(option: .config, reason: reason)
    }
}
