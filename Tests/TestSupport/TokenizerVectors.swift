import JSON
import Tokenizers

/// A tokenizer of the test vectors with its cases.
public struct TokenizerVectors {
    public let tokenizer: Tokenizer
    public let cases: [Case]
    public let decodeCases: [DecodeCase]

    public struct Case {
        public let name: String
        public let text: String
        public let ids: [Int32]
        public let idsWithoutSpecialTokens: [Int32]
        public let idsOfSpecialTokensAsText: [Int32]
        public let decoding: DecodeCase
    }

    public struct DecodeCase {
        public let ids: [Int32]
        public let text: String
        public let textWithoutSpecialTokens: String
        /// One piece for each id and the last flush; absent for the longest texts.
        public let stream: [String]?
        /// The pieces of the reference's own stream, which has no flush and may fail.
        public let referenceStream: [String]?
    }

    public static let kinds = kindsWithExactStreams + kindsWithoutExactStreams
    public static let kindsWithExactStreams = [
        "trinity_like", "llama3_like", "gpt2_like", "qwen_like", "deepseek_v3_like", "trinity_zerowidth",
        "deepseek_coder_like", "tekken_like",
    ]
    /// Tokenizers whose decoder does more than join bytes.
    public static let kindsWithoutExactStreams = [
        "gemma_like", "llama2_spm_like", "mistral_metaspace_like", "flags_torture",
    ]

    /// Reads those of `Tests/Fixtures/text/tokenizers/KIND`.
    public init(kind: String) throws {
        let folder = "text/tokenizers/\(kind)"
        tokenizer = try Tokenizer(contentsOf: Fixtures.root.appending(path: "\(folder)/tokenizer.json"))
        let vectors = try Fixtures.json("\(folder)/vectors.json")
        cases = (vectors["cases"]?.array ?? []).compactMap(TokenizerVectors.parseCase)
        decodeCases = (vectors["decode_cases"]?.array ?? []).compactMap(TokenizerVectors.parseDecodeCase)
        let counts = (vectors["cases"]?.array?.count, vectors["decode_cases"]?.array?.count)
        guard counts == (cases.count, decodeCases.count) else { throw Unreadable() }
    }

    private struct Unreadable: Error {}

    private static func parseCase(_ json: JSONValue) -> Case? {
        guard let decoding = parseDecodeCase(json), let name = json["name"]?.string, let text = json["text"]?.string
        else { return nil }
        let plain = ids(json["ids_no_special"]) ?? decoding.ids
        return Case(
            name: name, text: text, ids: decoding.ids, idsWithoutSpecialTokens: plain,
            idsOfSpecialTokensAsText: ids(json["ids_special_as_text"]) ?? plain, decoding: decoding)
    }

    private static func parseDecodeCase(_ json: JSONValue) -> DecodeCase? {
        guard let ids = ids(json["ids"]), let text = json["decoded"]?.string else { return nil }
        return DecodeCase(
            ids: ids, text: text, textWithoutSpecialTokens: json["decoded_skip"]?.string ?? text,
            stream: json["stream_skip"]?.array?.compactMap(\.string),
            referenceStream: json["stream_hf_skip"]?.array?.compactMap(\.string))
    }

    private static func ids(_ json: JSONValue?) -> [Int32]? {
        json?.array?.compactMap { $0.integer.map { Int32($0) } }
    }
}

/// Canonical equivalence is not equality here.
public func sameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
}
