import Checkpoints
import Foundation
import JSON

/// A temporary model folder, removed with this object.
public final class TemporaryModel {
    /// A tensor to write.
    public struct Tensor: Sendable {
        public var type: String
        public var shape: [Int]
        public var bytes: [UInt8]

        public init(type: String, shape: [Int], bytes: [UInt8]) {
            self.type = type
            self.shape = shape
            self.bytes = bytes
        }
    }

    public let directory: URL

    public init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "trinity-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }

    /// Writes a file.
    public func write(_ bytes: [UInt8], to name: String = "model.safetensors") throws {
        try Data(bytes).write(to: directory.appending(path: name))
    }

    /// Writes `tensors` in order of name; `padding` spaces before the data determine its alignment.
    public func write(_ tensors: [String: Tensor], to name: String = "model.safetensors", padding: Int = 0) throws {
        var header = JSONObject()
        var data: [UInt8] = []
        for (tensor, value) in tensors.sorted(by: { $0.key < $1.key }) {
            header[tensor] = [
                "dtype": .string(value.type), "shape": .array(value.shape.map { .integer($0) }),
                "data_offsets": [.integer(data.count), .integer(data.count + value.bytes.count)],
            ]
            data += value.bytes
        }
        try write(Self.file(header: JSONValue.object(header).serialized, data: data, padding: padding), to: name)
    }

    /// A safetensors file of `header` and `data`.
    public static func file(header: [UInt8], data: [UInt8], padding: Int = 0) -> [UInt8] {
        let aligned = header + [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8 + padding)
        return withUnsafeBytes(of: UInt64(aligned.count).littleEndian, Array.init) + aligned + data
    }

    /// A whole model of ones in bfloat16, by tensor name.
    public static func tensors(of config: ModelConfig) -> [String: Tensor] {
        var tensors: [String: Tensor] = [:]
        for expected in config.expectedTensors {
            let count = expected.shape.reduce(1, *)
            tensors[expected.name] = Tensor(
                type: "BF16", shape: expected.shape, bytes: (0..<count).flatMap { _ in [0x80, 0x3F] as [UInt8] })
        }
        return tensors
    }

    /// The smallest model with a dense and a sparse layer.
    public static func config(tied: Bool = false) throws -> ModelConfig {
        try ModelConfig(parsing: [
            "vocab_size": 10, "hidden_size": 6, "intermediate_size": 5, "moe_intermediate_size": 3,
            "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 2, "num_experts": 2,
            "num_experts_per_tok": 1, "num_shared_experts": 1, "tie_word_embeddings": .bool(tied),
        ])
    }
}
