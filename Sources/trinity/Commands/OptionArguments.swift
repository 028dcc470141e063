import ArgumentParser
import Server

/// The options of a group of arguments.
protocol OptionList {
    static var options: [ServerConfiguration.Option] { get }
}

/// Options from the server's table as arguments. Each name of an option has its own argument, so that the used name is known.
///
/// ArgumentParser finds arguments by reflection. Therefore the mirror of this type has a child for each name.
struct OptionArguments<List: OptionList>: ParsableArguments, CustomReflectable {
    /// The given options. ``ServerConfiguration`` checks the values from all sources.
    private(set) var given: [GivenOption] = []

    init() {}

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Name.self)
        for option in List.options {
            for name in option.names {
                let flag = "--" + name
                if Self.isSwitch(option, name) {
                    guard let value = try values.decode(Flag<Bool?>.self, forKey: Name(name)).wrappedValue else {
                        continue
                    }
                    given.append(GivenOption(option, as: flag, String(value)))
                } else {
                    given += try values.decode(ArgumentParser.Option<[String]>.self, forKey: Name(name)).wrappedValue
                        .map { GivenOption(option, as: flag, $0) }
                }
            }
        }
    }

    var customMirror: Mirror {
        let children = List.options.flatMap { option in
            option.names.map { (label: String?.some($0), value: Self.argument(option, $0)) }
        }
        return Mirror(self, children: children, displayStyle: .struct)
    }

    /// Returns whether the argument is a flag. An earlier name of a switch takes a value instead, "on" or "off".
    private static func isSwitch(_ option: ServerConfiguration.Option, _ name: String) -> Bool {
        guard case .switch = option.entry.kind else { return false }
        return name == option.name
    }

    private static func argument(_ option: ServerConfiguration.Option, _ name: String) -> Any {
        let help: ArgumentHelp =
            name == option.name
            ? ArgumentHelp("\(option.entry.plainHelp)", valueName: option.entry.valueName) : .private
        if isSwitch(option, name) {
            return Flag<Bool?>(
                name: .customLong(name), inversion: .prefixedNo, exclusivity: .exclusive, help: help)
        }
        return ArgumentParser.Option<[String]>(
            wrappedValue: [], name: .customLong(name), parsing: .unconditionalSingleValue, help: help,
            completion: completion(option.entry.kind))
    }

    private static func completion(_ kind: OptionEntry.Kind) -> CompletionKind {
        switch kind {
        case .choice(let choices): .list(choices)
        case .file: .file()
        case .folder: .directory
        case .text, .names, .integer, .size, .time, .switch: .default
        }
    }

    /// The name of an option, as a coding key.
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(_ name: String) { stringValue = name }

        init?(stringValue: String) { self.init(stringValue) }

        init?(intValue: Int) { nil }
    }
}
