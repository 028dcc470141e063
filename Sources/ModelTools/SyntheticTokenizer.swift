import Checkpoints
import Foundation
import JSON

/// The tokenizer of a synthetic checkpoint: the special tokens of the Trinity family, then a token for each byte, without merges.
enum SyntheticTokenizer {
    /// The special tokens in the order of their ids. The ids of the begin, end and padding tokens are those of released
    /// checkpoints.
    static let specials = [
        "<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>",
        "</tool_call>", "<tool_response>", "</tool_response>", "<|unused_0|>", "<|unused_1|>", "<|pad|>",
    ]

    private static let template = """
        {{- bos_token }}
        {%- for message in messages %}
            {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|im_start|>assistant\\n' }}
        {%- endif %}

        """

    /// Writes the tokenizer, the chat template and `generation_config.json`. Returns false and writes nothing if the vocabulary
    /// is too small for bytes.
    static func write(to directory: URL, config: ModelConfig) throws -> Bool {
        guard config.vocabularySize >= specials.count + 256 else { return false }
        try CheckpointWriter.write(tokenizer, to: "tokenizer.json", in: directory)
        try CheckpointWriter.write(
            [
                "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": .integer(config.maxPositions),
                "clean_up_tokenization_spaces": false, "add_bos_token": true, "bos_token": .string(specials[0]),
                "eos_token": .string(specials[3]), "pad_token": .string(specials[12]),
            ], to: "tokenizer_config.json", in: directory)
        try CheckpointWriter.write(Data(template.utf8), to: "chat_template.jinja", in: directory)
        try CheckpointWriter.write(
            ["bos_token_id": 0, "eos_token_id": 3, "pad_token_id": 12, "temperature": 1.0],
            to: "generation_config.json", in: directory)
        return true
    }

    /// Returns the same content as GGUF metadata; only sampling parameters if the vocabulary is too small for bytes.
    static func metadata(_ config: ModelConfig) -> [(String, GGUFWriter.Value)] {
        let sampling: [(String, GGUFWriter.Value)] = [("general.sampling.temp", .float32(1))]
        let unused = config.vocabularySize - specials.count - 256
        guard unused >= 0 else { return sampling }
        let tokens = specials + byteCharacters.map { String($0) } + (0..<unused).map { "[PAD\($0)]" }
        let kinds =
            specials.map { ($0.hasPrefix("<|") ? GGUFVocabulary.Kind.control : .userDefined) }
            + [GGUFVocabulary.Kind](repeating: .normal, count: 256)
            + [GGUFVocabulary.Kind](repeating: .unused, count: unused)
        return sampling + [
            ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.pre", .string("gpt-2")),
            ("tokenizer.ggml.tokens", .strings(tokens)), ("tokenizer.ggml.token_type", .int32s(kinds.map(\.rawValue))),
            ("tokenizer.ggml.merges", .strings([])), ("tokenizer.ggml.bos_token_id", .uint32(0)),
            ("tokenizer.ggml.eos_token_id", .uint32(3)), ("tokenizer.ggml.padding_token_id", .uint32(12)),
            ("tokenizer.ggml.add_bos_token", .bool(true)), ("tokenizer.chat_template", .string(template)),
        ]
    }

    /// The printable characters that represent bytes in byte-level vocabularies. Printable Latin-1 characters represent
    /// themselves; the other bytes are U+0100 and up, in order.
    private static var byteCharacters: [Character] {
        var free: UInt16 = 0x100
        return (0...UInt8.max).map { byte in
            switch byte {
            case 33...126, 161...172, 174...255: return Character(Unicode.Scalar(byte))
            default:
                defer { free += 1 }
                return Character(Unicode.Scalar(free) ?? "?")
            }
        }
    }

    private static var tokenizer: JSONValue {
        var vocabulary = JSONObject()
        for (id, special) in specials.enumerated() { vocabulary[special] = .integer(id) }
        for (byte, character) in byteCharacters.enumerated() {
            vocabulary[String(character)] = .integer(specials.count + byte)
        }
        let added = specials.enumerated().map { id, special -> JSONValue in
            [
                "id": .integer(id), "content": .string(special), "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": .bool(special.hasPrefix("<|")),
            ]
        }
        let byteLevel: JSONValue = [
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
        ]
        let begin: JSONValue = .string(specials[0])
        return [
            "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": .array(added), "normalizer": nil,
            "pre_tokenizer": byteLevel,
            "post_processor": [
                "type": "TemplateProcessing",
                "single": [["SpecialToken": ["id": begin, "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]]],
                "pair": [["Sequence": ["id": "A", "type_id": 0]], ["Sequence": ["id": "B", "type_id": 1]]],
                "special_tokens": .object([specials[0]: ["id": begin, "ids": [0], "tokens": [begin]]]),
            ],
            "decoder": byteLevel,
            "model": [
                "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
                "end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": .object(vocabulary), "merges": [],
            ],
        ]
    }
}
