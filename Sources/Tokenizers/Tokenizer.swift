import Basics
import Foundation
import JSON

/// Text to token ids and back, as a `tokenizer.json` describes it.
///
/// The supported components of the file are a closed set: byte-level byte pair encoding and its variants. A file with any other
/// component is refused with an error that names it, because ignoring the component would silently give other ids.
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
    /// - Parameter literals: the literals of the model's chat template, see `ChatTemplate.literals`. An added token that occurs
    ///   in them is guarded like a special one: it is never produced from untrusted text.
    /// - Throws: `TokenizerError` if the file cannot be read, is malformed or inconsistent, or has a component that is not
    ///   supported.
    public convenience init(contentsOf url: URL, guarding literals: [String] = []) throws(TokenizerError) {
        let bytes: [UInt8]
        do throws(RegularFile.Failure) {
            bytes = try RegularFile.read(url.path, atMost: TokenizerLimits.fileBytes)
        } catch {
            throw .unreadable(path: url.path, reason: error.description)
        }
        try self.init(parsing: bytes, guarding: literals)
    }

    /// Parses the contents of a `tokenizer.json`; `truncation` and `padding` are ignored.
    ///
    /// - Parameter literals: as in ``init(contentsOf:guarding:)``.
    /// - Throws: as ``init(contentsOf:guarding:)``.
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

    /// A byte-level tokenizer with the tokens of `vocabulary`.
    ///
    /// - Parameter literals: as in ``init(contentsOf:guarding:)``.
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

    /// The token ids of `text`.
    ///
    /// - Parameters:
    ///   - addSpecialTokens: adds the special tokens of the file around the text, often a token for its beginning. Not for
    ///     rendered chats, whose template writes such tokens itself.
    ///   - specialTokensAsText: encodes special tokens and other guarded tokens in the text as ordinary text; for text of
    ///     users. Other added tokens are still found.
    public func encode(_ text: String, addSpecialTokens: Bool, specialTokensAsText: Bool = false) -> [Int32] {
        encode([TextRun(text: text, isTrusted: !specialTokensAsText)], addSpecialTokens: addSpecialTokens)
    }

    /// The token ids of all `runs` as one text. Special tokens and other guarded tokens are found only in trusted runs.
    ///
    /// The ids are those of the joined text, except that a guarded token is found only where all of its bytes are trusted;
    /// elsewhere its characters are ordinary text. Words and merges extend across the boundaries of runs, and other added
    /// tokens are found everywhere.
    ///
    /// If ``Cancellation`` is requested, the ids end early.
    ///
    /// If a normalizer moves text across a boundary of trust (a letter is combined with the accent after it), special tokens
    /// that are searched for in normalized text are ordinary text in all of that segment.
    ///
    /// - Parameters:
    ///   - runs: adjacent parts of the text; runs may be empty and split anywhere.
    ///   - addSpecialTokens: as in ``encode(_:addSpecialTokens:specialTokensAsText:)``.
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

    /// The text of `ids`: ids without a token add nothing, invalid UTF-8 becomes U+FFFD.
    ///
    /// If ``Cancellation`` is requested, the text ends early.
    ///
    /// - Parameter skipSpecialTokens: omits special tokens.
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

    /// The maximum number of bytes of the text of `ids`, before invalid UTF-8 in it is replaced. O(ids).
    public func textBytes(of ids: [Int32]) -> Int {
        ids.reduce(0) { $0 + (texts[$1]?.count ?? 0) }
    }

    /// The bytes of the token `id`, which may be only a part of a character; empty for an id without a token and for a special
    /// token that is skipped.
    public func bytes(of id: Int32, skipSpecialTokens: Bool) -> [UInt8] {
        skipSpecialTokens && isSpecial(id) ? [] : Array(texts[id] ?? [])
    }

    /// The bytes of every token, by id; empty for tokens that do not occur in text. If the request has ended
    /// (``Cancellation``), the rest is empty.
    ///
    /// - Complexity: O(bytes of the vocabulary).
    public func vocabularyBytes(skipSpecialTokens: Bool) -> [[UInt8]] {
        (0..<Int32(vocabularySize)).map { id in
            if id & 4095 == 0, Cancellation.isRequested { return [] }
            return bytes(of: id, skipSpecialTokens: skipSpecialTokens)
        }
    }

    /// The id of the token whose content in the vocabulary is exactly `token`, byte by byte; `nil` if there is none.
    public func id(of token: String) -> Int32? {
        vocabulary.table.id(of: token)
    }

    /// The content of the token `id` in the vocabulary; `nil` if no token has this id.
    public func token(of id: Int32) -> String? {
        vocabulary.table.tokens[id].map { String(decoding: $0, as: UTF8.self) }
    }

    /// The total number of bytes of the contents of the tokens `ids`. O(ids).
    public func contentBytes(of ids: [Int32]) -> Int {
        ids.reduce(0) { $0 + (vocabulary.table.tokens[$1]?.count ?? 0) }
    }

    /// Whether `id` is a special token, which structures the text but is not a part of it.
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
    ///   - segment: normalized.
    ///   - isStart: whether it is the beginning of the whole input.
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
