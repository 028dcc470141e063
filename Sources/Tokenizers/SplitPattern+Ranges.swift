import Basics

/// Patterns of the form `[a-bc-d…]+`, which separate runs of certain scripts.
extension SplitPattern {
    /// Returns the ranges of a character class of plain code points and ranges that is repeated by `+`, or `nil` for other
    /// patterns.
    static func parseRanges(_ regex: String) -> [ClosedRange<UInt32>]? {
        let scalars = regex.unicodeScalars.map(\.value)
        guard scalars.count > 3, scalars.first == 0x5B, scalars.suffix(2) == [0x5D, 0x2B] else { return nil }
        let members = scalars.dropFirst().dropLast(2)
        // These characters have a special meaning in a class: [ ] \ ^ &.
        guard members.allSatisfy({ ![0x5B, 0x5D, 0x5C, 0x5E, 0x26].contains($0) }) else { return nil }
        var ranges: [ClosedRange<UInt32>] = []
        var position = members.startIndex
        while position < members.endIndex {
            let first = members[position]
            guard first != hyphen else { return nil }
            if position + 2 < members.endIndex, members[position + 1] == hyphen {
                let last = members[position + 2]
                guard first <= last, last != hyphen else { return nil }
                ranges.append(first...last)
                position += 3
            } else {
                ranges.append(first...first)
                position += 1
            }
        }
        return ranges
    }

    static func endOfRun(in text: PieceReader, at position: Int, of ranges: [ClosedRange<UInt32>]) -> Int {
        var end = position
        var steps = 0
        while end < text.piece.upperBound {
            steps &+= 1
            if steps % 4096 == 0, Cancellation.isRequested { return end }
            let (scalar, length) = text.scalar(at: end)
            guard ranges.contains(where: { $0.contains(scalar) }) else { break }
            end += length
        }
        return end
    }

    private static let hyphen: UInt32 = 0x2D
}
