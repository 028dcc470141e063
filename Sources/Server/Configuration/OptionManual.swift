/// The option tables of the manual.
public enum OptionManual {
    /// Returns the page with updated tables under the section headings.
    public static func update(_ page: String) -> String {
        var lines: [String] = []
        var section: OptionEntry.Section?
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("#") {
                section = OptionEntry.Section.allCases.first { line == "## " + $0.rawValue }
            } else if let table = section, line.hasPrefix("|") {
                // The first existing row is replaced by the whole table, the others are removed.
                if lines.last?.hasPrefix("|") != true { lines += rows(table) }
                continue
            }
            lines.append(String(line))
        }
        return lines.joined(separator: "\n")
    }

    /// Returns the lines of the table of one section.
    static func rows(_ section: OptionEntry.Section) -> [String] {
        let options = ServerConfiguration.Option.allCases.filter { $0.entry.section == section }
        return ["| option | meaning | default | values |", "|---|---|---|---|"]
            + options.map { option in
                let entry = option.entry
                let cells = [option.synopsis, entry.help, entry.standardInManual, entry.valuesInManual]
                return "| " + cells.joined(separator: " | ") + " |"
            }
    }
}

extension ServerConfiguration.Option {
    /// The first column: the flag and the name of its value, or both flags of a switch.
    fileprivate var synopsis: String {
        switch entry.kind {
        case .switch: "`\(flag)`, `--no-\(name)`"
        default: "`\(flag) \(entry.placeholder.uppercased())`"
        }
    }
}

extension OptionEntry {
    /// The meaning, the default and whether the option can be off, as plain text for `--help`.
    public var plainHelp: String {
        let standard =
            switch standard {
            case .value(let value): value
            case .described(let words): words
            }
        let off = canBeOff ? "; off disables it" : ""
        return "\(help.hasSuffix(".") ? String(help.dropLast()) : help) (default: \(standard)\(off)).".filter {
            $0 != "`"
        }
    }

    /// The name of the value in `--help`: the choices if there is a fixed set, otherwise the placeholder.
    public var valueName: String {
        guard case .choice(let choices) = kind else { return placeholder }
        return choices.joined(separator: "|")
    }

    fileprivate var standardInManual: String {
        switch standard {
        case .value(let value): "`\(value)`"
        case .described(let words): words
        }
    }

    fileprivate var valuesInManual: String {
        if let values { return values }
        switch kind {
        case .text: return "any text"
        case .names: return "names, separated by commas"
        case .file: return "a file"
        case .folder: return "a folder"
        case .size: return "a size"
        case .switch: return "switch"
        case .choice(let choices): return choices.map { "`\($0)`" }.joined(separator: ", ")
        case .integer(let bounds, _):
            let range = "\(Self.number(bounds.lowerBound)) to \(Self.number(bounds.upperBound))"
            return canBeOff ? range + ", or `off`" : range
        case .time(let longest, let canBeAuto):
            let hours = Int(longest / .seconds(3600))
            return "up to \(hours) \(hours == 1 ? "hour" : "hours"), \(canBeAuto ? "`auto` " : "")or `off`"
        }
    }

    /// Formats large round numbers as powers and others with thousands separators.
    private static func number(_ value: Int) -> String {
        if value >= 1 << 30, value & (value - 1) == 0 { return "2^\(value.trailingZeroBitCount)" }
        let digits = String(value)
        if digits.count > 8, digits.dropFirst().allSatisfy({ $0 == "0" }) { return "10^\(digits.count - 1)" }
        guard digits.count > 4 else { return digits }
        return digits.reversed().enumerated().reduce(into: "") { text, digit in
            text = String(digit.element) + (digit.offset > 0 && digit.offset % 3 == 0 ? "," : "") + text
        }
    }
}
