import Foundation
import JSON

/// The content of `generation_config.json`: the model's special token ids and default sampling parameters.
///
/// `do_sample` and the length limits in that file are ignored: each request sets them.
public struct GenerationConfig: Sendable, Equatable {
    /// The ids in the file; if `nil`, the ids in `config.json` are used.
    public var endOfSequenceIDs: [Int32]?
    public var bosID: Int32?
    public var padID: Int32?
    /// The default sampling parameters of requests.
    public var sampling = Sampling()

    /// Default sampling parameters. A parameter that is missing from the file has a neutral value.
    public struct Sampling: Sendable, Equatable {
        /// In 0...2.
        public var temperature: Float = 1
        /// 0 disables it.
        public var topK = 0
        /// Above 0, up to 1.
        public var topP: Float = 1
        /// In 0...1.
        public var minP: Float = 0
        /// Above 0, up to 100.
        public var repetitionPenalty: Float = 1
    }

    /// Creates the configuration for a folder without the file: temperature 1, no truncation.
    public init() {}

    /// - Throws: `ModelConfigError.invalid` for a value outside its range.
    public init(parsing json: JSONValue) throws(ModelConfigError) {
        let reader = try ConfigReader(json, file: "generation_config.json")
        endOfSequenceIDs = try reader.tokenIDs("eos_token_id")
        bosID = try reader.tokenID("bos_token_id")
        padID = try reader.tokenID("pad_token_id")
        sampling.temperature = Float(
            try reader.number("temperature", default: 1, "a number in [0, 2]") { $0 >= 0 && $0 <= 2 })
        sampling.topK = max(0, try reader.integer("top_k", default: 0, in: -1...Int(Int32.max)))
        sampling.topP = Float(
            try reader.number("top_p", default: 1, "a number in (0, 1]") { Float($0) > 0 && $0 <= 1 })
        sampling.minP = Float(
            try reader.number("min_p", default: 0, "a number in [0, 1]") { $0 >= 0 && $0 <= 1 })
        sampling.repetitionPenalty = Float(
            try reader.number("repetition_penalty", default: 1, "a number above 0 and up to 100") {
                Float($0) > 0 && $0 <= 100
            })
    }

    /// Reads `generation_config.json` of the model folder `directory`; the file is optional.
    public init(directory: URL) throws(ModelConfigError) {
        guard let json = try ConfigReader.load("generation_config.json", in: directory) else {
            self.init()
            return
        }
        try self.init(parsing: json)
    }

    /// Returns the ids that end a sequence: the ids in this file, or else those in `config`.
    public func endOfSequenceIDs(of config: ModelConfig) -> [Int32] {
        endOfSequenceIDs ?? config.endOfSequenceIDs
    }

    /// Checks that the special ids have a row in the embeddings: a model can neither receive nor generate other ids.
    ///
    /// - Throws: `ModelConfigError.invalid`, which names the key.
    func checkIDs(of config: ModelConfig) throws(ModelConfigError) {
        let ids = [
            ("eos_token_id", endOfSequenceIDs(of: config)),
            ("bos_token_id", [bosID ?? config.bosID].compactMap(\.self)),
            ("pad_token_id", [padID].compactMap(\.self)),
        ]
        for (key, ids) in ids {
            guard let id = ids.first(where: { $0 >= config.vocabularySize }) else { continue }
            throw .invalid(
                key: key, value: "\(id)", expected: "ids below vocab_size (\(config.vocabularySize))")
        }
    }
}
