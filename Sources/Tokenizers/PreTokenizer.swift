import Basics

/// Splits a segment into the pieces that the model encodes. Each stage splits the pieces of the previous stage.
struct PreTokenizer: Sendable {
    private enum Stage: Sendable {
        /// Adds a space before each piece that does not begin with one.
        case prefixSpace
        /// Replaces spaces with `replacement`, and adds another one in front of each piece, depending on `prepends`.
        case metaspace(replacement: [UInt8], prepends: MetaspacePrefix)
        /// Replaces bytes with characters of the byte alphabet.
        case byteAlphabet
        case split(SplitPattern, SplitBehavior)
    }

    private enum MetaspacePrefix: Sendable {
        case always
        /// Only at the beginning of the whole input.
        case first
        case never
    }

    private var stages: [Stage] = []
    private var growth = TokenizerGrowth("pre_tokenizer")
    /// Whether the last stage maps bytes to characters of the byte alphabet. In this case the model does the mapping, so that
    /// pieces stay plain UTF-8.
    private(set) var isByteLevel = false

    /// Without a pre-tokenizer, each segment is one piece.
    init(parsing member: TokenizerMember) throws(TokenizerError) {
        if !member.isNull { try add(member) }
    }

    /// Writes the nonempty pieces of the reader's piece to `pieces.list`.
    ///
    /// - Parameter isStart: whether the segment is the beginning of the whole input.
    /// - Returns: the text that contains the pieces, if it is not the reader's own text.
    func cut(_ text: PieceReader, isStart: Bool, into pieces: inout PieceList) -> [UInt8]? {
        pieces.list.removeAll(keepingCapacity: true)
        guard !text.piece.isEmpty else { return nil }
        pieces.list.append(text.piece)
        var rewritten: [UInt8]?
        for stage in stages {
            if let current = rewritten {
                rewritten = current.withReader { apply(stage, to: $0, isStart, &pieces) } ?? current
            } else {
                rewritten = apply(stage, to: text, isStart, &pieces)
            }
        }
        return rewritten
    }

    /// - Returns: the new text if the stage changes it, or `nil`.
    private func apply(
        _ stage: Stage, to text: PieceReader, _ isStart: Bool, _ pieces: inout PieceList
    ) -> [UInt8]? {
        switch stage {
        case .prefixSpace:
            return pieces.rewrite { piece, _, output in
                if text.bytes[piece.lowerBound] != UInt8(ascii: " ") { output.append(UInt8(ascii: " ")) }
                output += text.bytes[piece]
            }
        case .byteAlphabet:
            return pieces.rewrite { piece, _, output in
                PieceList.forEachByte(of: text.bytes[piece]) { byte in
                    output += UTF8.encode(ByteAlphabet.characters[Int(byte)]) ?? .init()
                }
            }
        case .metaspace(let replacement, let prepends):
            return pieces.rewrite { piece, isFirst, output in
                let start = output.count
                PieceList.forEachByte(of: text.bytes[piece]) { byte in
                    if byte == UInt8(ascii: " ") { output += replacement } else { output.append(byte) }
                }
                let mayPrepend = prepends == .always || (prepends == .first && isFirst && isStart)
                if mayPrepend, !output[start...].starts(with: replacement) {
                    output.insert(contentsOf: replacement, at: start)
                }
            }
        case .split(let pattern, let behavior):
            pieces.split(text, pattern, behavior)
            return nil
        }
    }
}

/// The pieces of a segment, and memory for the next stage.
struct PieceList {
    var list: [Range<Int>] = []
    private var spare: [Range<Int>] = []

    /// Frees the memory if the text was very long.
    mutating func trim() {
        if max(list.capacity, spare.capacity) > 1 << 16 { self = PieceList() }
    }

    fileprivate mutating func split(_ text: PieceReader, _ pattern: SplitPattern, _ behavior: SplitBehavior) {
        spare.removeAll(keepingCapacity: true)
        var reader = text
        var checkpoint = SplitPattern.checkpointBytes
        for piece in list {
            if piece.lowerBound >= checkpoint {
                checkpoint = piece.lowerBound + SplitPattern.checkpointBytes
                if Cancellation.isRequested { break }
            }
            reader.piece = piece
            behavior.split(reader, by: pattern, into: &spare)
        }
        swap(&list, &spare)
    }

    /// Passes the bytes to `body`. Stops early if ``Cancellation`` is requested.
    @inline(__always)
    fileprivate static func forEachByte(of bytes: Slice<UnsafeBufferPointer<UInt8>>, _ body: (UInt8) -> Void) {
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: SplitPattern.checkpointBytes) {
            if start > bytes.startIndex, Cancellation.isRequested { return }
            for byte in bytes[start..<min(start + SplitPattern.checkpointBytes, bytes.endIndex)] { body(byte) }
        }
    }

    /// - Parameter body: appends the new text of a piece. Its second argument is true for the first piece.
    fileprivate mutating func rewrite(_ body: (Range<Int>, Bool, inout [UInt8]) -> Void) -> [UInt8] {
        var output: [UInt8] = []
        var checkpoint = SplitPattern.checkpointBytes
        for index in list.indices {
            if list[index].lowerBound >= checkpoint {
                checkpoint = list[index].lowerBound + SplitPattern.checkpointBytes
                if Cancellation.isRequested {
                    list.removeLast(list.count - index)
                    break
                }
            }
            let start = output.count
            body(list[index], index == 0, &output)
            list[index] = start..<output.count
        }
        return output
    }
}

extension PreTokenizer {
    private mutating func add(_ member: TokenizerMember) throws(TokenizerError) {
        if isByteLevel {
            // The next stages work on the characters of the alphabet.
            stages.append(.byteAlphabet)
            try growth.add(2)
            isByteLevel = false
        }
        switch try member.type {
        case "Sequence":
            for part in try member["pretokenizers"].elements { try add(part) }
        case "Split":
            let pattern = try SplitPattern(parsing: member["pattern"])
            stages.append(.split(pattern, try SplitBehavior(parsing: member)))
            try growth.add(1)
        case "Digits":
            let individual = try member["individual_digits"].bool(default: false)
            stages.append(.split(.groups(of: .number, atMost: individual ? 1 : .max), .isolated))
            try growth.add(1)
        case "ByteLevel":
            if try member["add_prefix_space"].bool(default: true) {
                stages.append(.prefixSpace)
                try growth.add(2)
            }
            if try member["use_regex"].bool(default: true) { stages.append(.split(.gpt2, .isolated)) }
            isByteLevel = true
        case "Metaspace": try addMetaspace(member)
        case let other: throw member.unsupported(other)
        }
    }

    private mutating func addMetaspace(_ member: TokenizerMember) throws(TokenizerError) {
        let given = member["replacement"]
        let replacement = given.isNull ? Array(WordMark.content.utf8) : try TokenizerLimits.literal(given)
        // One replacement per space, and one in front of each piece.
        try growth.add(2 * max(replacement.count, 1))
        let prepends: MetaspacePrefix
        switch try member["prepend_scheme"].string(default: "always") {
        case "always": prepends = .always
        case "first": prepends = .first
        case "never": prepends = .never
        case let other: throw member["prepend_scheme"].unsupported(other)
        }
        // Old files use this option instead of a scheme.
        let addsPrefix = try member["add_prefix_space"].bool(default: true)
        let isOldNever = member["prepend_scheme"].isNull && !addsPrefix
        stages.append(.metaspace(replacement: replacement, prepends: isOldNever ? .never : prepends))
        if try member["split"].bool(default: true) {
            stages.append(.split(.literal(replacement), .matchesJoinNext))
        }
    }
}
