/// A token of a template's source.
struct TemplateToken: Sendable {
    enum Kind: Sendable, Hashable {
        /// Text outside tags.
        case data(String)
        case variableBegin, variableEnd
        case blockBegin, blockEnd
        case name(String)
        case string(String)
        case integer(Int)
        /// The digits of an integer that does not fit 64 bits.
        case bigInteger(String)
        case double(Double)
        /// `+`, `**`, `(`, `==`, ...
        case symbol(String)
        case end
    }

    let kind: Kind
    /// The line number, counted from 1.
    let line: Int
}

extension TemplateToken.Kind: CustomStringConvertible {
    /// The name of the token in error messages.
    var description: String {
        switch self {
        case .data: "template text"
        case .variableBegin: "'{{'"
        case .variableEnd: "'}}'"
        case .blockBegin: "'{%'"
        case .blockEnd: "'%}'"
        case .name(let name): "'\(name)'"
        case .string: "a string"
        case .integer, .bigInteger, .double: "a number"
        case .symbol(let symbol): "'\(symbol)'"
        case .end: "the end of the template"
        }
    }
}
