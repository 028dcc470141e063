import Basics
import Foundation
import JSON

/// Reads the members of a JSON object and checks their bounds. A member that is absent or null takes its default.
package struct ConfigReader {
    private let json: JSONValue
    /// The names of the enclosing objects for error messages, such as `rope_scaling.`.
    private let prefix: String

    init(_ json: JSONValue, file: String) throws(ModelConfigError) {
        guard json.object != nil else { throw .unreadable(file: file, reason: "not a JSON object") }
        self.json = json
        prefix = ""
    }

    private init(_ json: JSONValue, prefix: String) {
        self.json = json
        self.prefix = prefix
    }

    /// The maximum size of a configuration in bytes; real ones have a few thousand bytes.
    private static let largestFile = 4 << 20

    /// Parses the file `name` in a model folder; `nil` if the file does not exist.
    package static func load(_ name: String, in directory: URL) throws(ModelConfigError) -> JSONValue? {
        let path = directory.appending(path: name).path
        let bytes: [UInt8]?
        do throws(RegularFile.Failure) {
            bytes = try RegularFile.readIfPresent(path, atMost: largestFile)
        } catch {
            throw .unreadable(file: path, reason: error.description)
        }
        guard let bytes else { return nil }
        do {
            return try JSONValue(parsing: bytes)
        } catch {
            throw .unreadable(file: path, reason: "\(error)")
        }
    }

    /// Returns the member's value; `nil` if it is absent or null.
    func value(_ key: String) -> JSONValue? {
        guard let value = json[key], !value.isNull else { return nil }
        return value
    }

    func integer(
        _ key: String, default fallback: Int, in bounds: ClosedRange<Int>
    ) throws(ModelConfigError) -> Int {
        guard let value = value(key) else {
            // A default may depend on other members and be outside the bounds.
            guard bounds.contains(fallback) else { throw outside(bounds, key, value: "\(fallback) by default") }
            return fallback
        }
        guard let number = value.integer, bounds.contains(number) else { throw outside(bounds, key) }
        return number
    }

    func number(
        _ key: String, default fallback: Double, _ expected: String, where isValid: (Double) -> Bool
    ) throws(ModelConfigError) -> Double {
        try optionalNumber(key, expected, where: isValid) ?? fallback
    }

    func optionalNumber(
        _ key: String, _ expected: String, where isValid: (Double) -> Bool
    ) throws(ModelConfigError) -> Double? {
        guard let value = value(key) else { return nil }
        guard let number = value.double, number.isFinite, isValid(number) else { throw invalid(key, expected) }
        return number
    }

    func bool(_ key: String, default fallback: Bool) throws(ModelConfigError) -> Bool {
        guard let value = value(key) else { return fallback }
        guard let bool = value.bool else { throw invalid(key, "true or false") }
        return bool
    }

    func string(_ key: String) throws(ModelConfigError) -> String? {
        guard let value = value(key) else { return nil }
        guard let string = value.string else { throw invalid(key, "a string") }
        return string
    }

    func array(_ key: String) throws(ModelConfigError) -> [JSONValue]? {
        guard let value = value(key) else { return nil }
        guard let array = value.array else { throw invalid(key, "an array") }
        return array
    }

    func object(_ key: String) throws(ModelConfigError) -> ConfigReader? {
        guard let value = value(key) else { return nil }
        guard value.object != nil else { throw invalid(key, "an object") }
        return ConfigReader(value, prefix: "\(prefix)\(key).")
    }

    /// The name of each member and a reader of its value, in order.
    var members: [(name: String, reader: ConfigReader)] {
        guard let object = json.object else { return [] }
        return object.map { (name: $0.name, reader: ConfigReader($0.value, prefix: "\(prefix)\($0.name).")) }
    }

    /// Returns the token id in a member.
    func tokenID(_ key: String) throws(ModelConfigError) -> Int32? {
        guard let value = value(key) else { return nil }
        return try tokenID(value, of: key)
    }

    /// Returns the token ids in a member, which is a list or a single id.
    func tokenIDs(_ key: String) throws(ModelConfigError) -> [Int32]? {
        guard let value = value(key) else { return nil }
        var ids: [Int32] = []
        for element in value.array ?? [value] { ids.append(try tokenID(element, of: key)) }
        return ids
    }

    private func tokenID(_ value: JSONValue, of key: String) throws(ModelConfigError) -> Int32 {
        guard let id = value.integer.flatMap(Int32.init(exactly:)), id >= 0 else {
            throw invalid(key, "token ids in 0...\(Int32.max)")
        }
        return id
    }

    private func outside(_ bounds: ClosedRange<Int>, _ key: String, value: String? = nil) -> ModelConfigError {
        invalid(key, "an integer in \(bounds.lowerBound)...\(bounds.upperBound)", value: value)
    }

    func invalid(_ key: String, _ expected: String, value: String? = nil) -> ModelConfigError {
        .invalid(key: prefix + key, value: value ?? text(key), expected: expected)
    }

    func unsupported(_ key: String, supported: String) -> ModelConfigError {
        .unsupported(key: prefix + key, value: text(key), supported: supported)
    }

    /// Returns the member as JSON, cut to 80 characters.
    private func text(_ key: String) -> String {
        guard let value = json[key] else { return "missing" }
        return String(String(decoding: value.serialized, as: UTF8.self).prefix(80))
    }
}
