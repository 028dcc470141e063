import Engine

/// What requests are checked against: the model's name, its bounds and its defaults.
package struct ServedModel: Sendable {
    /// The name that clients use, and that replies to requests without one have.
    var name: String
    /// Other names for the same.
    var otherNames: [String] = []
    /// Unix time in seconds at which the model was loaded.
    var created: Int
    /// Every token id is below it.
    var vocabularySize: Int
    /// The most tokens of prompt and completion together.
    var maxModelLength: Int
    /// Without one, prompts are token ids only and replies carry no text.
    var hasTokenizer: Bool
    var hasChatTemplate: Bool
    /// Numbers in an embedding.
    var hiddenSize = 0
    /// Whether the engine has speculative decoding.
    var speculates = false
    /// Whether parameters that the server does without are refused.
    var refusesUnknownParameters = false
    /// What `generation_config.json` says, for everything that a request leaves open.
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

    /// What becomes of the parameters of one request that the server does without.
    var parameterPolicy: ParameterPolicy { ParameterPolicy(isStrict: refusesUnknownParameters) }

    /// Checks the `model` of a request; a request without one means this model.
    func check(requestedName: String?) throws(APIError) {
        guard let requestedName, !isName(requestedName) else { return }
        throw .modelNotFound(requestedName)
    }

    /// All of its names.
    var names: [String] { [name] + otherNames }

    /// The model under the name that a request asks for.
    func named(_ requestedName: String?) -> ServedModel {
        guard let requestedName, isName(requestedName) else { return self }
        var model = self
        model.name = requestedName
        return model
    }

    private func isName(_ text: String) -> Bool { names.contains { $0.utf8.elementsEqual(text.utf8) } }
}
