/// Checks of one line of masked code.
enum Code {
    /// The identifiers and keywords in order.
    static func words(_ line: String) -> [Substring] {
        line.split { !($0.isLetter || $0.isNumber || $0 == "_") }.filter { $0.first?.isNumber == false }
    }

    /// Whether `word` stands in the line as a whole identifier.
    static func mentions(_ word: String, in line: String) -> Bool {
        line.contains(word) && words(line).contains { $0 == word }
    }

    /// The module that the line imports.
    static func importedModule(_ line: String) -> Substring? {
        let words = words(line)
        guard let keyword = words.firstIndex(of: "import"), line.drop(while: \.isWhitespace).first != "." else {
            return nil
        }
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "typealias", "var", "let"]
        return words[(keyword + 1)...].first { !kinds.contains($0) }
    }

    /// Whether a value is force unwrapped or force cast, or declared as implicitly unwrapped.
    static func forcesUnwrap(_ line: String) -> Bool {
        let bytes = Array(line.utf8)
        return bytes.indices.dropFirst().contains { index in
            guard bytes[index] == UInt8(ascii: "!") else { return false }
            if index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "=") { return false }
            let before = Character(Unicode.Scalar(bytes[index - 1]))
            return before.isLetter || before.isNumber || "_)]}>`".contains(before)
        }
    }

    /// Whether the function `name` is called, not a method with that name.
    static func calls(_ name: String, in line: String) -> Bool {
        line.ranges(of: name + "(").contains { range in
            guard let before = line[..<range.lowerBound].last else { return true }
            return !(before.isLetter || before.isNumber || before == "_" || before == "." || before == "`")
        }
    }
}
