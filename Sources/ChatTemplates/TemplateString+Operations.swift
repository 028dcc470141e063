// Python's string methods.
import Basics

extension TemplateString {
    func appending(_ other: TemplateString) throws(TemplateFailure) -> TemplateString {
        try Self.joined([self, other], by: "")
    }

    func repeated(_ count: Int) throws(TemplateFailure) -> TemplateString {
        var builder = TemplateStringBuilder()
        try builder.append(repeating: self, count: count)
        return builder.string
    }

    static func joined(_ parts: [TemplateString], by separator: TemplateString) throws(TemplateFailure)
        -> TemplateString
    {
        var builder = TemplateStringBuilder()
        var checkpoint = CancellationCheck()
        for (index, part) in parts.enumerated() {
            if checkpoint.mustStop() { throw .cancelled }
            if index > 0 { try builder.append(separator) }
            try builder.append(part)
        }
        return builder.string
    }

    /// Returns the code points at `indices`, in this order.
    func picking(_ indices: some Sequence<Int>) -> TemplateString {
        guard origin.isMixed else {
            let all = Array(scalars)
            var picked = String.UnicodeScalarView()
            var checkpoint = CancellationCheck()
            for index in indices {
                if checkpoint.mustStop() { break }
                picked.append(all[index])
            }
            return TemplateString(String(picked), madeFrom: self)
        }
        let all = characters
        var text = ""
        var origin = TemplateOrigin.trusted
        // There are fewer characters if the work is cancelled.
        for index in indices where index < all.count {
            let character = all[index]
            if text.isEmpty { origin = character.origin } else { origin.append(character.origin, at: text.utf8.count) }
            text += character.text
        }
        return TemplateString(text, origin: origin)
    }

    /// The code points, each as a string.
    var characters: [TemplateString] {
        var offset = 0
        var characters: [TemplateString] = []
        var checkpoint = CancellationCheck()
        for scalar in scalars {
            if checkpoint.mustStop() { break }
            let start = offset
            offset += UTF8.width(scalar)
            characters.append(TemplateString(String(scalar), origin: origin.slice(start..<offset)))
        }
        return characters
    }

    var reversed: TemplateString { picking((0..<count).reversed()) }

    /// Returns the first `count` code points.
    func prefix(_ count: Int) -> TemplateString {
        let prefix = scalars.prefix(count)
        return slice(prefix.startIndex..<prefix.endIndex)
    }

    private func slice(_ range: Range<String.Index>) -> TemplateString {
        let start = text.utf8.distance(from: text.startIndex, to: range.lowerBound)
        let count = text.utf8.distance(from: range.lowerBound, to: range.upperBound)
        return TemplateString(String(text[range]), origin: origin.slice(start..<start + count))
    }

    /// Returns the string without the characters of `set`, or white space, at the given ends.
    func trimmed(_ set: TemplateString? = nil, left: Bool = true, right: Bool = true) -> TemplateString {
        let set = set.map { Set($0.scalars) }
        let isTrimmed = { (scalar: Unicode.Scalar) in set?.contains(scalar) ?? scalar.isPythonSpace }
        var rest = scalars[...]
        var checkpoint = CancellationCheck()
        if left { rest = rest.drop { isTrimmed($0) && !checkpoint.mustStop() } }
        if right {
            while !checkpoint.mustStop(), let last = rest.last, isTrimmed(last) { rest.removeLast() }
        }
        return slice(rest.startIndex..<rest.endIndex)
    }

    /// Returns the byte offsets of nonoverlapping occurrences of `part`, from left to right, at most `limit`. Linear time.
    func offsets(of part: TemplateString, limit: Int = .max) -> [Int] {
        let (text, part) = (Array(self.text.utf8), Array(part.text.utf8))
        guard !part.isEmpty, limit > 0, part.count <= text.count else { return [] }
        // Knuth-Morris-Pratt, because a malicious template must not make the search quadratic.
        var border = [Int](repeating: 0, count: part.count)
        var matched = 0
        for index in part.indices.dropFirst() {
            while matched > 0, part[index] != part[matched] { matched = border[matched - 1] }
            if part[index] == part[matched] { matched += 1 }
            border[index] = matched
        }
        var offsets: [Int] = []
        matched = 0
        var checkpoint = CancellationCheck()
        for (index, byte) in text.enumerated() {
            if checkpoint.mustStop() { break }
            while matched > 0, byte != part[matched] { matched = border[matched - 1] }
            if byte == part[matched] { matched += 1 }
            if matched == part.count {
                offsets.append(index + 1 - part.count)
                if offsets.count == limit { break }
                matched = 0
            }
        }
        return offsets
    }

    func contains(_ part: TemplateString) -> Bool { part.isEmpty || !offsets(of: part, limit: 1).isEmpty }
    func hasPrefix(_ prefix: TemplateString) -> Bool { text.utf8.starts(with: prefix.text.utf8) }
    func hasSuffix(_ suffix: TemplateString) -> Bool { text.utf8.reversed().starts(with: suffix.text.utf8.reversed()) }

    /// Returns the number of code points before the byte at `offset`.
    func scalarIndex(ofByte offset: Int) -> Int {
        text.unicodeScalars.distance(from: text.startIndex, to: text.utf8.index(text.startIndex, offsetBy: offset))
    }

    /// Returns the bytes from `start` to `end`, which must be boundaries of code points.
    func slice(_ start: Int, _ end: Int) -> TemplateString {
        let utf8 = text.utf8
        let from = utf8.index(utf8.startIndex, offsetBy: start)
        return slice(from..<utf8.index(from, offsetBy: end - start))
    }

    private func cut(at offsets: [Int], length: Int) -> [TemplateString] {
        var parts: [TemplateString] = []
        var start = 0
        var checkpoint = CancellationCheck()
        for offset in offsets {
            if checkpoint.mustStop() { break }
            parts.append(slice(start, offset))
            start = offset + length
        }
        return parts + [slice(start, byteCount)]
    }

    func replacing(_ part: TemplateString, with other: TemplateString, limit: Int) throws(TemplateFailure)
        -> TemplateString
    {
        guard part.isEmpty else {
            let offsets = offsets(of: part, limit: limit)
            // Checked before the pieces are created, because there can be many.
            let growth = offsets.count.multipliedReportingOverflow(by: other.byteCount - part.byteCount)
            guard !growth.overflow, byteCount + growth.partialValue <= TemplateLimits.stringBytes else {
                throw .failed("a string grew too long")
            }
            return try Self.joined(cut(at: offsets, length: part.byteCount), by: other)
        }
        var builder = TemplateStringBuilder()
        for (index, character) in characters.enumerated() {
            if index < limit { try builder.append(other) }
            try builder.append(character)
        }
        if count < limit { try builder.append(other) }
        return builder.string
    }

    /// Splits at `separator`, which must not be empty, at most `limit` times, from the right if `fromRight`.
    func split(by separator: TemplateString, limit: Int, fromRight: Bool) -> [TemplateString] {
        guard fromRight, limit < .max else {
            return cut(at: offsets(of: separator, limit: limit), length: separator.byteCount)
        }
        // Overlapping occurrences are resolved differently from the right, so the reversed string is searched.
        let mirrored = reversed
        // The reversed string is shorter if the work is cancelled.
        guard mirrored.byteCount == byteCount else { return [self] }
        let offsets = mirrored.offsets(of: separator.reversed, limit: limit)
        return cut(at: offsets.reversed().map { byteCount - $0 - separator.byteCount }, length: separator.byteCount)
    }

    /// Splits at runs of white space into nonempty parts.
    func splitAtSpace(limit: Int, fromRight: Bool) -> [TemplateString] {
        guard limit < .max else {
            return words
        }
        if fromRight {
            return reversed.splitAtSpace(limit: limit, fromRight: false).map(\.reversed).reversed()
        }
        var parts: [TemplateString] = []
        var rest = scalars.drop(while: \.isPythonSpace)
        while !rest.isEmpty, parts.count < limit {
            let part = rest.prefix { !$0.isPythonSpace }
            parts.append(slice(part.startIndex..<part.endIndex))
            rest = rest[part.endIndex...].drop(while: \.isPythonSpace)
        }
        // Python keeps the white space at the outer end of the part that was not split.
        return rest.isEmpty ? parts : parts + [slice(rest.startIndex..<rest.endIndex)]
    }

    /// The maximal runs of characters that are not white space.
    private var words: [TemplateString] {
        let scalars = scalars
        var words: [TemplateString] = []
        var start: String.Index?
        var index = scalars.startIndex
        var checkpoint = CancellationCheck()
        while index < scalars.endIndex {
            if checkpoint.mustStop() { return words }
            if !scalars[index].isPythonSpace {
                start = start ?? index
            } else if let begin = start {
                words.append(slice(begin..<index))
                start = nil
            }
            scalars.formIndex(after: &index)
        }
        if let start { words.append(slice(start..<index)) }
        return words
    }

    func lines(keepingEnds: Bool = false) -> [TemplateString] {
        let scalars = scalars
        var lines: [TemplateString] = []
        var (start, index) = (scalars.startIndex, scalars.startIndex)
        var checkpoint = CancellationCheck()
        while index < scalars.endIndex {
            if checkpoint.mustStop() { return lines }
            let end = index
            scalars.formIndex(after: &index)
            guard scalars[end].isPythonLineEnd else { continue }
            if scalars[end] == "\r", index < scalars.endIndex, scalars[index] == "\n" {
                scalars.formIndex(after: &index)
            }
            lines.append(slice(start..<(keepingEnds ? index : end)))
            start = index
        }
        return start < index ? lines + [slice(start..<index)] : lines
    }

    // MARK: Case

    var uppercased: TemplateString { mapped { $0.uppercased() } }
    var lowercased: TemplateString { mapped { $0.lowercased() } }

    /// Maps the text in parts, to check for cancellation between them. This is correct because case mapping works on single
    /// characters.
    private func mapped(_ change: (String) -> String) -> TemplateString {
        var result = ""
        var rest = scalars[...]
        while !rest.isEmpty {
            let part = rest.prefix(4096)
            result += change(String(part))
            rest = rest[part.endIndex...]
            if !rest.isEmpty, Cancellation.isRequested { break }
        }
        return TemplateString(result, madeFrom: self)
    }

    var capitalized: TemplateString {
        guard let first = scalars.first else { return self }
        return TemplateString(
            first.properties.titlecaseMapping
                + TemplateString(String(scalars.dropFirst()), origin: origin).lowercased.text, madeFrom: self)
    }

    var swappedCase: TemplateString {
        var result = ""
        var checkpoint = CancellationCheck()
        for scalar in scalars {
            if checkpoint.mustStop() { break }
            let properties = scalar.properties
            result += properties.isUppercase ? properties.lowercaseMapping : properties.uppercaseMapping
        }
        return TemplateString(result, madeFrom: self)
    }

    /// `str.title`: the first letter of each run of letters becomes a capital.
    var titlecased: TemplateString {
        var result = ""
        var isInWord = false
        var checkpoint = CancellationCheck()
        for scalar in scalars {
            if checkpoint.mustStop() { break }
            let properties = scalar.properties
            result += isInWord ? properties.lowercaseMapping : properties.titlecaseMapping
            isInWord = properties.isCased
        }
        return TemplateString(result, madeFrom: self)
    }

    // MARK: Padding

    func padded(to width: Int, left: Bool, right: Bool, fill: TemplateString = " ") throws(TemplateFailure)
        -> TemplateString
    {
        let count = count
        guard width > count else { return self }
        let missing = width - count
        // If both are odd, Python puts the extra character on the left.
        let before = left && right ? missing / 2 + (missing & width & 1) : left ? missing : 0
        var builder = TemplateStringBuilder()
        try builder.append(repeating: fill, count: before)
        try builder.append(self)
        try builder.append(repeating: fill, count: missing - before)
        return builder.string
    }
}
