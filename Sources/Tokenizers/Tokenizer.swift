import Basics
import Foundation
import JSON

/// Converts text to token ids and back, as defined by a `tokenizer.json`.
///
/// The supported components are a closed set: byte-level byte pair encoding and its variants. A file with any other component is
/// rejected with an error that names it, because ignoring the component would silently give different ids.
///
/// Tokens are compared by their bytes, never by the canonical equivalence of `String`.
public final class Tokenizer: Sendable {
    private let vocabulary: Vocabulary
    /// The text of each token.
    let texts: TokenTexts
    private let rawMatcher: AddedTokenMatcher
    private let normalizedMatcher: AddedTokenMatcher
    private let normalizer: Normalizer
    private let preTokenizer: PreTokenizer
    private let model: BytePairEncoding
    private let postProcessor: PostProcessor
    private let scratches = EncodingScratchPool()

    /// Reads the `tokenizer.json` at `url`.
    ///
    /// - Parameter literals: the literals of the model's chat template; see `ChatTemplate.literals`. An added token that occurs
    ///   in them is guarded like a special token: it is never produced from untrusted text.
    /// - Throws: `TokenizerError` if the file cannot be read, is malformed or inconsistent, or has an unsupported component.
    public convenience init(contentsOf url: URL, guarding literals: [String] = []) throws(TokenizerError) {
        let bytes: [UInt8]
        do throws(RegularFile.Failure) {
            bytes = try RegularFile.read(url.path, atMost: TokenizerLimits.fileBytes)
        } catch {
            throw .unreadable(path: url.path, reason: error.description)
        }
        try self.init(parsing: bytes, guarding: literals)
    }

    /// Parses the contents of a `tokenizer.json`. `truncation` and `padding` are ignored.
    ///
    /// - Parameter literals: the same as in ``init(contentsOf:guarding:)``.
    /// - Throws: the same errors as ``init(contentsOf:guarding:)``.
    public convenience init(parsing bytes: [UInt8], guarding literals: [String] = []) throws(TokenizerError) {
        let parsed = try TokenizerFile(bytes)
        let file = parsed.components
        var vocabulary = parsed.vocabulary
        let preTokenizer = try PreTokenizer(parsing: file["pre_tokenizer"])
        let model = try BytePairEncoding(
            parsing: file["model"], merges: parsed.merges, vocabulary: vocabulary, isByteLevel: preTokenizer.isByteLevel
        )
        let addedTokens = try AddedToken.parse(file["added_tokens"], into: &vocabulary).guarding(literals)
        try self.init(
            vocabulary, addedTokens, try Normalizer(parsing: file["normalizer"]), preTokenizer, model,
            try PostProcessor(parsing: file["post_processor"]), try TokenDecoder(parsing: file["decoder"]))
    }

    /// Creates a byte-level tokenizer with the tokens of `vocabulary`.
    ///
    /// - Parameter literals: the same as in ``init(contentsOf:guarding:)``.
    /// - Throws: `TokenizerError` if two tokens have the same text.
    public convenience init(
        _ vocabulary: ByteLevelVocabulary, guarding literals: [String] = []
    ) throws(TokenizerError) {
        func member(_ value: JSONValue) -> TokenizerMember { TokenizerMember(path: "", value: value) }
        let splitting = vocabulary.splitting
        let model = try BytePairEncoding(
            parsing: member(["ignore_merges": .bool(splitting.ignoresMerges)]), merges: vocabulary.merges,
            vocabulary: vocabulary.model, isByteLevel: true)
        try self.init(
            try vocabulary.allTokens(), vocabulary.addedTokens.guarding(literals),
            try Normalizer(parsing: member(.null)), try PreTokenizer(parsing: member(splitting.preTokenizer)), model,
            PostProcessor(prefix: vocabulary.prefix, suffix: vocabulary.suffix),
            try TokenDecoder(parsing: member(["type": "ByteLevel"])))
    }

    private init(
        _ vocabulary: Vocabulary, _ addedTokens: [AddedToken], _ normalizer: Normalizer, _ preTokenizer: PreTokenizer,
        _ model: BytePairEncoding, _ postProcessor: PostProcessor, _ decoder: TokenDecoder
    ) throws(TokenizerError) {
        var normalForms: [Int32: [UInt8]] = [:]
        var normalBytes = 0
        for token in addedTokens where token.isNormalized {
            let form = normalizer.normalize(Array(token.content.utf8))
            normalBytes += form.count
            try TokenizerLimits.check(
                normalBytes, of: "added_tokens", "normalised bytes", atMost: TokenizerLimits.allAddedTokenBytes)
            normalForms[token.id] = form
        }
        texts = TokenTexts(
            decoder, vocabulary.table.tokens, normalForms: normalForms,
            specialIDs: Set(addedTokens.filter(\.isSpecial).map(\.id)))
        rawMatcher = AddedTokenMatcher(addedTokens.filter { !$0.isNormalized }) { Array($0.content.utf8) }
        normalizedMatcher = AddedTokenMatcher(addedTokens.filter(\.isNormalized)) { [normalForms] in
            normalForms[$0.id] ?? []
        }
        self.preTokenizer = preTokenizer
        self.model = model
        self.postProcessor = postProcessor
        self.normalizer = normalizer
        self.vocabulary = vocabulary
    }

    /// Returns the token ids of `text`.
    ///
    /// - Parameters:
    ///   - addSpecialTokens: whether to add the file's special tokens around the text, often a token for its beginning. Do not
    ///     use it for rendered chats, because the template writes such tokens itself.
    ///   - specialTokensAsText: whether special tokens and other guarded tokens in the text are encoded as ordinary text. Use it
    ///     for users' text. Other added tokens are still recognized.
    public func encode(_ text: String, addSpecialTokens: Bool, specialTokensAsText: Bool = false) -> [Int32] {
        encode([TextRun(text: text, isTrusted: !specialTokensAsText)], addSpecialTokens: addSpecialTokens)
    }

    /// Returns the token ids of all `runs` as one text. Special tokens and other guarded tokens are recognized only in trusted
    /// runs.
    ///
    /// The ids are those of the joined text, except that a guarded token is recognized only where all of its bytes are trusted.
    /// Elsewhere its characters are ordinary text. Words and merges extend across the boundaries of runs, and other added tokens
    /// are recognized everywhere.
    ///
    /// If ``Cancellation`` is requested, the ids end early.
    ///
    /// If a normalizer moves text across a trust boundary (for example, combines a letter with the following accent), special
    /// tokens that are searched for in normalized text are ordinary text in that whole segment.
    ///
    /// - Parameters:
    ///   - runs: adjacent parts of the text. Runs may be empty and may be split anywhere.
    ///   - addSpecialTokens: the same as in ``encode(_:addSpecialTokens:specialTokensAsText:)``.
    public func encode(_ runs: [TextRun], addSpecialTokens: Bool) -> [Int32] {
        var bytes: [UInt8] = []
        var trust = TrustMap()
        for (index, run) in runs.enumerated() {
            if index % 4096 == 4095, Cancellation.isRequested { break }
            bytes += run.text.utf8
            trust.append(count: run.text.utf8.count, isTrusted: run.isTrusted)
        }
        var ids = addSpecialTokens ? postProcessor.prefix : []
        scratches.withScratch { scratch in
            bytes.withReader { encode($0, trust, with: &scratch, into: &ids) }
        }
        return addSpecialTokens ? ids + postProcessor.suffix : ids
    }

    /// Returns the text of `ids`. Ids without a token add nothing, and invalid UTF-8 becomes U+FFFD.
    ///
    /// If ``Cancellation`` is requested, the text ends early.
    ///
    /// - Parameter skipSpecialTokens: whether to omit special tokens.
    public func decode(_ ids: [Int32], skipSpecialTokens: Bool) -> String {
        var stream = TokenTexts.Stream(texts, skipsSpecialTokens: skipSpecialTokens, isExact: true)
        var text: [UInt8] = []
        for (index, id) in ids.enumerated() {
            if index % 4096 == 4095, Cancellation.isRequested { break }
            text += stream.append(id, of: texts)
        }
        text += stream.flush()
        return String(decoding: text, as: UTF8.self)
    }

    /// Returns the maximum number of bytes of the text of `ids`, before invalid UTF-8 is replaced. O(ids).
    public func textBytes(of ids: [Int32]) -> Int {
        ids.reduce(0) { $0 + (texts[$1]?.count ?? 0) }
    }

    /// Returns the bytes of the token `id`, which may be only a part of a character. The result is empty for an id without a
    /// token and for a special token that is skipped.
    public func bytes(of id: Int32, skipSpecialTokens: Bool) -> [UInt8] {
        skipSpecialTokens && isSpecial(id) ? [] : Array(texts[id] ?? [])
    }

    /// Returns the bytes of each token by id, empty for tokens that do not occur in text. If ``Cancellation`` is requested, the
    /// remaining tokens are empty.
    ///
    /// - Complexity: O(bytes of the vocabulary).
    public func vocabularyBytes(skipSpecialTokens: Bool) -> [[UInt8]] {
        (0..<Int32(vocabularySize)).map { id in
            if id & 4095 == 0, Cancellation.isRequested { return [] }
            return bytes(of: id, skipSpecialTokens: skipSpecialTokens)
        }
    }

    /// Returns the id of the token whose content in the vocabulary has exactly the bytes of `token`, or `nil` if there is none.
    public func id(of token: String) -> Int32? {
        vocabulary.table.id(of: token)
    }

    /// Returns the content of the token `id` in the vocabulary, or `nil` if no token has this id.
    public func token(of id: Int32) -> String? {
        vocabulary.table.tokens[id].map { String(decoding: $0, as: UTF8.self) }
    }

    /// Returns the total number of bytes in the contents of the tokens `ids`. O(ids).
    public func contentBytes(of ids: [Int32]) -> Int {
        ids.reduce(0) { $0 + (vocabulary.table.tokens[$1]?.count ?? 0) }
    }

    /// Whether `id` is a special token, which marks structure and is not part of the text.
    public func isSpecial(_ id: Int32) -> Bool {
        texts.isSpecial(id)
    }

    /// The highest id + 1. Lower ids may have no token.
    public var vocabularySize: Int {
        vocabulary.table.tokens.count
    }
}

extension Tokenizer {
    private func encode(
        _ text: PieceReader, _ trust: TrustMap, with scratch: inout EncodingScratch, into ids: inout [Int32]
    ) {
        for part in rawMatcher.split(text, trust: trust) {
            if Cancellation.isRequested { return }
            switch part {
            case .token(let id): ids.append(id)
            case .text(let range):
                let isStart = range.lowerBound == 0
                if normalizer.isIdentity {
                    var segment = text
                    segment.piece = range
                    encodeSegment(segment, trust, isStart, with: &scratch, into: &ids)
                } else {
                    let (segment, trust) = normalizer.normalize(Array(text.bytes[range]), trust.slice(range))
                    segment.withReader { encodeSegment($0, trust, isStart, with: &scratch, into: &ids) }
                }
            }
        }
    }

    /// - Parameters:
    ///   - segment: normalized text.
    ///   - isStart: whether the segment is the beginning of the whole input.
    private func encodeSegment(
        _ segment: PieceReader, _ trust: TrustMap, _ isStart: Bool, with scratch: inout EncodingScratch,
        into ids: inout [Int32]
    ) {
        let start = segment.piece.lowerBound
        for part in normalizedMatcher.split(segment, trust: trust) {
            switch part {
            case .token(let id): ids.append(id)
            case .text(let range):
                var text = segment
                text.piece = range
                let isStart = isStart && range.lowerBound == start
                let rewritten = preTokenizer.cut(text, isStart: isStart, into: &scratch.pieces)
                if let rewritten {
                    rewritten.withReader { encodePieces(of: $0, with: &scratch, into: &ids) }
                } else {
                    encodePieces(of: text, with: &scratch, into: &ids)
                }
            }
        }
    }

    private func encodePieces(of text: PieceReader, with scratch: inout EncodingScratch, into ids: inout [Int32]) {
        var reader = text
        var checkpoint = SplitPattern.checkpointBytes
        for index in scratch.pieces.list.indices {
            reader.piece = scratch.pieces.list[index]
            if reader.piece.lowerBound >= checkpoint {
                checkpoint = reader.piece.lowerBound + SplitPattern.checkpointBytes
                if Cancellation.isRequested { return }
            }
            model.encode(reader, with: &scratch, into: &ids)
        }
    }
}
