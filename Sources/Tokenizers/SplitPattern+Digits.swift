import Basics

/// Patterns that a backtracking engine would match in quadratic time. Here they take linear time, because each run of digits is
/// counted once.
extension SplitPattern {
    /// Matches `\p{Nd}{1,3}(?=(?:\p{Nd}{3})*(?!\p{Nd}))`: the digits of each run in groups of three from the right. With
    /// `wordEnd`, the run must end at `\b` instead.
    static func forEachDigitTriple(in text: PieceReader, wordEnd: Bool, _ body: (Range<Int>) -> Void) {
        forEachDigitRun(in: text) { run, count in
            if wordEnd, CharacterClass.word.intersects(text.character(at: run.upperBound).class) { return }
            var start = run.lowerBound
            var left = count
            while left > 0 {
                if left % 4096 == 0, Cancellation.isRequested { return }
                let length = (left - 1) % 3 + 1
                let end = text.endOfRun(of: .decimalDigit, from: start, atMost: length)
                body(start..<end)
                start = end
                left -= length
            }
        }
    }

    /// Matches `(?=(?:\p{Nd}{3})+(?!\p{Nd}))`: the empty position before each group of three.
    static func forEachDigitTripleBoundary(in text: PieceReader, _ body: (Range<Int>) -> Void) {
        forEachDigitRun(in: text) { run, count in
            var start = text.endOfRun(of: .decimalDigit, from: run.lowerBound, atMost: count % 3)
            var steps = 0
            while start < run.upperBound {
                steps &+= 1
                if steps % 4096 == 0, Cancellation.isRequested { return }
                body(start..<start)
                start = text.endOfRun(of: .decimalDigit, from: start, atMost: 3)
            }
        }
    }

    private static func forEachDigitRun(in text: PieceReader, _ body: (Range<Int>, Int) -> Void) {
        var position = text.piece.lowerBound
        var steps = 0
        while position < text.piece.upperBound {
            steps &+= 1
            if steps % 4096 == 0, Cancellation.isRequested { return }
            let start = position
            var count = 0
            while case (let kind, let length) = text.character(at: position), kind == .decimalDigit {
                position += length
                count += 1
                if count % (1 << 14) == 0, Cancellation.isRequested { return }
            }
            if count > 0 { body(start..<position, count) } else { position += text.scalar(at: position).length }
        }
    }
}
