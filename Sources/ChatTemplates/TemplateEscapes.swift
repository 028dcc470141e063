/// The backslash escapes of string literals, which are the same as in Python.
enum TemplateEscapes {
    static func unescaped(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.contains(UInt8(ascii: "\\")) else { return String(decoding: bytes, as: UTF8.self) }
        var text: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let kind = rest.popFirst() {
                appendEscape(kind, rest: &rest, to: &text)
            } else {
                text.append(byte)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let controls: [UInt8: UInt8] = [
        UInt8(ascii: "n"): 0x0A, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09, UInt8(ascii: "a"): 0x07,
        UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0C, UInt8(ascii: "v"): 0x0B, UInt8(ascii: "\\"): 0x5C,
        UInt8(ascii: "'"): 0x27, UInt8(ascii: "\""): 0x22,
    ]
    private static let hexadecimalDigits: [UInt8: Int] = [
        UInt8(ascii: "x"): 2, UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8,
    ]

    private static func appendEscape(_ kind: UInt8, rest: inout ArraySlice<UInt8>, to text: inout [UInt8]) {
        if let control = controls[kind] { return text.append(control) }
        if kind == UInt8(ascii: "\n") { return }
        if let count = hexadecimalDigits[kind], var code = number(rest.prefix(count), count: count, radix: 16) {
            rest.removeFirst(count)
            // A surrogate pair consists of two escapes and represents one character.
            if 0xD800..<0xDC00 ~= code, rest.starts(with: "\\u".utf8),
                let low = number(rest.dropFirst(2).prefix(4), count: 4, radix: 16), 0xDC00..<0xE000 ~= low
            {
                rest.removeFirst(6)
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            return append(code, to: &text)
        }
        if UInt8(ascii: "0")...UInt8(ascii: "7") ~= kind {
            var code = UInt32(kind - UInt8(ascii: "0"))
            for digit in rest.prefix(2) {
                guard UInt8(ascii: "0")...UInt8(ascii: "7") ~= digit else { break }
                code = code << 3 | UInt32(digit - UInt8(ascii: "0"))
                rest.removeFirst()
            }
            return append(code, to: &text)
        }
        text.append(UInt8(ascii: "\\"))
        text.append(kind)
    }

    private static func number(_ digits: ArraySlice<UInt8>, count: Int, radix: Int) -> UInt32? {
        digits.count == count ? UInt32(String(decoding: digits, as: UTF8.self), radix: radix) : nil
    }

    private static func append(_ code: UInt32, to text: inout [UInt8]) {
        text.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
    }
}
