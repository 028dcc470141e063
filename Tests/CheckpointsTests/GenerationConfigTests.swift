import JSON
import TestSupport
import Testing

@testable import Checkpoints

struct GenerationConfigTests {
    @Test func `sampling defaults come from the file`() throws {
        let config = try GenerationConfig(directory: Fixtures.root.appending(path: "model/a_base"))
        #expect(config.sampling.temperature == 0.8)
        #expect(config.sampling.topP == 0.8)
        #expect(config.sampling.topK == 50)
        #expect(config.sampling.minP == 0)
        #expect(config.sampling.repetitionPenalty == 1)
        #expect(config.bosID == 0)
        #expect(config.padID == 1)
    }

    @Test func `end-of-sequence ids may be one or a list, and override the model's`() throws {
        var model = try ModelConfig(parsing: ["eos_token_id": 7])
        #expect(GenerationConfig().endOfSequenceIDs(of: model) == [7])
        #expect(try GenerationConfig(parsing: ["eos_token_id": 3]).endOfSequenceIDs(of: model) == [3])
        #expect(try GenerationConfig(parsing: ["eos_token_id": [255, 2]]).endOfSequenceIDs(of: model) == [255, 2])
        model.endOfSequenceIDs = []
        #expect(try GenerationConfig(parsing: ["eos_token_id": nil]).endOfSequenceIDs(of: model).isEmpty)
    }

    @Test func `without the file everything is off`() throws {
        let config = try GenerationConfig(directory: Fixtures.root)
        #expect(config == GenerationConfig())
        #expect(config.sampling == GenerationConfig.Sampling())
    }

    @Test func `a negative top-k is off`() throws {
        #expect(try GenerationConfig(parsing: ["top_k": -1]).sampling.topK == 0)
    }

    @Test(
        arguments: [
            ("temperature", -1), ("temperature", 3), ("top_k", -2), ("top_p", 0), ("top_p", 1.5), ("min_p", -0.5),
            ("repetition_penalty", 0), ("eos_token_id", "</s>"), ("eos_token_id", [1, -2]),
        ] as [(String, JSONValue)])
    func `a value outside its range is refused with its key`(key: String, value: JSONValue) throws {
        var json = JSONObject()
        json[key] = value
        let error = try #require(throws: ModelConfigError.self) { try GenerationConfig(parsing: .object(json)) }
        #expect(error.description.contains(key))
    }

    @Test(
        arguments: [
            (["eos_token_id": 10], [:], "eos_token_id"), (["eos_token_id": [3, 10]], [:], "eos_token_id"),
            ([:], ["eos_token_id": 10], "eos_token_id"), (["bos_token_id": 10], [:], "bos_token_id"),
            ([:], ["bos_token_id": 2_000_000_000], "bos_token_id"), (["pad_token_id": 10], [:], "pad_token_id"),
            (["eos_token_id": 9, "bos_token_id": 0, "pad_token_id": 9], ["eos_token_id": 10], nil), ([:], [:], nil),
        ] as [(JSONValue, JSONObject, String?)])
    func `a special id beyond the vocabulary is refused with its name`(
        generation: JSONValue, members: JSONObject, key: String?
    ) throws {
        var json = members
        json["vocab_size"] = 10
        let config = try ModelConfig(parsing: .object(json))
        let generation = try GenerationConfig(parsing: generation)
        guard let key else { return try generation.checkIDs(of: config) }
        let error = try #require(throws: ModelConfigError.self) { try generation.checkIDs(of: config) }
        guard case .invalid(key, _, "ids below vocab_size (10)") = error else {
            Issue.record("\(error)")
            return
        }
    }
}
