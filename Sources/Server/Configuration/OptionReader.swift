import Foundation

/// Finds and checks the value of each option. An invalid value is an error, never a silent default.
struct OptionReader {
    /// Where an option was given.
    enum Source: String {
        case flag, environment, file
    }

    /// The given values and their sources.
    private(set) var sources: [ServerConfiguration.Option: (text: String, source: Source)] = [:]

    /// Collects the given values. A flag overrides the environment, which overrides the file named by `--config`.
    ///
    /// - Throws: the error of that file, or options that are given twice in one source.
    init(flags: [GivenOption], environment: [String: String]) throws(ConfigurationError) {
        try add(flags, from: .flag)
        let variables = ServerConfiguration.Option.allCases.flatMap { option in
            option.names.map(ServerConfiguration.Option.variable).compactMap { name in
                environment[name].map { GivenOption(option, as: name, $0) }
            }
        }
        try add(variables, from: .environment)
        if let path = sources[.config]?.text { try add(ConfigurationFile.read(path), from: .file) }
    }

    private mutating func add(_ given: [GivenOption], from source: Source) throws(ConfigurationError) {
        var found: [ServerConfiguration.Option: GivenOption] = [:]
        for value in given.map(Self.normalized) {
            if case .names = value.option.entry.kind, let other = found[value.option], other.name == value.name {
                found[value.option] = GivenOption(value.option, as: value.name, other.text + "," + value.text)
                continue
            }
            // Earlier names of switches take a value, so one without a value would consume the next flag.
            if case .switch = value.option.entry.kind, value.text.hasPrefix("--") {
                throw ConfigurationError(
                    option: value.option,
                    reason: "\(value.name) needs a value, on or off, before '\(value.text)'")
            }
            if let other = found.updateValue(value, forKey: value.option), other != value {
                throw Self.conflict(other, value)
            }
        }
        for (option, value) in found where sources[option] == nil { sources[option] = (value.text, source) }
    }

    /// Switches were formerly "on" or "off", and are now true or false.
    private static func normalized(_ given: GivenOption) -> GivenOption {
        guard case .switch = given.option.entry.kind, let text = ["on": "true", "off": "false"][given.text] else {
            return given
        }
        return GivenOption(given.option, as: given.name, text)
    }

    private static func conflict(_ first: GivenOption, _ second: GivenOption) -> ConfigurationError {
        let option = first.option
        if first.name != second.name {
            return ConfigurationError(
                option: option, reason: "\(first.name) and \(second.name) are the same option; give one of them")
        }
        let values = option.entry.isSecret ? "different values" : "'\(first.text)' and '\(second.text)'"
        return ConfigurationError(option: option, reason: "\(first.name) is given twice, with \(values)")
    }

    /// Returns the text of an option or of its default; `nil` if there is neither.
    func optionalText(_ option: ServerConfiguration.Option) -> String? {
        if let text = sources[option]?.text { return text }
        guard case .value(let text) = option.entry.standard else { return nil }
        return text
    }

    /// Returns the value, or `nil` if it is off, or not given and without a default.
    func optionalInteger(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Int? {
        guard case .integer(let bounds, let canBeOff) = option.entry.kind else { Self.fail(option) }
        guard let text = optionalText(option), !(canBeOff && text == "off") else { return nil }
        guard let value = Int(text), bounds.contains(value) else {
            let range = "a whole number from \(bounds.lowerBound) to \(bounds.upperBound)"
            throw ConfigurationError(
                option: option, reason: "must be \(range)\(canBeOff ? ", or off" : ""); got '\(text)'")
        }
        return value
    }

    /// `nil`: not given and without a default.
    func optionalSize(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Int? {
        guard let text = optionalText(option) else { return nil }
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

    /// Returns the time, or `nil` if it is off. The value must not be "auto": see ``isAuto(_:)``.
    func time(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Duration? {
        guard case .time(let longest, let canBeAuto) = option.entry.kind else { Self.fail(option) }
        let text = text(option)
        if text == "off" { return nil }
        let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let units = ["ms": 0.001, "s": 1, "m": 60, "h": 3600]
        guard let number = Double(digits), let unit = units[String(text.dropFirst(digits.count))],
            number * unit <= longest / .seconds(1),
            // A time below the clock's resolution is rejected: a timer of zero would fire continuously.
            case let duration = Duration.seconds(number * unit), duration > .zero
        else {
            throw ConfigurationError(
                option: option,
                reason: """
                    must be a time such as 200ms, 1.5s or 2m, of at most \(Int(longest / .seconds(3600)))h, \
                    \(canBeAuto ? "or auto " : "")or off; got '\(text)'
                    """)
        }
        return duration
    }

    /// Whether the value is "auto": the server then chooses one.
    func isAuto(_ option: ServerConfiguration.Option) -> Bool {
        guard case .time(_, canBeAuto: true) = option.entry.kind else { Self.fail(option) }
        return text(option) == "auto"
    }

    func bool(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Bool {
        guard case .switch = option.entry.kind else { Self.fail(option) }
        guard let value = Bool(text(option)) else {
            throw ConfigurationError(option: option, reason: "must be true or false; got '\(text(option))'")
        }
        return value
    }

    /// `nil`: not given and without a default.
    func optionalChoice<Value: RawRepresentable<String>>(
        _ option: ServerConfiguration.Option
    ) throws(ConfigurationError) -> Value? {
        guard case .choice(let choices) = option.entry.kind else { Self.fail(option) }
        guard let text = optionalText(option) else { return nil }
        guard choices.contains(text), let value = Value(rawValue: text) else {
            throw ConfigurationError(
                option: option, reason: "must be one of \(choices.joined(separator: ", ")); got '\(text)'")
        }
        return value
    }
}

/// Options with a default always have a value.
extension OptionReader {
    func text(_ option: ServerConfiguration.Option) -> String {
        Self.required(option, optionalText(option))
    }

    func integer(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Int {
        Self.required(option, try optionalInteger(option))
    }

    func size(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Int {
        Self.required(option, try optionalSize(option))
    }

    func choice<Value: RawRepresentable<String>>(
        _ option: ServerConfiguration.Option
    ) throws(ConfigurationError) -> Value {
        Self.required(option, try optionalChoice(option))
    }

    private static func required<Value>(_ option: ServerConfiguration.Option, _ value: Value?) -> Value {
        guard let value else { fail(option) }
        return value
    }

    private static func fail(_ option: ServerConfiguration.Option) -> Never {
        preconditionFailure("\(option.flag) is read as the kind that the table says, and as optional without a default")
    }
}
