import JSON

/// A value in a `tokenizer.json` together with its path, for error messages.
///
/// As in the reference, an absent member is equivalent to `null`.
struct TokenizerMember {
    let path: String
    let value: JSONValue

    subscript(name: String) -> TokenizerMember {
        TokenizerMember(path: path.isEmpty ? name : "\(path).\(name)", value: value[name] ?? .null)
    }

    var isNull: Bool { value == .null }

    /// The member `type`, which identifies a component.
    var type: String {
        get throws(TokenizerError) { try self["type"].string }
    }

    var string: String {
        get throws(TokenizerError) {
            guard let text = value.string else { throw expected("a string") }
            return text
        }
    }

    var integer: Int {
        get throws(TokenizerError) {
            guard let number = value.integer else { throw expected("an integer") }
            return number
        }
    }

    var elements: [TokenizerMember] {
        get throws(TokenizerError) {
            guard let array = value.array else { throw expected("an array") }
            return array.enumerated().map { TokenizerMember(path: "\(path)[\($0)]", value: $1) }
        }
    }

    func bool(default fallback: Bool) throws(TokenizerError) -> Bool {
        if isNull { return fallback }
        guard let flag = value.bool else { throw expected("true or false") }
        return flag
    }

    func string(default fallback: String) throws(TokenizerError) -> String {
        isNull ? fallback : try string
    }

    func expected(_ what: String) -> TokenizerError {
        .malformed(member: path, expected: what)
    }

    /// Returns the error for an unsupported component type or option value.
    func unsupported(_ name: String) -> TokenizerError {
        .unsupported(member: path, name: name)
    }
}
