import Basics

/// Reads the characters of one piece of well-formed UTF-8, and their classes.
///
/// Only the piece is visible: look-ahead ends at its end, as in the reference.
///
/// This is the only place in the tokenizer that reads text through a pointer. Scanners read every character, and would otherwise
/// spend most of their time on bounds checks and reference counting.
struct PieceReader {
    /// The whole text. It must outlive the reader.
    let bytes: UnsafeBufferPointer<UInt8>
    var piece: Range<Int>
    private let classes = CharacterClasses.unicode16

    init(_ bytes: UnsafeBufferPointer<UInt8>, _ piece: Range<Int>) {
        precondition(piece.lowerBound >= 0 && piece.upperBound <= bytes.count, "a piece is inside its text")
        self.bytes = bytes
        self.piece = piece
    }

    /// The bytes of the piece.
    var content: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[piece]) }

    /// Returns the class of the character at `position` and its length in bytes, or the empty class and 0 at the end.
    func character(at position: Int) -> (class: CharacterClass, length: Int) {
        guard position < piece.upperBound else { return ([], 0) }
        let (scalar, length) = scalar(at: position)
        return (classes[scalar], length)
    }

    /// Returns the code point at `position`, which must be inside the piece, and its length in bytes.
    func scalar(at position: Int) -> (value: UInt32, length: Int) {
        let first = UInt32(bytes[position])
        if first < 0x80 { return (first, 1) }
        let second = UInt32(bytes[position + 1]) & 0x3F
        if first < 0xE0 { return ((first & 0x1F) << 6 | second, 2) }
        let third = UInt32(bytes[position + 2]) & 0x3F
        if first < 0xF0 { return ((first & 0x0F) << 12 | second << 6 | third, 3) }
        return ((first & 0x07) << 18 | second << 12 | third << 6 | UInt32(bytes[position + 3]) & 0x3F, 4)
    }

    /// Returns the byte at `position`, or `nil` at the end.
    func byte(at position: Int) -> UInt8? {
        position < piece.upperBound ? bytes[position] : nil
    }

    /// Returns the end of the run of `members` that begins at `position`, or `position` if there is none. If ``Cancellation`` is
    /// requested, a long run ends early.
    func endOfRun(of members: CharacterClass, from position: Int, atMost limit: Int = .max) -> Int {
        var end = position
        var left = limit
        while left > 0 {
            var stretch = min(left, Self.runStretch)
            left -= stretch
            while stretch > 0 {
                let (kind, length) = character(at: end)
                guard members.intersects(kind) else { return end }
                end += length
                stretch -= 1
            }
            if left > 0, Cancellation.isRequested { return end }
        }
        return end
    }

    /// The number of characters of a run between two checks for cancellation. Each has at most four bytes.
    private static let runStretch = Cancellation.checkpointBytes / 4

    /// Returns the end of the run of bytes from `position` that `belongs` accepts. If ``Cancellation`` is requested, the run may
    /// end early.
    @inline(__always)
    func endOfBytes(from position: Int, where belongs: (UInt8) -> Bool) -> Int {
        var end = position
        while end < piece.upperBound {
            let stop = min(piece.upperBound, end + Cancellation.checkpointBytes)
            while end < stop {
                guard belongs(bytes[end]) else { return end }
                end += 1
            }
            if end < piece.upperBound, Cancellation.isRequested { return end }
        }
        return end
    }

    /// Returns the start of the character before `position`.
    func start(before position: Int) -> Int {
        startOfCharacter(at: position - 1)
    }

    /// Returns the start of the character that contains `position`, or `position` itself at the end of the piece.
    func startOfCharacter(at position: Int) -> Int {
        var start = position
        while start < piece.upperBound, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    func isNewline(at position: Int) -> Bool {
        position < piece.upperBound && (bytes[position] == 0x0A || bytes[position] == 0x0D)
    }

    /// Returns the end of the run of CR and LF that begins at `position`.
    func endOfNewlines(from position: Int) -> Int {
        endOfBytes(from: position) { $0 == 0x0A || $0 == 0x0D }
    }
}

extension [UInt8] {
    /// Calls `body` with a reader of the bytes, which must be well-formed UTF-8, or of `piece`.
    func withReader<T>(of piece: Range<Int>? = nil, _ body: (PieceReader) -> T) -> T {
        withUnsafeBufferPointer { body(PieceReader($0, piece ?? indices)) }
    }
}
