import Basics
import Foundation

/// A regular expression without a hand-written scanner, run by ICU.
///
/// The reference's engine is Oniguruma: ``RegexDialect`` converts the syntax and refuses constructs that only one of them has.
/// Swift's own `Regex` is not used, because its Unicode version and grapheme semantics split texts differently.
struct RegexPattern: Sendable {
    private let expression: NSRegularExpression

    /// The maximum length of a piece, in bytes, that the engine processes at once. A backtracking engine can be quadratic in
    /// its text; this makes the total linear. Longer pieces are matched in windows, without look-ahead and look-behind across
    /// windows.
    static let windowSize = 4096

    /// The engine reports its progress at each position where a match might begin, and after about ten thousand steps. This
    /// number of reports beyond the positions takes a fraction of a second. Nested repetitions can take exponential time; a
    /// text that causes this has no further matches in its window.
    private static let maximumReports = 500

    init(_ regex: String) throws(RegexDialect.Unsupported) {
        let pattern = try RegexDialect.icuPattern(of: regex)
        // As in Oniguruma, ^ and $ are anchors of lines, and a line ends at LF alone.
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
            // The last match might extend beyond the window.
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
        /// UTF-16 offsets are ascending, so one pass over the bytes finds them all.
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
                // The next search begins with a report.
                spareReports += 2
            } else {
                spareReports -= 1
                if spareReports < 0 { stop.pointee = true }
            }
        }
        return matches
    }
}
