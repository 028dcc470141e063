import Engine

/// The model's properties that requests are validated against: its names, limits and defaults.
package struct ServedModel: Sendable {
    /// The model's name, used in replies to requests without a name.
    var name: String
    /// Other names of the model.
    var otherNames: [String] = []
    /// Unix time in seconds at which the model was loaded.
    var created: Int
    /// The number of token ids; all ids are below it.
    var vocabularySize: Int
    /// The maximum number of prompt and completion tokens together.
    var maxModelLength: Int
    /// Whether there is a tokenizer. Without one, prompts must be token ids and replies have no text.
    var hasTokenizer: Bool
    var hasChatTemplate: Bool
    /// The length of an embedding.
    var hiddenSize = 0
    /// Whether the engine has speculative decoding.
    var speculates = false
    /// Whether all unknown and unsupported parameters are refused, also those that could be ignored.
    var refusesUnknownParameters = false
    /// Default sampling parameters, from `generation_config.json`.
    var samplingDefaults: SamplingParameters

    package init(
        name: String, created: Int, vocabularySize: Int, maxModelLength: Int, hasTokenizer: Bool, hasChatTemplate: Bool,
        speculates: Bool = false, samplingDefaults: SamplingParameters
    ) {
        self.name = name
        self.created = created
        self.vocabularySize = vocabularySize
        self.maxModelLength = maxModelLength
        self.hasTokenizer = hasTokenizer
        self.hasChatTemplate = hasChatTemplate
        self.speculates = speculates
        self.samplingDefaults = samplingDefaults
    }

    /// The policy for unsupported parameters of a request.
    var parameterPolicy: ParameterPolicy { ParameterPolicy(isStrict: refusesUnknownParameters) }

    /// Checks the `model` of a request; a request without one uses this model.
    func check(requestedName: String?) throws(APIError) {
        guard let requestedName, !isName(requestedName) else { return }
        throw .modelNotFound(requestedName)
    }

    /// All of its names.
    var names: [String] { [name] + otherNames }

    /// Returns the model under the name in a request.
    func named(_ requestedName: String?) -> ServedModel {
        guard let requestedName, isName(requestedName) else { return self }
        var model = self
        model.name = requestedName
        return model
    }

    private func isName(_ text: String) -> Bool { names.contains { $0.utf8.elementsEqual(text.utf8) } }
}
