import Basics
import Foundation

/// A regular expression that has no scanner of its own, run by ICU.
///
/// The reference's engine is Oniguruma: ``RegexDialect`` rewrites what the two spell differently and refuses what only
/// one of them has. Never Swift's own `Regex`, whose Unicode version and grapheme semantics cut texts elsewhere.
struct RegexPattern: Sendable {
    private let expression: NSRegularExpression

    /// The longest part of a piece, in bytes, that the engine sees at once. A backtracking engine can be quadratic in
    /// its text; this keeps it linear in ours. Longer pieces are matched window by window, so that look-ahead and
    /// look-behind across windows are lost.
    static let windowSize = 4096

    /// The engine reports its progress at each place where a match might begin, and after some ten thousand steps. So
    /// many reports beyond the places take a fraction of a second: nested repetitions can take exponential time, and a
    /// text that makes them do so has no further matches in its window.
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
            // The last match might go on beyond the window.
            if end < text.piece.upperBound, matches.count > 1 { matches.removeLast() }
            // The reference passes over an empty match right behind another one.
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
        /// UTF-16 offsets come in ascending order, so one walk over the bytes finds them all.
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
