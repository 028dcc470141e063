import Configuration
import Foundation

/// Reads one option at a time as text and checks it, so that a bad value is an error and never a silent default.
struct OptionReader {
    /// Where an option is given.
    enum Source: String {
        case flag, environment, file
    }

    private let reader: ConfigReader
    /// What is given, and where it was read.
    let sources: [ServerConfiguration.Option: (text: String, source: Source)]

    /// - Throws: what is wrong with the file that `--config` names.
    init(flags: [ServerConfiguration.Option: String], environment: [String: String]) throws(ConfigurationError) {
        let flagProvider = Self.provider("flags", flags)
        let variables = EnvironmentVariablesProvider(environmentVariables: environment)
        var file: [ServerConfiguration.Option: String] = [:]
        let first = ConfigReader(providers: [flagProvider, variables])
        if let path = first.string(forKey: ServerConfiguration.Option.config.key) {
            file = try ConfigurationFile.read(path)
        }
        reader = ConfigReader(providers: [flagProvider, variables, Self.provider("file", file)])
        var sources: [ServerConfiguration.Option: (text: String, source: Source)] = [:]
        for option in ServerConfiguration.Option.allCases {
            guard let text = reader.string(forKey: option.key) else { continue }
            let source: Source =
                flags[option] != nil ? .flag : environment[option.variable] != nil ? .environment : .file
            sources[option] = (text, source)
        }
        self.sources = sources
    }

    private static func provider(_ name: String, _ values: [ServerConfiguration.Option: String]) -> InMemoryProvider {
        let values = values.map {
            (AbsoluteConfigKey($0.key.key), ConfigValue(.string($0.value), isSecret: $0.key.isSecret))
        }
        return InMemoryProvider(name: name, values: Dictionary(uniqueKeysWithValues: values))
    }

    func text(_ option: ServerConfiguration.Option) -> String? {
        sources[option]?.text
    }

    func integer(_ option: ServerConfiguration.Option, in bounds: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        guard let text = text(option) else { return nil }
        guard let value = Int(text), bounds.contains(value) else {
            throw ConfigurationError(
                option: option,
                reason: "must be a whole number from \(bounds.lowerBound) to \(bounds.upperBound); got '\(text)'")
        }
        return value
    }

    func bool(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Bool? {
        guard let text = text(option) else { return nil }
        guard let value = Bool(text) else {
            throw ConfigurationError(option: option, reason: "must be true or false; got '\(text)'")
        }
        return value
    }

    /// Bytes: a whole number, or one with a binary unit as in "512MiB", "4GB", "2g".
    func size(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Int? {
        guard let text = text(option) else { return nil }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).lowercased()
        let shifts = [
            "": 0, "b": 0, "k": 10, "kb": 10, "kib": 10, "m": 20, "mb": 20, "mib": 20, "g": 30, "gb": 30, "gib": 30,
            "t": 40, "tb": 40, "tib": 40,
        ]
        guard let number = Int(digits), number > 0, let shift = shifts[unit], number <= Int.max >> shift else {
            throw ConfigurationError(option: option, reason: "must be a size such as 512MiB or 4GiB; got '\(text)'")
        }
        return number << shift
    }

    /// A number with a unit as in "200ms", "1.5s", "2m".
    func duration(_ option: ServerConfiguration.Option, atMost longest: Duration) throws(ConfigurationError)
        -> Duration?
    {
        guard let text = text(option) else { return nil }
        let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let units = ["ms": 0.001, "s": 1, "m": 60]
        guard let number = Double(digits), let unit = units[String(text.dropFirst(digits.count))],
            number * unit <= longest / .seconds(1),
            // A time below the clock's resolution is none: a timer of zero would never rest.
            case let duration = Duration.seconds(number * unit), duration > .zero
        else {
            throw ConfigurationError(
                option: option,
                reason: "must be a time such as 200ms, 1.5s or 2m, of at most \(longest), or off; got '\(text)'")
        }
        return duration
    }

    /// `nil` when the option is "off", the default when it is not given.
    func unlessOff<Value>(
        _ option: ServerConfiguration.Option, _ value: Value?, read: () throws(ConfigurationError) -> Value?
    ) throws(ConfigurationError) -> Value? {
        text(option) == "off" ? nil : try read() ?? value
    }

    func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ option: ServerConfiguration.Option
    ) throws(ConfigurationError) -> Value? {
        guard let text = text(option) else { return nil }
        guard let value = Value(rawValue: text) else {
            let choices = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw ConfigurationError(option: option, reason: "must be one of \(choices); got '\(text)'")
        }
        return value
    }
}
