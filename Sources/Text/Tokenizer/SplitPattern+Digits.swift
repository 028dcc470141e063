/// Patterns that are linear here and would be quadratic in a backtracking engine: each digit run is counted once.
extension SplitPattern {
    /// `\p{Nd}{1,3}(?=(?:\p{Nd}{3})*(?!\p{Nd}))`: the digits in threes from the right of each run.
    static func digitTriples(in text: PieceReader) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var position = text.piece.lowerBound
        while position < text.piece.upperBound {
            var digits: [Int] = []
            while case (let kind, let length) = text.character(at: position), kind == .decimalDigit {
                digits.append(position)
                position += length
            }
            guard !digits.isEmpty else {
                position += text.scalar(at: position).length
                continue
            }
            var first = 0
            while first < digits.count {
                let next = first + (digits.count - first - 1) % 3 + 1
                result.append(digits[first]..<(next < digits.count ? digits[next] : position))
                first = next
            }
        }
        return result
    }

    /// `(?=(?:\p{Nd}{3})+(?!\p{Nd}))`: the empty place in front of every full three.
    static func digitTripleBoundaries(in text: PieceReader) -> [Range<Int>] {
        digitTriples(in: text)
            .filter { text.endOfRun(of: .decimalDigit, from: $0.lowerBound, atMost: 2) < $0.upperBound }
            .map { $0.lowerBound..<$0.lowerBound }
    }
}
