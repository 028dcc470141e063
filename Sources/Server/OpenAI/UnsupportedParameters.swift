import JSON

/// Parameters of OpenAI's and other servers' APIs that are not implemented here: refused by name, unless their value
/// says what happens anyway.
enum UnsupportedParameters {
    /// Names with the values that change nothing, of both endpoints.
    private static let common: [(name: String, harmless: [JSONValue])] = [
        ("chat_template", []),
        ("early_stopping", [false]),
        ("function_call", []),
        ("functions", []),
        ("guided_decoding_backend", []),
        ("guided_whitespace_pattern", []),
        ("length_penalty", [1, 1.0]),
        ("logits_processors", [[]]),
        ("logprob_token_ids", []),
        ("prompt_embeds", []),
        ("repetition_detection", []),
        ("return_prompt_text", [false]),
        ("spaces_between_special_tokens", [true]),
        ("store", [false]),
        ("stream_interval", [1]),
        ("suffix", [""]),
        ("t_max_predict_ms", []),
        ("use_beam_search", [false]),
        ("web_search_options", []),
    ]

    static func refuse(in reader: inout FieldReader) throws(APIError) {
        for (name, harmless) in common { try reader.refuse(name, unless: harmless) }
    }
}
