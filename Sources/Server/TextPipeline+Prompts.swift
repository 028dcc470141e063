import Text

// What requests and replies make of a model's text side.

extension TextPipeline {
    /// The text that a chat becomes, in runs that tell where special tokens are meant.
    ///
    /// - Throws: `APIError.template` when the template refuses the messages or fails.
    func render(_ request: ChatCompletionRequest) throws(APIError) -> [TextRun] {
        guard let template else {
            throw .textUnavailable(param: "messages", message: "This model has no chat template.")
        }
        let variables = request.templateVariables(specialTokens: specialTokens)
        do throws(TemplateError) {
            return try template.render(variables, untrusted: trustsUserContent ? .none : request.untrustedInputs)
        } catch {
            throw .template(error.description)
        }
    }

    /// The body of `GET /tokenizer_info`, which programs read instead of a local `tokenizer_config.json`.
    func tokenizerInfo(of model: ServedModel) -> JSONValue {
        var info: JSONObject = [
            "tokenizer_class": .string(tokenizerClass), "model_max_length": .integer(model.maxModelLength),
            "vocab_size": .integer(tokenizer.vocabularySize),
        ]
        for name in ["bos_token", "eos_token", "pad_token", "unk_token"] { info[name] = JSONValue.null }
        for (name, token) in specialTokens { info[name] = token }
        info["chat_template"] = templateSource.map(JSONValue.string) ?? .null
        return .object(info)
    }
}
