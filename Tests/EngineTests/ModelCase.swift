import Foundation
import JSON
import TestSupport
import Testing

@testable import Checkpoints
@testable import Engine

/// One folder of the model vectors: a tiny checkpoint and the reference's results.
struct ModelCase {
    struct Prompt {
        var name: String
        var promptIDs: [Int32]
        var greedyIDs: [Int32]
    }

    let config: ModelConfig
    let prompts: [Prompt]
    let directory: URL
    private let goldens: SafetensorsFile

    /// - Parameter name: a case of `model` or of `low-bit/model` in the fixtures.
    init(_ name: String) throws {
        let isLowBit = FileManager.default.fileExists(atPath: Fixtures.root.path + "/low-bit/model/\(name)")
        let folder = isLowBit ? "low-bit/model" : "model"
        directory = Fixtures.root.appending(path: "\(folder)/\(name)")
        config = try ModelFiles(directory).modelConfig()
        goldens = try SafetensorsFile(directory.appending(path: "goldens.safetensors"))
        let json = try Fixtures.json("\(folder)/\(name)/goldens.json")
        prompts = try #require(json["prompts"]?.array).map { prompt in
            Prompt(
                name: prompt["name"]?.string ?? "", promptIDs: Self.ids(prompt["prompt_ids"]),
                greedyIDs: Self.ids(prompt["greedy_ids"]))
        }
    }

    func checkpoint() throws -> (config: ModelConfig, checkpoint: Checkpoint) {
        (config, try ModelFiles(directory).checkpoint(config))
    }

    func weights(pool: WorkerPool, kernels: KernelTable, quantizing: WeightQuantization? = nil) throws -> ModelWeights {
        let checkpoint = try ModelFiles(directory).checkpoint(config, quantizing: quantizing)
        return try ModelWeights(checkpoint: checkpoint, config: config, pool: pool, kernels: kernels)
    }

    /// A reference tensor, flat; nil when the case does not have it.
    func golden(_ name: String) -> [Float]? {
        guard let tensor = goldens.tensors[name] else { return nil }
        if tensor.type == .int32 {
            return (0..<tensor.bytes.count / 4).map {
                Float(tensor.bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self))
            }
        }
        return FloatConversion.floats(tensor.bytes, type: tensor.type)
    }

    private static func ids(_ json: JSONValue?) -> [Int32] {
        (json?.array ?? []).compactMap { $0.integer.map(Int32.init) }
    }
}
