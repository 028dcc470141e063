import Checkpoints
import Engine
import Foundation
import JSON
import TestSupport
import Testing

@testable import Training

/// Reads the vectors in `Tests/Fixtures/train`.
enum TrainingFixture {
    static let root = Fixtures.root.appending(path: "train")

    static func json(_ path: String) throws -> JSONValue { try Fixtures.json("train/\(path)") }

    static func tensors(_ path: String) throws -> [String: StoredTensor] {
        try SafetensorsFile(root.appending(path: path)).tensors
    }
}

/// The run of `train30` in a temporary folder: thirty steps from given weights and batches.
struct ThirtySteps {
    private let temporary: TemporaryModel

    init() throws {
        temporary = try TemporaryModel()
        let initial = temporary.directory.appending(path: "initial")
        let files = FileManager.default
        try files.createDirectory(at: initial, withIntermediateDirectories: true)
        for (source, target) in [("initial.safetensors", "model.safetensors"), ("config.json", "config.json")] {
            try files.copyItem(
                at: TrainingFixture.root.appending(path: "train30/\(source)"), to: initial.appending(path: target))
        }
    }

    /// A recipe in the temporary folder, with a change of its hyperparameters.
    func recipe(
        _ change: (inout JSONObject) -> Void = { _ in }, interval: Int? = nil
    ) throws -> Recipe {
        var numbers = try TrainingFixture.json("train30/curve.json")["hyperparameters"]?.object ?? JSONObject()
        change(&numbers)
        var json: JSONObject = [
            "initial": "initial",
            "batches": .string(TrainingFixture.root.appending(path: "train30/batches.safetensors").path),
            "hyperparameters": .object(numbers),
        ]
        if let interval { json["checkpoint_interval"] = .integer(interval) }
        let url = temporary.directory.appending(path: "recipe-\(UUID().uuidString).json")
        try Data(JSONValue.object(json).serialized).write(to: url)
        return try Recipe(url)
    }

    func out(_ name: String) -> URL { temporary.directory.appending(path: name) }
}

extension TemporaryModel {
    /// Makes the folder `initial` with the shape of a new model, and the tokenizer of the chat model.
    func makeInitialModel() throws {
        let initial = directory.appending(path: "initial")
        try FileManager.default.createDirectory(at: initial, withIntermediateDirectories: true)
        for name in ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"] {
            try FileManager.default.copyItem(
                at: Fixtures.chatModel.appending(path: name), to: initial.appending(path: name))
        }
        var config = try TrainingFixture.json("train30/config.json").object ?? JSONObject()
        config["vocab_size"] = .integer(try ModelConfig(directory: Fixtures.chatModel).vocabularySize)
        try Data(JSONValue.object(config).serialized).write(to: initial.appending(path: "config.json"))
    }
}

extension StoredTensor {
    /// The elements of any type that the vectors have.
    var doubles: [Double] {
        func read<Element: BitwiseCopyable>(_ type: Element.Type, _ convert: (Element) -> Double) -> [Double] {
            let size = MemoryLayout<Element>.size
            return (0..<bytes.count / size).map {
                convert(bytes.loadUnaligned(fromByteOffset: $0 * size, as: Element.self))
            }
        }
        return switch type {
        case .float64: read(Double.self) { $0 }
        case .float32: read(Float.self) { Double($0) }
        case .int32: read(Int32.self) { Double($0) }
        case .int8: read(Int8.self) { Double($0) }
        case .uint8: read(UInt8.self) { Double($0) }
        default: preconditionFailure("the vectors have no \(type)")
        }
    }

    var floats: [Float] { doubles.map { Float($0) } }
    var integers: [Int] { doubles.map { Int($0) } }
}

/// The largest difference, and the largest magnitude of the expected numbers.
func deviation(_ actual: [Float], _ expected: [Double]) -> (absolute: Double, relative: Double) {
    guard actual.count == expected.count, !actual.isEmpty else { return (.infinity, .infinity) }
    var (difference, largest) = (0.0, 0.0)
    for (a, e) in zip(actual, expected) {
        // A NaN must not pass.
        let distance = abs(Double(a) - e)
        difference = distance <= difference ? difference : distance.isNaN ? .infinity : distance
        largest = max(largest, abs(e))
    }
    return (difference, difference / max(largest, 1e-300))
}

extension Buffer<Float> {
    /// A matrix of the whole memory.
    func matrix(_ rows: Int, _ columns: Int) -> Matrix { Matrix(base, rows: rows, columns: columns) }
    var array: [Float] { Array(contents) }
}
