import Foundation
import TestSupport
import Testing

@testable import Server
@testable import trinity

/// Names of options and their earlier names, on the command line, in the environment and in a file.
@Suite struct OptionNameTests {
    typealias Option = ServerConfiguration.Option

    /// A name of an option, with a value other than the default.
    struct Given: CustomTestStringConvertible, Sendable {
        let option: Option
        let name: String
        let value: String
        var testDescription: String { name }

        var isSwitch: Bool {
            if case .switch = option.entry.kind { true } else { false }
        }
    }

    /// Every name of every option.
    static let names: [Given] = Option.allCases.flatMap { option in
        option.names.map { Given(option: option, name: $0, value: value(option, $0)) }
    }

    private static func value(_ option: Option, _ name: String) -> String {
        switch option.entry.kind {
        case .text: option == .allowedOrigins ? "https://a.example" : "other"
        case .names: "one,two"
        case .folder: "/models/other"
        case .file: "/nowhere"
        case .integer(let bounds, _): String(min(bounds.upperBound, 63))
        case .size: "1GiB"
        case .time: "9s"
        case .choice(let choices): choices[choices.count - 1]
        case .switch: switchValue(option, name)
        }
    }

    /// Earlier names of switches had the values "on" and "off".
    private static func switchValue(_ option: Option, _ name: String) -> String {
        guard case .value(let standard) = option.entry.standard else { return "" }
        let isOn = standard == "false"
        return name == option.name ? String(isOn) : isOn ? "on" : "off"
    }

    /// The text of the option in `reader`, and its source.
    private func check(_ reader: OptionReader, _ given: Given, _ source: OptionReader.Source) throws {
        let found = try #require(reader.sources[given.option])
        let text = given.isSwitch ? ["on": "true", "off": "false"][given.value] ?? given.value : given.value
        #expect(found.text == text && found.source == source)
        #expect(reader.sources.keys.allSatisfy { $0 == given.option || $0 == .config })
    }

    @Test(arguments: names)
    func `every name works on the command line`(given: Given) throws {
        var arguments = ["--" + given.name, given.value]
        if given.isSwitch, given.name == given.option.name {
            arguments = [given.value == "true" ? "--" + given.name : "--no-" + given.name]
        }
        let flags = try ServerOptions.parse(arguments).given
        #expect(flags == [GivenOption(given.option, as: "--" + given.name, given.value)])
        // The file of options is read.
        if given.option != .config { try check(OptionReader(flags: flags, environment: [:]), given, .flag) }
    }

    @Test(arguments: names.filter { $0.option != .config })
    func `every name works in the environment`(given: Given) throws {
        let environment = ["TRINITY_" + given.name.uppercased().replacing("-", with: "_"): given.value]
        try check(OptionReader(flags: [], environment: environment), given, .environment)
    }

    @Test(arguments: names.filter { $0.option != .config })
    func `every name works in a file`(given: Given) throws {
        try withFile(#"{"\#(given.name)": "\#(given.value)"}"#) { path in
            try check(OptionReader(flags: [], environment: ["TRINITY_CONFIG": path]), given, .file)
        }
    }

    @Test func `names are distinct`() {
        #expect(Set(Self.names.map(\.name)).count == Self.names.count)
        #expect(Self.names.count > Option.allCases.count + 10)
    }

    @Test(arguments: names.filter { $0.name != $0.option.name })
    func `an option under two names is an error with both`(given: Given) throws {
        let (option, name) = (given.option, given.name)
        let value = Self.value(option, option.name)
        try expectConflict(option, ["--" + option.name, "--" + name]) {
            let flags = [
                GivenOption(option, as: option.flag, value), GivenOption(option, as: "--" + name, given.value),
            ]
            _ = try OptionReader(flags: flags, environment: [:])
        }
        let earlier = Option.variable(name)
        try expectConflict(option, [option.variable, earlier]) {
            _ = try OptionReader(flags: [], environment: [option.variable: value, earlier: given.value])
        }
        try withFile(#"{"\#(option.name)": "\#(value)", "\#(name)": "\#(given.value)"}"#) { path in
            try expectConflict(option, ["'\(option.name)'", "'\(name)'"]) {
                _ = try OptionReader(flags: [], environment: ["TRINITY_CONFIG": path])
            }
        }
    }

    @Test func `an option with two values is an error with both`() throws {
        let flags = try ServerOptions.parse(["--port", "1", "--port", "2"]).given
        try expectConflict(.port, ["--port is given twice", "'1'", "'2'"]) {
            _ = try OptionReader(flags: flags, environment: [:])
        }
        try withFile(#"{"port": 1, "host": "a", "port": 2}"#) { path in
            try expectConflict(.config, ["'port' twice"]) {
                _ = try OptionReader(flags: [], environment: ["TRINITY_CONFIG": path])
            }
        }
        let twice = try ServerOptions.parse(["--port", "1", "--port=1"]).given
        #expect(try OptionReader(flags: twice, environment: [:]).text(.port) == "1")
    }

    @Test func `a switch that is on and off is an error with both flags`() throws {
        #expect {
            try ServerOptions.parse(["--web-ui", "--no-web-ui"])
        } throws: {
            let message = ServerOptions.message(for: $0)
            return message.contains("'--web-ui'") && message.contains("'--no-web-ui'")
        }
        #expect(try ServerOptions.parse(["--web-ui", "--web-ui"]).given.map(\.text) == ["true"])
    }

    @Test func `a value may begin with a dash`() throws {
        #expect(try ServerOptions.parse(["--api-key", "--port", "--port=-1"]).given.map(\.text) == ["-1", "--port"])
    }

    @Test func `an earlier name of a switch does not take another flag as its value`() throws {
        let flags = try ServerOptions.parse(["--web-page", "--no-web-ui"]).given
        try expectConflict(.webUi, ["--web-page needs a value", "'--no-web-ui'"]) {
            _ = try OptionReader(flags: flags, environment: [:])
        }
    }

    @Test func `an error contains no secret`() throws {
        let flags = try ServerOptions.parse(["--api-key", "first-secret", "--api-key", "second-secret"]).given
        let error = #expect(throws: ConfigurationError.self) { try OptionReader(flags: flags, environment: [:]) }
        #expect(error?.description.contains("secret") == false)
    }

    @Test func `another source may use another name`() throws {
        let flags = try ServerOptions.parse(["--max-sequences", "3"]).given
        let configuration = try ServerConfiguration(flags: flags, environment: ["TRINITY_MAX_NUM_SEQS": "5"])
        #expect(configuration.engine.maxSequences == 3 && configuration.unknownVariables.isEmpty)
    }

    @Test func `help and completions have only current names`() {
        let help = Serve.helpMessage(columns: 1000)
        let all = Serve.helpMessage(includeHidden: true, columns: 1000) + Serve.completionScript(for: .bash)
        let words = Set(help.split { " \n,/".contains($0) })
        for option in Option.allCases {
            #expect(words.contains(Substring(option.flag)), "\(option)")
            for name in option.entry.aliases { #expect(!all.contains("--\(name) ")) }
        }
        #expect(help.contains("--port <n>") && help.contains("(default: 8000)"))
        #expect(help.contains("--web-ui/--no-web-ui"))
        for section in OptionEntry.Section.allCases { #expect(help.contains("\(section.rawValue.uppercased()):")) }
    }

    @Test func `the printed configuration has current names`() throws {
        let flags = try ServerOptions.parse(["--drain-timeout", "5", "--web-page", "off"]).given
        let configuration = try ServerConfiguration(flags: flags, environment: [:])
        #expect(configuration.fileText == #"{"shutdown-timeout":"5","web-ui":"false"}"#)
        #expect(!configuration.servesPage && configuration.drainTimeout == .seconds(5))
        #expect(!configuration.table.contains("web-page") && !configuration.table.contains("drain-timeout"))
    }

    private func expectConflict(_ option: Option, _ parts: [String], _ body: () throws -> Void) throws {
        let error = #expect(throws: ConfigurationError.self) { try body() }
        let reason = error?.reason ?? ""
        #expect(error?.option == option && parts.allSatisfy { reason.contains($0) }, "\(reason)")
    }

    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "options-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(text.utf8).write(to: file)
        try body(file.path)
    }
}
