import TestSupport
import Text

/// A tokenizer of the test vectors with its cases.
struct TokenizerVectors {
    let tokenizer: Tokenizer
    let cases: [Case]
    let decodeCases: [DecodeCase]

    struct Case {
        let name: String
        let text: String
        let ids: [Int32]
        let idsWithoutSpecialTokens: [Int32]
        let idsOfSpecialTokensAsText: [Int32]
        let decoding: DecodeCase
    }

    struct DecodeCase {
        let ids: [Int32]
        let text: String
        let textWithoutSpecialTokens: String
        /// One piece for each id and the last flush; absent for the longest texts.
        let stream: [String]?
        /// The pieces of the reference's own stream, which has no flush and can fail.
        let referenceStream: [String]?
    }

    static let kinds = kindsWithExactStreams + kindsWithoutExactStreams
    static let kindsWithExactStreams = [
        "trinity_like", "llama3_like", "gpt2_like", "qwen_like", "deepseek_v3_like", "trinity_zerowidth",
        "deepseek_coder_like", "tekken_like",
    ]
    /// Those whose decoder does more than to join bytes.
    static let kindsWithoutExactStreams = [
        "gemma_like", "llama2_spm_like", "mistral_metaspace_like", "flags_torture",
    ]

    init(kind: String) throws {
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
func sameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
}
