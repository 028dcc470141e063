import Basics
import Foundation

/// A regular expression without a hand-written scanner, executed by ICU.
///
/// The reference uses Oniguruma. ``RegexDialect`` converts the syntax and rejects constructs that only one engine supports.
/// Swift's `Regex` is not used, because its Unicode version and grapheme semantics split texts differently.
struct RegexPattern: Sendable {
    private let expression: NSRegularExpression

    /// The maximum length in bytes of a text that the engine processes at once. A backtracking engine can take quadratic time;
    /// with this limit the total is linear. Longer pieces are matched in windows, without look-ahead and look-behind across
    /// windows.
    static let windowSize = 4096

    /// The maximum number of progress reports in a window beyond one per position. The engine reports its progress at each
    /// position where a match might begin, and after about ten thousand steps, so this number of reports takes a fraction of a
    /// second. Nested repetitions can take exponential time. A text that causes this has no further matches in its window.
    private static let maximumReports = 500

    init(_ regex: String) throws(RegexDialect.Unsupported) {
        let pattern = try RegexDialect.icuPattern(of: regex)
        // As in Oniguruma, ^ and $ are line anchors, and only LF ends a line.
        let options: NSRegularExpression.Options = [.anchorsMatchLines, .useUnixLineSeparators]
        guard let expression = try? NSRegularExpression(pattern: pattern, options: options) else {
            throw RegexDialect.Unsupported(construct: regex)
        }
        self.expression = expression
    }

    func forEachMatch(in text: PieceReader, _ body: (Range<Int>) -> Void) {
        var start = text.piece.lowerBound
        var last = -1
        while start < text.piece.upperBound, !Cancellation.isRequested {
            let end = text.startOfCharacter(at: min(start + RegexPattern.windowSize, text.piece.upperBound))
            var matches = matches(in: text, start..<end)
            // The last match might extend beyond the window, so it is matched again in the next one.
            if end < text.piece.upperBound, matches.count > 1 { matches.removeLast() }
            // The reference skips an empty match directly after another match.
            for match in matches where !(match.isEmpty && match.lowerBound == last) {
                body(match)
                last = match.upperBound
            }
            let next = matches.last?.upperBound ?? end
            start = end == text.piece.upperBound || next <= start ? end : next
        }
    }

    private func matches(in text: PieceReader, _ range: Range<Int>) -> [Range<Int>] {
        let string = String(decoding: text.bytes[range], as: UTF8.self)
        var position = range.lowerBound
        var units = 0
        /// Returns the byte offset of a UTF-16 offset. Offsets are ascending, so one pass over the bytes finds all of them.
        func offset(ofUnit unit: Int) -> Int {
            while units < unit {
                let length = text.scalar(at: position).length
                position += length
                units += length == 4 ? 2 : 1
            }
            return position
        }
        let whole = NSRange(location: 0, length: string.utf16.count)
        var matches: [Range<Int>] = []
        var spareReports = RegexPattern.maximumReports + whole.length
        expression.enumerateMatches(in: string, options: .reportProgress, range: whole) { match, _, stop in
            if let range = match?.range {
                let start = offset(ofUnit: range.location)
                matches.append(start..<offset(ofUnit: range.location + range.length))
                // Each search begins with a report.
                spareReports += 2
            } else {
                spareReports -= 1
                if spareReports < 0 { stop.pointee = true }
            }
        }
        return matches
    }
}
