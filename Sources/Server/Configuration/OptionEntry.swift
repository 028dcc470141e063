/// The properties of an option, from which the command line, environment, file, `--help`, completions and the manual are
/// derived.
public struct OptionEntry: Sendable {
    /// The section in the manual and in `--help`.
    public enum Section: String, CaseIterable, Sendable {
        case model = "Model"
        case computation = "Computation"
        case scheduling = "Scheduling"
        case network = "Network"
        case security = "Security"
        case observability = "Logs and metrics"
    }

    /// The type of an option's values.
    public enum Kind: Sendable {
        case text, file, folder
        /// Names, separated by commas. The values of several occurrences are joined.
        case names
        case integer(ClosedRange<Int>, canBeOff: Bool = false)
        /// A number of bytes, such as "512MiB".
        case size
        /// A time, such as "200ms", or "off", or "auto" if the server can choose.
        case time(atMost: Duration, canBeAuto: Bool = false)
        /// A switch, which is given without a value on the command line.
        case `switch`
        case choice([String])
    }

    /// The default of an option.
    public enum Default: Sendable {
        case value(String)
        /// A description in Markdown, if it depends on other values.
        case described(String)
    }

    public let section: Section
    public let kind: Kind
    /// The name of the value in the manual: `SIZE`.
    public let placeholder: String
    public let standard: Default
    /// The meaning, in Markdown.
    public let help: String
    /// The allowed values, in Markdown, if the kind is not enough.
    public let values: String?
    /// Earlier names of the option. They work, but are not documented.
    public let aliases: [String]
    /// Whether the value is a secret, which must not be shown.
    public let isSecret: Bool

    init(
        _ section: Section, _ kind: Kind, _ placeholder: String = "", standard: Default, _ help: String,
        values: String? = nil, aliases: [String] = [], isSecret: Bool = false
    ) {
        self.section = section
        self.kind = kind
        self.placeholder = placeholder
        self.standard = standard
        self.help = help
        self.values = values
        self.aliases = aliases
        self.isSecret = isSecret
    }

    /// Whether "off" is a value.
    public var canBeOff: Bool {
        switch kind {
        case .integer(_, let canBeOff): canBeOff
        case .time: true
        case .text, .names, .file, .folder, .size, .switch, .choice: false
        }
    }
}
