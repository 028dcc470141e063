/// A Markdown file of the repository: its tables, its links and the anchors of its headings.
struct MarkdownDocument {
    /// Relative to the repository, `docs/options.md`.
    let path: String
    /// Lines outside code blocks; inside them they are empty, so that line numbers stay.
    let lines: [String]

    init(path: String, text: String) {
        self.path = path
        var isCode = false
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            if line.drop(while: \.isWhitespace).hasPrefix("```") {
                isCode.toggle()
                return ""
            }
            return isCode ? "" : String(line)
        }
    }

    /// The documents of the project: all Markdown files but those of fixtures.
    static let all: [MarkdownDocument] = {
        let top = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"]
        let folders = ["Benchmarks", "Fuzzing", "Models", "Sources", "Tests", "deploy", "docs"]
        let paths = folders.flatMap(Repository.files).filter { path in
            path.hasSuffix(".md") && !path.hasPrefix("Tests/Fixtures") && !path.contains("/.")
        }
        return (top + paths).map { MarkdownDocument(path: $0, text: Repository.text($0)) }
    }()

    static func at(_ path: String) -> MarkdownDocument {
        MarkdownDocument(path: path, text: Repository.text(path))
    }

    /// The cells of each row of the tables, header rows included; separators of header and body are left out.
    var rows: [[String]] {
        lines.compactMap { line in
            guard line.hasPrefix("|"), line.contains(where: { !"|-: ".contains($0) }) else { return nil }
            return Self.cells(line)
        }
    }

    /// The cells of a row of a table; empty for any other line. A `\|` is part of its cell.
    static func cells(_ row: String) -> [String] {
        guard row.hasPrefix("|") else { return [] }
        var cells = [""]
        var isEscaped = false
        for character in row.dropFirst() {
            if character == "|", !isEscaped {
                cells.append("")
            } else {
                cells[cells.count - 1].append(character)
            }
            isEscaped = character == "\\"
        }
        return cells.dropLast().map { cell in
            var text = Substring(cell)
            while text.first == " " { text.removeFirst() }
            while text.last == " " { text.removeLast() }
            return String(text)
        }
    }

    /// The texts between backticks.
    static func codes(_ text: String) -> [String] {
        text.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }

    /// A link to another place of the repository.
    struct Link: Hashable {
        /// The index of its line.
        var line: Int
        /// The text in parentheses before `#`; empty for a link within the document.
        var target: String
        var anchor: String?
    }

    /// Links without a scheme, except in code.
    var links: [Link] {
        lines.enumerated().flatMap { index, line in
            let text = line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                .map { $0.offset % 2 == 0 ? String($0.element) : "" }.joined(separator: "`")
            return text.split(separator: "](").dropFirst().compactMap { rest -> Link? in
                let whole = rest.prefix { $0 != ")" }
                guard !whole.isEmpty, !whole.contains(":"), !whole.contains(" ") else { return nil }
                let parts = whole.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                return Link(line: index, target: String(parts[0]), anchor: parts.count > 1 ? String(parts[1]) : nil)
            }
        }
    }

    /// The anchors of headings: lower case, without punctuation, spaces as hyphens; repeated ones get a number.
    var anchors: Set<String> {
        var counts: [String: Int] = [:]
        var anchors: Set<String> = []
        for line in lines where line.hasPrefix("#") {
            let title = line.drop { $0 == "#" }.drop { $0 == " " }
            let kept = title.lowercased().filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
            let slug = String(kept.map { $0 == " " ? "-" : $0 })
            let count = counts[slug, default: 0]
            counts[slug] = count + 1
            anchors.insert(count == 0 ? slug : "\(slug)-\(count)")
        }
        return anchors
    }
}
