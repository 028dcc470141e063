import Basics

/// The origin of each byte of a string: the template itself, which is trusted, or an untrusted input.
///
/// A string begins as trusted. Trust changes at each of these byte offsets, which are ascending and less than the length. Thus
/// `[]` is a trusted string and `[0]` an untrusted one; almost all strings have one of these values. The type is one word,
/// because the interpreter's stack frames hold many strings.
struct TemplateOrigin: Sendable {
    private var changes: [Int]

    static let trusted = TemplateOrigin(changes: [])
    static let untrusted = TemplateOrigin(changes: [0])

    private init(changes: [Int]) { self.changes = changes }

    init(isTrusted: Bool) { self = isTrusted ? .trusted : .untrusted }

    var isTrusted: Bool { changes.isEmpty }
    /// Whether the string has both trusted and untrusted bytes.
    var isMixed: Bool { changes.count > 1 || changes.first ?? 0 > 0 }
    var runCount: Int { changes.count + 1 }

    /// Appends the origin of a second string, after a string of `byteCount` bytes with this origin. Neither string may be empty.
    mutating func append(_ other: TemplateOrigin, at byteCount: Int) {
        let isTrusted = changes.count.isMultiple(of: 2)
        if isTrusted != (other.changes.first != 0) { changes.append(byteCount) }
        for change in other.changes where change > 0 { changes.append(change + byteCount) }
    }

    /// Returns the origin of the bytes in `range`, which must not be empty. O(log runs + runs of the result).
    func slice(_ range: Range<Int>) -> TemplateOrigin {
        guard isMixed else { return self }
        let first = changeCount(upTo: range.lowerBound)
        var slice = TemplateOrigin(isTrusted: first.isMultiple(of: 2))
        for change in changes[first...] {
            guard change < range.upperBound else { break }
            slice.changes.append(change - range.lowerBound)
        }
        return slice
    }

    /// Returns the number of changes at or before `offset`.
    private func changeCount(upTo offset: Int) -> Int {
        var bounds = 0..<changes.count
        while !bounds.isEmpty {
            let middle = bounds.lowerBound + bounds.count / 2
            bounds = changes[middle] <= offset ? middle + 1..<bounds.upperBound : bounds.lowerBound..<middle
        }
        return bounds.lowerBound
    }

    /// Returns the runs of `text`, whose origin this is.
    func runs(of text: String) -> [TextRun] {
        let utf8 = text.utf8
        var runs: [TextRun] = []
        var start = utf8.startIndex
        for (index, end) in (changes + [utf8.count]).enumerated() {
            let next = utf8.index(utf8.startIndex, offsetBy: end)
            if start < next {
                runs.append(TextRun(text: String(text[start..<next]), isTrusted: index.isMultiple(of: 2)))
            }
            start = next
        }
        return runs
    }
}
