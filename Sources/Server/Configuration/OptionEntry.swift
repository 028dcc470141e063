/// What is known of an option. Command line, environment, file, `--help`, completions and the manual all come from it.
public struct OptionEntry: Sendable {
    /// Where the manual and `--help` list an option.
    public enum Section: String, CaseIterable, Sendable {
        case model = "Model"
        case computation = "Computation"
        case scheduling = "Scheduling"
        case network = "Network"
        case security = "Security"
        case observability = "Logs and metrics"
    }

    /// Which texts are values of an option.
    public enum Kind: Sendable {
        case text, file, folder
        /// Separated by commas; given several times, all of them together.
        case names
        case integer(ClosedRange<Int>, canBeOff: Bool = false)
        /// Bytes, such as "512MiB".
        case size
        /// Such as "200ms", or "off", or "auto" where the server can choose.
        case time(atMost: Duration, canBeAuto: Bool = false)
        /// Given without a value on the command line.
        case `switch`
        case choice([String])
    }

    /// What holds if an option is not given.
    public enum Default: Sendable {
        case value(String)
        /// In words, if it depends on other things; Markdown.
        case described(String)
    }

    public let section: Section
    public let kind: Kind
    /// What stands for the value in the manual: `SIZE`.
    public let placeholder: String
    public let standard: Default
    /// The meaning, in Markdown.
    public let help: String
    /// Which values there are, in Markdown, if the kind does not say enough.
    public let values: String?
    /// Names that the option had before. They work, and no document names them.
    public let aliases: [String]
    /// Whether its value is never shown.
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
