import Basics

/// The symbols of a piece before any merge: one per byte in a byte-level model, one per character in other models.
struct InitialSymbols: Sendable {
    private let isByteLevel: Bool
    /// The token of each byte in a byte-level model, otherwise of each character below U+10000; ``missing`` if there is no token.
    private var tokens: [Int32]
    private let vocabulary: TokenTable
    /// The tokens `<0x00>` to `<0xFF>`, which encode characters without a token, or `nil` without `byte_fallback`.
    private var byteTokens: [Int32]?
    private let unknown: Int32?
    private let fusesUnknown: Bool

    private static let missing: Int32 = -1

    init(parsing model: TokenizerMember, vocabulary: Vocabulary, isByteLevel: Bool) throws(TokenizerError) {
        self.isByteLevel = isByteLevel
        self.vocabulary = vocabulary.table
        fusesUnknown = try model["fuse_unk"].bool(default: false)
        unknown = try InitialSymbols.parseUnknown(model["unk_token"], vocabulary)
        if try model["byte_fallback"].bool(default: false) {
            byteTokens = (0...UInt8.max).map { vocabulary.table.id(of: ByteToken.content(of: $0)) ?? Self.missing }
        }
        if isByteLevel {
            tokens = ByteAlphabet.characters.map { vocabulary.table.id(of: String($0)) ?? Self.missing }
        } else {
            tokens = (0..<0x10000).map { value in
                Unicode.Scalar(value).flatMap { vocabulary.table.id(of: String($0)) } ?? Self.missing
            }
        }
    }

    /// Appends the symbols of the reader's piece.
    func append(_ text: PieceReader, to symbols: inout [Int32]) {
        var followsUnknown = false
        var position = text.piece.lowerBound
        var checkpoint = position + SplitPattern.checkpointBytes
        while position < text.piece.upperBound {
            if position >= checkpoint {
                checkpoint = position + SplitPattern.checkpointBytes
                if Cancellation.isRequested { return }
            }
            let value: UInt32
            if isByteLevel {
                let byte = Int(text.bytes[position])
                position += 1
                if tokens[byte] != InitialSymbols.missing {
                    symbols.append(tokens[byte])
                    followsUnknown = false
                    continue
                }
                value = ByteAlphabet.characters[byte].value
            } else {
                let (scalar, length) = text.scalar(at: position)
                position += length
                if let token = token(of: scalar) {
                    symbols.append(token)
                    followsUnknown = false
                    continue
                }
                value = scalar
            }
            appendMissing(value, to: &symbols, &followsUnknown)
        }
    }

    private func token(of scalar: UInt32) -> Int32? {
        if !isByteLevel, scalar < 0x10000 {
            let token = tokens[Int(scalar)]
            return token == InitialSymbols.missing ? nil : token
        }
        return Unicode.Scalar(scalar).flatMap { vocabulary.id(of: String($0)) }
    }

    /// Appends a character without a token: its byte tokens if they exist, otherwise the unknown token if there is one, as in the
    /// reference.
    private func appendMissing(_ value: UInt32, to symbols: inout [Int32], _ followsUnknown: inout Bool) {
        if let byteTokens, let bytes = Unicode.Scalar(value).flatMap(UTF8.encode) {
            let spelled = bytes.map { byteTokens[Int($0)] }
            if !spelled.contains(InitialSymbols.missing) {
                symbols += spelled
                followsUnknown = false
                return
            }
        }
        guard let unknown else { return }
        if !(followsUnknown && fusesUnknown) { symbols.append(unknown) }
        followsUnknown = true
    }

    private static func parseUnknown(
        _ member: TokenizerMember, _ vocabulary: Vocabulary
    ) throws(TokenizerError) -> Int32? {
        if member.isNull { return nil }
        guard let id = vocabulary.table.id(of: try member.string) else {
            throw member.expected("a token of the vocabulary")
        }
        return id
    }
}

/// Tokens of the form `<0xE9>`, which represent one byte of a character without a token.
enum ByteToken {
    static func content(of byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "<0x" + (byte < 0x10 ? "0" : "") + digits + ">"
    }

    /// Returns the byte that `content` represents, or `nil` if it is not a byte token.
    static func byte(of content: some Collection<UInt8>) -> UInt8? {
        guard content.count == 6, content.starts(with: "<0x".utf8), content.dropFirst(5).first == UInt8(ascii: ">")
        else {
            return nil
        }
        return UInt8(String(decoding: content.dropFirst(3).prefix(2), as: UTF8.self), radix: 16)
    }
}
