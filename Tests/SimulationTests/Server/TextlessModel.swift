import Engine

@testable import Server

/// A model without a tokenizer: prompts are token ids, so a simulation needs no tokenizing.
enum TextlessModel {
    /// Maximum tokens of a prompt and its reply.
    static let length = 4096

    static var served: Serving {
        Serving(
            model: ServedModel(
                name: "simulated", created: 0, vocabularySize: 1000, maxModelLength: length, hasTokenizer: false,
                hasChatTemplate: false, samplingDefaults: SamplingParameters()),
            text: nil)
    }
}
