extension JSONValue {
    /// Whether this schema of a tool's parameter says with `type` or `enum` that the parameter is a string. In XML calls, such a
    /// parameter is written without quotes: the grammar of calls allows it and the parser of replies expects it.
    package var isSchemaOfUnquotedText: Bool {
        self["type"] == "string" || self["enum"]?.array?.allSatisfy { $0.string != nil } == true
    }
}
