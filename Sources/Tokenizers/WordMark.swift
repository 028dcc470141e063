import Basics

/// U+2581, which represents the space before a word in SentencePiece vocabularies.
enum WordMark {
    static let content = "\u{2581}"
    private static let bytes = Array(content.utf8)

    static func begins(_ text: some Collection<UInt8>) -> Bool {
        text.starts(with: bytes)
    }

    static func ends(_ text: ArraySlice<UInt8>) -> Bool {
        text.suffix(bytes.count) == bytes[...]
    }

    /// Passes the words of the reader's piece to `body`. A word begins with the marks before it.
    static func forEachWord(in text: PieceReader, _ body: (Range<Int>) -> Void) {
        var start = text.piece.lowerBound
        var position = start
        var followsMark = true
        var checkpoint = position + SplitPattern.checkpointBytes
        while position < text.piece.upperBound {
            if position >= checkpoint {
                checkpoint = position + SplitPattern.checkpointBytes
                if Cancellation.isRequested { return }
            }
            let isMark = text.bytes[position] == bytes[0] && text.scalar(at: position).value == 0x2581
            if isMark, !followsMark {
                body(start..<position)
                start = position
            }
            followsMark = isMark
            position += isMark ? bytes.count : 1
        }
        if start < text.piece.upperBound { body(start..<text.piece.upperBound) }
    }
}
