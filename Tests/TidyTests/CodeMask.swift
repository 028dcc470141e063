/// Blanks comments and string contents in Swift text, so that a rule sees only code.
///
/// Supports line comments, nested block comments, strings, multi-line strings and raw strings. Interpolations in a string are
/// blanked with it.
enum CodeMask {
    static func mask(_ text: String) -> String {
        var masker = Masker(bytes: Array(text.utf8))
        masker.run()
        return String(decoding: masker.output, as: UTF8.self)
    }
}

private struct Masker {
    let bytes: [UInt8]
    var position = 0
    var output: [UInt8] = []

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func run() {
        while position < bytes.count {
            if starts(with: "//") {
                while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { blank() }
            } else if starts(with: "/*") {
                blankBlockComment()
            } else if let hashes = stringStart() {
                blankString(hashes: hashes)
            } else {
                output.append(bytes[position])
                position += 1
            }
        }
    }

    /// The number of `#` before a quote that starts here, `nil` where no string starts.
    private func stringStart() -> Int? {
        var end = position
        while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - position : nil
    }

    private mutating func blankBlockComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") {
                depth += 1
                blank(2)
            } else if starts(with: "*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && position < bytes.count
    }

    private mutating func blankString(hashes: Int) {
        blank(hashes)
        let quote = starts(with: "\"\"\"") ? "\"\"\"" : "\""
        let pounds = String(repeating: "#", count: hashes)
        blank(quote.utf8.count)
        while position < bytes.count {
            if starts(with: "\\" + pounds + "(") {
                blank(2 + hashes)
                blankInterpolation()
            } else if starts(with: "\\" + pounds) {
                blank(2 + hashes)
            } else if starts(with: quote + pounds) {
                blank(quote.utf8.count + hashes)
                return
            } else {
                blank()
            }
        }
    }

    /// From after the opening parenthesis to the closing one.
    private mutating func blankInterpolation() {
        var depth = 1
        while depth > 0, position < bytes.count {
            if let hashes = stringStart() {
                blankString(hashes: hashes)
                continue
            }
            if bytes[position] == UInt8(ascii: "(") { depth += 1 }
            if bytes[position] == UInt8(ascii: ")") { depth -= 1 }
            blank()
        }
    }

    private mutating func blank(_ count: Int = 1) {
        for byte in bytes[position..<min(position + count, bytes.count)] {
            output.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " "))
        }
        position = min(position + count, bytes.count)
    }

    private func starts(with text: String) -> Bool {
        bytes[position...].starts(with: text.utf8)
    }
}
