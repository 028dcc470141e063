import Text

/// Parameters of OpenAI's and other servers' APIs that are not implemented here: refused by name, unless their value
/// says what happens anyway.
enum UnsupportedParameters {
    /// Names with the values that change nothing, of both endpoints.
    private static let common: [(name: String, harmless: [JSONValue])] = [
        ("allowed_token_ids", []),
        ("bad_words", [[]]),
        ("cache_salt", []),
        ("chat_template", []),
        ("continue_final_message", [false]),
        ("documents", []),
        ("early_stopping", [false]),
        ("echo", [false]),
        ("function_call", []),
        ("functions", []),
        ("guided_choice", []),
        ("guided_decoding_backend", []),
        ("guided_grammar", []),
        ("guided_json", []),
        ("guided_regex", []),
        ("guided_whitespace_pattern", []),
        ("include_reasoning", [true]),
        ("length_penalty", [1, 1.0]),
        ("logits_processors", [[]]),
        ("logprob_token_ids", []),
        ("prediction", []),
        ("prompt_embeds", []),
        ("prompt_logprobs", []),
        ("reasoning_effort", []),
        ("repetition_detection", []),
        ("return_progress", [false]),
        ("return_prompt_text", [false]),
        ("return_tokens_as_token_ids", [false]),
        ("spaces_between_special_tokens", [true]),
        ("store", [false]),
        ("stream_interval", [1]),
        ("structured_outputs", []),
        ("suffix", [""]),
        ("t_max_predict_ms", []),
        ("thinking_token_budget", []),
        ("timings_per_token", [false]),
        ("truncate_prompt_tokens", []),
        ("truncation_side", []),
        ("use_beam_search", [false]),
        ("web_search_options", []),
    ]

    /// - Parameter choices: the request's `n`, at which `best_of` keeps every candidate.
    static func refuse(in reader: inout FieldReader, choices: Int) throws(APIError) {
        for (name, harmless) in common { try reader.refuse(name, unless: harmless) }
        try reader.refuse("best_of", unless: [.integer(choices)])
    }
}
