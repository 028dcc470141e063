/// An option that was given, with its name and value as they were written.
public struct GivenOption: Hashable, Sendable {
    public let option: ServerConfiguration.Option
    /// The name as it was written: `--max-model-len`, `TRINITY_MAX_MODEL_LEN`, or `max-model-len` in a file.
    public let name: String
    public let text: String

    /// Describes one option that was given.
    public init(_ option: ServerConfiguration.Option, as name: String, _ text: String) {
        self.option = option
        self.name = name
        self.text = text
    }
}
