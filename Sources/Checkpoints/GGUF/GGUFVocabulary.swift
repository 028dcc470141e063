/// The tokens and merges in the metadata of a GGUF file.
public struct GGUFVocabulary {
    /// The purpose of a token; the raw values are those in the file.
    public enum Kind: Int, Sendable {
        /// A token in the byte-level alphabet.
        case normal = 1
        case unknown
        /// A special token, written as in the text.
        case control
        /// An added token that is not special.
        case userDefined
        /// An id without a token.
        case unused
        case byte
    }

    /// The value of `tokenizer.ggml.model` (`gpt2` is byte-level BPE), and the name of the regular expressions that split a text.
    public let model: String
    public let preTokenizer: String
    /// The tokens' strings.
    public let tokens: GGUFArray
    /// The kind of each token; `nil` if all are normal.
    public let kinds: GGUFArray?
    /// The merges: strings of two tokens with a space between them.
    public let merges: GGUFArray
    public let bosID: Int?
    public let eosID: Int?
    public let padID: Int?
    /// Whether a plain prompt begins with ``bosID`` and ends with ``eosID``.
    public let addsBOS: Bool
    public let addsEOS: Bool
    /// The source of the chat template; `nil` if there is none.
    public let chatTemplate: String?

    /// - Returns: `nil` if the file has no tokenizer; then only token ids can be used.
    /// - Throws: `CheckpointError.unusable` for an unsupported type of tokenizer.
    init?(_ metadata: [String: GGUFValue], path: String) throws(CheckpointError) {
        func value(_ name: String) -> GGUFValue? { metadata["tokenizer.ggml.\(name)"] }
        model = value("model")?.text ?? "none"
        if model == "none" || model == "no_vocab" { return nil }
        guard model == "gpt2" else {
            let name = Self.families[model].map { " (\($0))" } ?? ""
            throw .unusable(
                file: path, tensor: nil, reason: "tokenizer model \(model)\(name) is not supported (supported: gpt2)")
        }
        preTokenizer = value("pre")?.text ?? "default"
        let noStrings = GGUFArray(kind: .string, count: 0, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
        tokens = value("tokens")?.array ?? noStrings
        kinds = value("token_type")?.array
        merges = value("merges")?.array ?? noStrings
        bosID = value("bos_token_id")?.integer
        eosID = value("eos_token_id")?.integer
        padID = value("padding_token_id")?.integer
        addsBOS = value("add_bos_token")?.bool ?? Self.addingBOS.contains(preTokenizer)
        addsEOS = value("add_eos_token")?.bool ?? false
        chatTemplate = try Self.chatTemplate(metadata, path: path)
        guard tokens.kind == .string, merges.kind == .string else {
            throw .unusable(
                file: path, tensor: nil, reason: "tokenizer.ggml.tokens and merges must be lists of strings")
        }
        guard kinds?.count ?? tokens.count == tokens.count else {
            throw .unusable(
                file: path, tensor: nil, reason: "tokenizer.ggml.token_type must have \(tokens.count) entries")
        }
    }

    /// Returns the source of the chat template, for any kind of tokenizer; `nil` if there is none.
    ///
    /// - Throws: `CheckpointError.unusable` if it is too large, or not UTF-8.
    static func chatTemplate(_ metadata: [String: GGUFValue], path: String) throws(CheckpointError) -> String? {
        // Named templates are separate keys beside the plain one.
        guard let value = metadata["tokenizer.chat_template.default"] ?? metadata["tokenizer.chat_template"] else {
            return nil
        }
        if case .string(let bytes) = value, bytes.count > largestTemplate {
            throw .unusable(
                file: path, tensor: nil,
                reason: "tokenizer.chat_template has \(bytes.count) bytes, more than the limit of \(largestTemplate)")
        }
        guard let text = value.text else {
            throw .unusable(file: path, tensor: nil, reason: "tokenizer.chat_template is not UTF-8")
        }
        return text
    }

    /// The maximum size of a template in bytes, as for `chat_template.jinja`.
    private static let largestTemplate = 1 << 20

    /// The pre-tokenizers of models whose prompts begin with ``bosID``, unless the file says otherwise.
    private static let addingBOS: Set<String> = ["llama-bpe", "llama3", "llama-v3", "tekken"]

    private static let families = [
        "llama": "SentencePiece", "bert": "WordPiece", "t5": "Unigram", "rwkv": "greedy", "plamo2": "Unigram",
    ]
}
