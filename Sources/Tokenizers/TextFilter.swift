/// Applies a decoder step for the whole text to text that arrives in parts. Returned text is final.
struct TextFilter: Sendable {
    private let step: TextStep
    /// Text that may become part of a match, or may be stripped from the end.
    private var held: [UInt8] = []
    /// The number of characters that may still be stripped from the beginning.
    private var leading: Int

    init(_ step: TextStep) {
        self.step = step
        if case .strip(let strip) = step { leading = strip.start } else { leading = 0 }
    }

    /// Appends `text`, which must consist of whole characters, and returns the text that is final.
    mutating func append(_ text: [UInt8]) -> [UInt8] {
        guard !text.isEmpty else { return [] }
        switch step {
        case .replace(let find, let content): return replace(find, with: content, in: text)
        case .strip(let strip): return self.strip(strip, text)
        }
    }

    /// Returns the rest at the end of the text.
    mutating func flush() -> [UInt8] {
        defer { held = [] }
        guard case .strip = step else { return held }
        return []
    }

    private mutating func replace(_ find: [UInt8], with content: [UInt8], in text: [UInt8]) -> [UInt8] {
        let all = held + text
        var output: [UInt8] = []
        var position = 0
        while position < all.count {
            let rest = all[position...].prefix(find.count)
            if rest.elementsEqual(find) {
                output += content
                position += find.count
            } else if rest.count < find.count, find.starts(with: rest) {
                break
            } else {
                output.append(all[position])
                position += 1
            }
        }
        held = Array(all[position...])
        return output
    }

    /// Holds back the last characters that may be stripped, at most `strip.stop`.
    private mutating func strip(_ strip: StripStep, _ text: [UInt8]) -> [UInt8] {
        var rest = text[...]
        while leading > 0, !rest.isEmpty {
            guard rest.starts(with: strip.content) else {
                leading = 0
                break
            }
            rest = rest.dropFirst(strip.content.count)
            leading -= 1
        }
        let all = held + rest
        var end = all.count
        var trailing = strip.stop
        while trailing > 0, all[..<end].suffix(strip.content.count) == strip.content[...] {
            end -= strip.content.count
            trailing -= 1
        }
        held = Array(all[end...])
        return Array(all[..<end])
    }
}
