import Basics

extension TemplateInterpreter {
    /// Applies a filter for strings. Returns `nil` if there is no filter with this name.
    func stringFilter(
        _ name: String, _ input: TemplateValue, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateValue? {
        guard Self.filterNames.contains(name) else { return nil }
        // Most filters convert any value to text. These filters do not.
        let string =
            ["indent", "truncate", "wordwrap"].contains(name)
            ? try requiredString(input, name) : try input.printed()
        try charge(string.byteCount / 16)
        switch name {
        case "trim":
            let set = try arguments.bind(name, "chars")[0].flatMap { $0.isNone ? nil : $0 }
            return try value(
                string.trimmed(try set.map { value throws(TemplateFailure) in try requiredString(value, name) }))
        case "replace":
            let values = try arguments.bind(name, "old", "new", "count")
            guard let old = values[0], let new = values[1] else { throw .failed("replace() needs two strings") }
            let limit = values[2]?.isNone == true ? .max : try limit(values[2])
            return try value(try string.replacing(try old.printed(), with: try new.printed(), limit: limit))
        case "format":
            if arguments.named.isEmpty { return try value(try formatted(string, .tuple(arguments.positional))) }
            var names = TemplateDictionary()
            for (name, value) in arguments.named { names.set(.string(name), value) }
            return try value(try formatted(string, .dictionary(names)))
        case "indent": return try value(try indented(string, arguments))
        case "center":
            let width = try arguments.bind(name, "width")[0]?.wholeNumber ?? 80
            return try value(try string.padded(to: width, left: true, right: true))
        case "truncate": return try value(try truncated(string, arguments))
        case "wordwrap": return try value(try wrapped(string, arguments))
        default:
            _ = try arguments.bind(name)
            return try changed(name, string)
        }
    }

    private func changed(_ name: String, _ string: TemplateString) throws(TemplateFailure) -> TemplateValue? {
        switch name {
        case "string", "safe": return try value(string)
        case "upper": return try value(string.uppercased)
        case "lower": return try value(string.lowercased)
        case "capitalize": return try value(string.capitalized)
        case "title": return try value(string.titleFiltered)
        case "e", "escape":
            var escaped = TemplateStringBuilder()
            var checkpoint = CancellationCheck()
            for scalar in string.scalars {
                if checkpoint.mustStop() { try poll() }
                try escaped.append(trusted: Self.entities[scalar] ?? String(scalar))
            }
            return try value(escaped.string.trusted(ifTrusted: string))
        case "striptags":
            let words = string.withoutTags.splitAtSpace(limit: .max, fromRight: false)
            return try value(try TemplateString.joined(words, by: " "))
        case "urlencode":
            var encoded = TemplateStringBuilder()
            var checkpoint = CancellationCheck()
            for byte in string.text.utf8 {
                if checkpoint.mustStop() { try poll() }
                try encoded.append(trusted: Self.urlEncoded(byte))
            }
            return try value(encoded.string.trusted(ifTrusted: string))
        case "wordcount": return .integer(string.wordCount)
        default: return nil
        }
    }

    private static let entities: [Unicode.Scalar: String] = [
        "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&#34;", "'": "&#39;",
    ]

    private static func urlEncoded(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "~"), UInt8(ascii: "/"):
            String(Unicode.Scalar(byte))
        default: "%" + UInt32(byte).hexadecimal(digits: 2).uppercased()
        }
    }

    private func indented(
        _ string: TemplateString, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateString {
        let values = try arguments.bind("indent", "width", "first", "blank")
        let (indentsFirst, indentsBlank) = (values[1]?.isTrue ?? false, values[2]?.isTrue ?? false)
        var indent = try TemplateString(" ").repeated(values[0]?.wholeNumber ?? 4)
        if let text = values[0]?.string { indent = text }
        // As in the reference, a newline is appended, so that the last line is counted even if it is empty.
        let lines = try string.appending("\n").lines()
        var builder = TemplateStringBuilder()
        var checkpoint = CancellationCheck()
        for (index, line) in lines.enumerated() {
            if checkpoint.mustStop() { try poll() }
            if index > 0 { try builder.append("\n") }
            if index == 0 ? indentsFirst : indentsBlank || !line.isEmpty { try builder.append(indent) }
            try builder.append(line)
        }
        return builder.string
    }

    private func truncated(
        _ string: TemplateString, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateString {
        let values = try arguments.bind("truncate", "length", "killwords", "end", "leeway")
        let (length, leeway) = (values[0]?.wholeNumber ?? 255, values[3]?.wholeNumber ?? 5)
        let end = try values[2]?.printed() ?? "..."
        guard length >= end.count else { throw .failed("expected length >= \(end.count), got \(length)") }
        guard leeway >= 0 else { throw .failed("expected leeway >= 0, got \(leeway)") }
        let scalars = Array(string.scalars)
        guard scalars.count > length.addingSaturated(leeway) else { return string }
        var kept = scalars[..<(length - end.count)]
        if !(values[1]?.isTrue ?? false), let space = kept.lastIndex(of: " ") { kept = kept[..<space] }
        return try string.prefix(kept.count).appending(end)
    }

    /// Breaks lines at spaces if they are longer than the width, and breaks words that are longer than a line.
    private func wrapped(
        _ string: TemplateString, _ arguments: TemplateArguments
    ) throws(TemplateFailure) -> TemplateString {
        let values = try arguments.bind("wordwrap", "width", "break_long_words", "wrapstring")
        let width = values[0]?.wholeNumber ?? 79
        guard width > 0 else { throw .failed("invalid width \(width) (must be > 0)") }
        var lines: [TemplateString] = []
        for line in string.lines() {
            try charge(1)
            lines += line.wrapped(width: width, breaksWords: values[1]?.isTrue ?? true)
        }
        return try TemplateString.joined(lines, by: try values[2]?.printed() ?? "\n")
    }
}

extension TemplateString {
    /// The filter `title`: only white space, `-` and opening brackets separate words, so "it's" is one word.
    fileprivate var titleFiltered: TemplateString {
        var result = ""
        var isInWord = false
        var checkpoint = CancellationCheck()
        for scalar in scalars {
            if checkpoint.mustStop() { break }
            let properties = scalar.properties
            result += isInWord ? properties.lowercaseMapping : properties.uppercaseMapping
            isInWord = !(scalar.isPythonSpace || ["-", "(", "{", "[", "<"].contains(scalar))
        }
        return TemplateString(result, madeFrom: self)
    }

    fileprivate var withoutTags: TemplateString {
        var kept = String.UnicodeScalarView()
        // The text of an open tag. It is kept if the tag never ends.
        var open = String.UnicodeScalarView()
        var checkpoint = CancellationCheck()
        for scalar in scalars {
            if checkpoint.mustStop() { break }
            if open.isEmpty, scalar != "<" {
                kept.append(scalar)
            } else if scalar == ">" {
                open = String.UnicodeScalarView()
            } else {
                open.append(scalar)
            }
        }
        kept.append(contentsOf: open)
        return TemplateString(String(kept), madeFrom: self)
    }

    fileprivate var wordCount: Int {
        var count = 0
        var isInWord = false
        var checkpoint = CancellationCheck()
        for scalar in scalars {
            if checkpoint.mustStop() { break }
            let isWord = scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_"
            if isWord, !isInWord { count += 1 }
            isInWord = isWord
        }
        return count
    }

    /// Breaks one line into lines of at most `width` characters. White space at a break is removed.
    fileprivate func wrapped(width: Int, breaksWords: Bool) -> [TemplateString] {
        var lines: [[Unicode.Scalar]] = []
        var line: [Unicode.Scalar] = []
        var checkpoint = CancellationCheck()
        func finishLine() {
            while line.last?.isPythonSpace == true, !checkpoint.mustStop() { line.removeLast() }
            if !line.isEmpty || lines.isEmpty { lines.append(line) }
            line = []
        }
        var rest = Array(scalars)[...]
        while let first = rest.first {
            if checkpoint.mustStop() { break }
            var chunk = rest.prefix { $0.isPythonSpace == first.isPythonSpace && !checkpoint.mustStop() }
            rest = rest.dropFirst(chunk.count)
            if chunk.count > width, breaksWords {
                while chunk.count > width - line.count {
                    let head = chunk.prefix(width - line.count)
                    line += head
                    chunk = chunk.dropFirst(head.count)
                    finishLine()
                }
            } else if line.count + chunk.count > width {
                finishLine()
            }
            if line.isEmpty, !lines.isEmpty, first.isPythonSpace { continue }
            line += chunk
        }
        finishLine()
        return lines.map { TemplateString($0, madeFrom: self) }
    }
}
