import Foundation
import Text

/// A file of options: one JSON object, `{"port": 9000, "max-model-len": 4096}`, its keys the options' names without dashes
/// in front, its values texts, whole numbers or truth values, as the options take them.
enum ConfigurationFile {
    /// Bytes of the largest file that is read.
    private static let largest = 1 << 20

    /// - Throws: why the file or one of its keys cannot be used.
    static func read(_ path: String) throws(ConfigurationError) -> [ServerConfiguration.Option: String] {
        let bytes: [UInt8]
        do throws(RegularFile.Failure) { bytes = try RegularFile.read(path, atMost: largest) } catch {
            throw failure("cannot read '\(path)': \(error)")
        }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: bytes) } catch {
            throw failure("'\(path)': \(error)")
        }
        guard let object = value.object else { throw failure("'\(path)' must be one JSON object") }
        var options: [ServerConfiguration.Option: String] = [:]
        for (key, value) in object {
            guard let option = ServerConfiguration.Option.allCases.first(where: { $0.name == key }), option != .config
            else { throw failure("'\(path)': '\(key)' is no option of this server") }
            guard let text = text(value) else {
                throw failure("'\(path)': '\(key)' must be a text, a whole number, or true or false")
            }
            options[option] = text
        }
        return options
    }

    private static func text(_ value: JSONValue) -> String? {
        value.string ?? value.bool.map { String($0) } ?? value.integer.map { String($0) }
    }

    private static func failure(_ reason: String) -> ConfigurationError {
        ConfigurationError(option: .config, reason: reason)
    }
}
