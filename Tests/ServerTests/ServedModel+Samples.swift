import Engine

@testable import Server

extension ServedModel {
    /// A model with 100 ids and a context of 64 tokens, of a server that ignores parameters that do not affect its output.
    static let lenient = ServedModel(
        name: "tiny", created: 1_700_000_000, vocabularySize: 100, maxModelLength: 64, hasTokenizer: true,
        hasChatTemplate: true, samplingDefaults: SamplingParameters())

    /// The same with `--strict-parameters`, so that tests detect parameters that are not read.
    static let sample = {
        var model = lenient
        model.refusesUnknownParameters = true
        return model
    }()
}
