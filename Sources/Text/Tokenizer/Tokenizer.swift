import Foundation

/// Text to token ids and back, as a `tokenizer.json` describes it.
///
/// The components of the file form a closed set: byte-level byte pair encoding and what comes with it. A file with any
/// other component is refused by the component's name, since ignoring it would give other ids in silence.
///
/// Tokens are told apart by their bytes, never by the canonical equivalence of `String`.
public final class Tokenizer: Sendable {
    private let vocabulary: Vocabulary
    /// What each token adds to the text, by id.
    private let texts: TokenList
    private let specialIDs: Set<Int32>
    private let rawMatcher: AddedTokenMatcher
    private let normalizedMatcher: AddedTokenMatcher
    private let normalizer: Normalizer
    private let preTokenizer: PreTokenizer
    private let model: BytePairEncoding
    private let postProcessor: PostProcessor

    /// Reads the `tokenizer.json` at `url`.
    ///
    /// - Throws: `TokenizerError` when the file cannot be read, is malformed, contradicts itself or has a component
    ///   that is not supported.
    public convenience init(contentsOf url: URL) throws(TokenizerError) {
        let data: Data
        do { data = try Data(contentsOf: url) } catch {
            throw .unreadable(path: url.path, reason: error.localizedDescription)
        }
        let json: JSONValue
        do { json = try JSONValue(parsing: [UInt8](data)) } catch {
            throw .unreadable(path: url.path, reason: error.description)
        }
        try self.init(parsing: json)
    }

    /// Reads the contents of a `tokenizer.json`; `truncation` and `padding` are ignored.
    ///
    /// - Throws: as ``init(contentsOf:)``.
    public init(parsing json: JSONValue) throws(TokenizerError) {
        let file = TokenizerMember(path: "", value: json)
        var vocabulary = try Vocabulary(parsing: file["model"]["vocab"])
        model = try BytePairEncoding(parsing: file["model"], vocabulary: vocabulary)
        let addedTokens = try AddedToken.parse(file["added_tokens"], into: &vocabulary)
        let normalizer = try Normalizer(parsing: file["normalizer"])
        preTokenizer = try PreTokenizer(parsing: file["pre_tokenizer"])
        postProcessor = try PostProcessor(parsing: file["post_processor"])
        texts = try Tokenizer.parseDecoder(file["decoder"], vocabulary)
        specialIDs = Set(addedTokens.filter(\.isSpecial).map(\.id))
        rawMatcher = AddedTokenMatcher(addedTokens.filter { !$0.isNormalized }) { Array($0.content.utf8) }
        normalizedMatcher = AddedTokenMatcher(addedTokens.filter(\.isNormalized)) {
            Array(normalizer.normalize(Array($0.content.utf8)[...]))
        }
        self.normalizer = normalizer
        self.vocabulary = vocabulary
    }

    /// The token ids of `text`.
    ///
    /// - Parameters:
    ///   - addSpecialTokens: frames the text as the file says, often with a token for its beginning. Not for rendered
    ///     chats, whose template writes such tokens itself.
    ///   - specialTokensAsText: special tokens that are spelled out in the text are encoded as ordinary text; for what
    ///     users write. Added tokens that are not special are still found.
    public func encode(_ text: String, addSpecialTokens: Bool, specialTokensAsText: Bool = false) -> [Int32] {
        encode([TextRun(text: text, isTrusted: !specialTokensAsText)], addSpecialTokens: addSpecialTokens)
    }

    /// The token ids of all `runs` as one text, where only trusted runs have special tokens.
    ///
    /// The ids are those of the joined text, except that a special token counts only where all of its bytes are
    /// trusted; elsewhere its letters are ordinary text. Words and merges go across the borders of runs, and added
    /// tokens that are not special are found everywhere.
    ///
    /// Where a normalizer moves text across a border of trust (a letter takes the accent that follows it), special
    /// tokens that are sought in normalised text are ordinary text in all of that segment.
    ///
    /// - Parameters:
    ///   - runs: neighbours in the text; empty ones and any cuts are allowed.
    ///   - addSpecialTokens: as in ``encode(_:addSpecialTokens:specialTokensAsText:)``.
    public func encode(_ runs: [TextRun], addSpecialTokens: Bool) -> [Int32] {
        var bytes: [UInt8] = []
        var trust = TrustMap()
        for run in runs {
            bytes += run.text.utf8
            trust.append(count: run.text.utf8.count, isTrusted: run.isTrusted)
        }
        var ids = addSpecialTokens ? postProcessor.prefix : []
        var merger = PieceMerger()
        for part in rawMatcher.split(bytes, bytes.indices, trust: trust) {
            switch part {
            case .token(let id): ids.append(id)
            case .text(let range):
                let (segment, trust) = normalizer.normalize(bytes[range], trust)
                encode(segment, trust, with: &merger, into: &ids)
            }
        }
        return addSpecialTokens ? ids + postProcessor.suffix : ids
    }

    /// The text of `ids`: ids without a token add nothing, ill-formed UTF-8 becomes U+FFFD.
    ///
    /// - Parameter skipSpecialTokens: leaves special tokens out.
    public func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        var repair = UTF8Repair()
        var text: [UInt8] = []
        for id in ids { text += repair.append(self.text(of: id, skipSpecialTokens)) }
        text += repair.flush()
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that the token `id` adds to the text, perhaps a part of a character only; none for an id without a
    /// token and for a special token that is skipped.
    public func bytes(of id: Int32, skipSpecialTokens: Bool) -> [UInt8] {
        Array(text(of: id, skipSpecialTokens))
    }

    /// The id of the token whose content in the vocabulary is exactly `token`, byte by byte; `nil` if there is none.
    public func id(of token: String) -> Int32? {
        vocabulary.table.id(of: token)
    }

    /// The content of the token `id` as the vocabulary writes it; `nil` if no token has this id.
    public func token(of id: Int32) -> String? {
        vocabulary.table.tokens[id].map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether `id` is a special token: one that frames or steers and is no part of the text.
    public func isSpecial(_ id: Int32) -> Bool {
        specialIDs.contains(id)
    }

    /// The highest id + 1. Ids below may have no token.
    public var vocabularySize: Int {
        vocabulary.table.tokens.count
    }
}

extension Tokenizer {
    /// Encodes a normalised segment.
    private func encode(
        _ segment: [UInt8], _ trust: TrustMap, with merger: inout PieceMerger, into ids: inout [Int32]
    ) {
        for part in normalizedMatcher.split(segment, segment.indices, trust: trust) {
            switch part {
            case .token(let id): ids.append(id)
            case .text(let range):
                let (bytes, pieces) = preTokenizer.pieces(of: segment, range)
                for piece in pieces { model.encode(bytes, piece, with: &merger, into: &ids) }
            }
        }
    }

    private func text(of id: Int32, _ skipSpecialTokens: Bool) -> ArraySlice<UInt8> {
        skipSpecialTokens && isSpecial(id) ? [] : texts[id] ?? []
    }

    /// What each token decodes to. A token that is not of the byte alphabet stands for its own text.
    private static func parseDecoder(
        _ member: TokenizerMember, _ vocabulary: Vocabulary
    ) throws(TokenizerError) -> TokenList {
        guard !member.isNull else { throw member.unsupported("null") }
        let type = try member.type
        guard type == "ByteLevel" else { throw member.unsupported(type) }
        var texts = TokenList()
        for id in 0..<Int32(vocabulary.table.tokens.count) {
            guard let token = vocabulary.table.tokens[id] else { continue }
            texts.set(ByteAlphabet.decode(token) ?? Array(token), id: id)
        }
        return texts
    }
}
