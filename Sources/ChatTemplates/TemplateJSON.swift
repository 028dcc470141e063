import Basics

/// Writes values as JSON, like Python's `json.dumps`.
struct TemplateJSON {
    /// The text of one level of indentation, or `nil` for a single line.
    let indent: TemplateString?
    let itemSeparator: TemplateString
    let keySeparator: TemplateString
    let isASCII: Bool
    let sortsKeys: Bool
    private(set) var output = TemplateStringBuilder()

    init(indent: TemplateString?, separators: (TemplateString, TemplateString)?, isASCII: Bool, sortsKeys: Bool) {
        self.indent = indent
        (itemSeparator, keySeparator) = separators ?? (indent == nil ? ", " : ",", ": ")
        (self.isASCII, self.sortsKeys) = (isASCII, sortsKeys)
    }

    mutating func write(_ value: TemplateValue, level: Int = 0) throws(TemplateFailure) {
        switch value {
        case .none: try output.append("null")
        case .bool(let value): try output.append(trusted: value ? "true" : "false")
        case .integer(let value): try output.append(trusted: String(value))
        case .bigInteger(let digits): try output.append(trusted: digits)
        case .double(let value): try output.append(trusted: Self.text(of: value))
        case .string(let string): try write(string)
        case .list(let elements), .tuple(let elements):
            try output.append("[")
            for (index, element) in elements.values.enumerated() {
                try writeSeparator(isFirst: index == 0, level: level + 1)
                try write(element, level: level + 1)
            }
            try writeEnd("]", isEmpty: elements.values.isEmpty, level: level)
        case .dictionary(let dictionary): try write(dictionary, level: level)
        case .undefined(let undefined): throw .failed(undefined.message, undefined.kind)
        default: throw .failed("Object of type \(value.typeName) is not JSON serializable", .type)
        }
    }

    private mutating func write(_ dictionary: TemplateDictionary, level: Int) throws(TemplateFailure) {
        var pairs: [(name: TemplateString, value: TemplateValue)] = []
        for (key, value) in dictionary.pairs { pairs.append((try Self.name(of: key), value)) }
        if sortsKeys { pairs.sort { $0.name < $1.name } }
        try output.append("{")
        for (index, pair) in pairs.enumerated() {
            try writeSeparator(isFirst: index == 0, level: level + 1)
            try write(pair.name)
            try output.append(keySeparator)
            try write(pair.value, level: level + 1)
        }
        try writeEnd("}", isEmpty: pairs.isEmpty, level: level)
    }

    private mutating func writeSeparator(isFirst: Bool, level: Int) throws(TemplateFailure) {
        if !isFirst { try output.append(itemSeparator) }
        if let indent {
            try output.append("\n")
            try output.append(repeating: indent, count: level)
        }
    }

    private mutating func writeEnd(_ closing: TemplateString, isEmpty: Bool, level: Int) throws(TemplateFailure) {
        if let indent, !isEmpty {
            try output.append("\n")
            try output.append(repeating: indent, count: level)
        }
        try output.append(closing)
    }

    private static func name(of key: TemplateValue) throws(TemplateFailure) -> TemplateString {
        switch key {
        case .string(let string): return string
        case .none: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer, .bigInteger: return try key.printed()
        case .double(let value): return TemplateString(trusted: text(of: value))
        default: throw .failed("keys must be str, int, float, bool or None, not \(key.typeName)")
        }
    }

    private static func text(of number: Double) -> String {
        number.isFinite ? number.pythonText : number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity"
    }

    private mutating func write(_ string: TemplateString) throws(TemplateFailure) {
        var text = "\""
        var checkpoint = CancellationCheck()
        for scalar in string.scalars {
            if checkpoint.mustStop() { throw .cancelled }
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            case _ where scalar.value < 0x20 || (isASCII && scalar.value > 0x7E):
                for unit in scalar.utf16 { text += "\\u" + UInt32(unit).hexadecimal(digits: 4) }
            default: text.unicodeScalars.append(scalar)
            }
        }
        try output.append(TemplateString(text + "\"", madeFrom: string))
    }
}
