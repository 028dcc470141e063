import Engine
import Logging
import Tokenizers

/// The objects that serve requests once the model is loaded. The server and the console share this code.
struct Serving: Sendable {
    var model: ServedModel
    /// `nil`: the model has no tokenizer.
    var text: TextPipeline?

    init(model: ServedModel, text: TextPipeline?) {
        self.model = model
        self.text = text
    }

    /// - Parameters:
    ///   - text: the result of ``text(of:logger:)``.
    ///   - created: Unix time in seconds.
    init(_ loaded: LoadedModel, text: TextPipeline?, _ configuration: ServerConfiguration, created: Int) {
        model = ServedModel(
            name: configuration.servedModelName, created: created, vocabularySize: loaded.config.vocabularySize,
            maxModelLength: loaded.maxModelLength, hasTokenizer: text != nil,
            hasChatTemplate: text?.template != nil, speculates: configuration.engine.speculativeTokens != nil,
            samplingDefaults: loaded.generation.samplingDefaults)
        model.hiddenSize = loaded.config.hiddenSize
        model.otherNames = Array(configuration.servedModelNames.dropFirst())
        model.refusesUnknownParameters = configuration.refusesUnknownParameters
        self.text = text
    }

    /// Reads the tokenizer and chat template of the model, and logs warnings about them.
    static func text(
        of configuration: ServerConfiguration, logger: Logger
    ) throws(TextPipelineError) -> TextPipeline? {
        let model = configuration.engine.modelDirectory
        guard var text = try TextPipeline(model: model, tokenizer: configuration.tokenizer) else { return nil }
        text.trustsUserContent = configuration.trustsUserContent
        text.outputSyntax = configuration.outputSyntax(shown: text.outputSyntax)
        for warning in text.warnings { logger.warning("\(warning)") }
        return text
    }

    var tokenNames: TokenNames {
        guard let tokenizer = text?.tokenizer else { return .idsOnly }
        return TokenNames(
            bytes: { tokenizer.bytes(of: $0, skipSpecialTokens: false) },
            isSpecial: { tokenizer.bytes(of: $0, skipSpecialTokens: true).isEmpty })
    }
}
