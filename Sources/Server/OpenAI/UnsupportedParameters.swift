import JSON

/// Parameters of OpenAI's and other servers' APIs that are not implemented here.
enum UnsupportedParameters {
    /// Parameters that change the output, with the values that have no effect.
    private static let refused: [(name: String, harmless: [JSONValue])] = [
        ("chat_template", []),
        ("dry_multiplier", [0]),
        ("dynatemp_range", [0]),
        ("early_stopping", [false]),
        ("instructions", [""]),
        ("length_penalty", [1]),
        ("logits_processors", [[]]),
        ("logprob_token_ids", [[]]),
        ("max_output_tokens", []),
        ("mirostat", [0]),
        ("prompt_embeds", []),
        ("repetition_detection", []),
        ("return_prompt_text", [false]),
        ("spaces_between_special_tokens", [true]),
        ("stop_regex", [[], ""]),
        ("stop_sequences", [[]]),
        ("suffix", [""]),
        ("system", ["", []]),
        ("t_max_predict_ms", [-1, 0]),
        ("top_n_sigma", [-1, 0]),
        ("typ_p", [1]),
        ("typical_p", [1]),
        ("use_beam_search", [false]),
        ("xtc_probability", [0]),
    ]

    /// Parameters that a text model can ignore, with the values that are not reported.
    private static let ignored: [(name: String, harmless: [JSONValue])] = [
        ("guided_decoding_backend", []),
        ("guided_whitespace_pattern", []),
        ("stream_interval", [1]),
        ("web_search_options", []),
    ]

    static func read(_ reader: inout FieldReader) throws(APIError) {
        for (name, harmless) in refused { try reader.refuse(name, unless: harmless) }
        for (name, harmless) in ignored { try reader.ignore(name, unless: harmless) }
    }
}
