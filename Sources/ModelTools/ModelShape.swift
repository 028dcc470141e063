import Checkpoints
import Foundation
import JSON

/// The shape of a model without its weights: one of the known names, a `config.json`, or the metadata of a GGUF file.
public struct ModelShape: Sendable {
    /// The members of `config.json`, without `quantization_config`.
    let json: JSONObject
    /// The size of each packed tensor in bytes by its full name, from the headers of the files; `nil` for a shape without weights,
    /// and for safetensors that are unquantized or FP8.
    public private(set) var packedBytes: [String: Int]?
    /// The shape, parsed and checked.
    public let config: ModelConfig

    /// The names that `init(_:)` accepts.
    public static let names = ["tiny", "small", "nano", "mini", "large"]

    /// - Parameter nameOrPath: one of ``names``, the path of a `config.json` or of its folder, or the path of a GGUF file.
    /// - Throws: `ToolError.argument`, `CheckpointError`, or `ModelConfigError` for a file that does not describe an AFMoE model.
    public init(_ nameOrPath: String) throws {
        if let known = Self.known(nameOrPath) {
            try self.init(json: known)
            return
        }
        var url = URL(fileURLWithPath: nameOrPath)
        if let model = try Self.gguf(url) {
            self = model
            return
        }
        if url.pathExtension != "json" { url.append(path: "config.json") }
        let folder = url.deletingLastPathComponent()
        guard let json = try ConfigReader.load(url.lastPathComponent, in: folder) else {
            throw ToolError.argument(
                """
                no shape \(nameOrPath): neither \(Self.names.joined(separator: ", ")), nor a GGUF file, nor a config.json or \
                the folder of one
                """)
        }
        guard let object = json.object else { throw ToolError.argument("\(url.path) is not a JSON object") }
        try self.init(json: object)
        packedBytes = try Self.quantizedBytes(folder, config)
    }

    /// Returns the GGUF model at `url`; `nil` if there is none.
    private static func gguf(_ url: URL) throws -> ModelShape? {
        guard url.pathExtension != "json", FileManager.default.fileExists(atPath: url.path) else { return nil }
        let files = try ModelFiles(url)
        guard files.gguf != nil else { return nil }
        let config = try files.modelConfig()
        return ModelShape(config, packedBytes: try files.checkpoint(config).packedBytes { $0 })
    }

    private init(_ config: ModelConfig, packedBytes: [String: Int]) {
        json = [:]
        self.config = config
        self.packedBytes = packedBytes
    }

    init(json: JSONObject) throws {
        var json = json
        json["quantization_config"] = nil
        self.json = json
        config = try ModelConfig(parsing: .object(json))
    }

    /// Returns the size of each packed tensor beside a `config.json` in bytes, if they exist and any matrix has a quantized format
    /// other than FP8.
    private static func quantizedBytes(_ folder: URL, _ config: ModelConfig) throws -> [String: Int]? {
        let names = [StoredTensors.singleName, StoredTensors.indexName]
        guard names.contains(where: { FileManager.default.fileExists(atPath: folder.appending(path: $0).path) }),
            try QuantizationConfig(directory: folder) != nil
        else { return nil }
        let checkpoint = try ModelFiles(folder).checkpoint(config)
        return checkpoint.hasQuantizedMatrices ? checkpoint.packedBytes { $0 } : nil
    }

    private static func known(_ name: String) -> JSONObject? {
        switch name {
        case "tiny":
            shape([
                "vocab_size": 512, "hidden_size": 256, "intermediate_size": 512, "moe_intermediate_size": 64,
                "num_hidden_layers": 6, "num_dense_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
                "head_dim": 64, "num_experts": 8, "num_experts_per_tok": 2, "sliding_window": 128,
                "route_scale": 2.0, "max_position_embeddings": 2048,
            ])
        case "small":
            shape([
                "vocab_size": 8192, "hidden_size": 1024, "intermediate_size": 3072, "moe_intermediate_size": 256,
                "num_hidden_layers": 8, "num_dense_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 2,
                "head_dim": 128, "num_experts": 64, "num_experts_per_tok": 4, "sliding_window": 2048,
                "route_scale": 2.826, "max_position_embeddings": 131_072,
            ])
        case "nano":
            shape([
                "vocab_size": 200_192, "hidden_size": 1024, "intermediate_size": 3072, "moe_intermediate_size": 256,
                "num_hidden_layers": 56, "num_dense_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 2,
                "head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8, "sliding_window": 2048,
                "route_scale": 2.826, "max_position_embeddings": 131_072,
            ])
        case "mini":
            shape([
                "vocab_size": 200_192, "hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": 1024,
                "num_hidden_layers": 32, "num_dense_layers": 2, "num_attention_heads": 32, "num_key_value_heads": 4,
                "head_dim": 128, "num_experts": 128, "num_experts_per_tok": 8, "sliding_window": 2048,
                "route_scale": 2.826, "max_position_embeddings": 131_072,
            ])
        case "large":
            shape([
                "vocab_size": 200_192, "hidden_size": 3072, "intermediate_size": 12_288,
                "moe_intermediate_size": 3072, "num_hidden_layers": 60, "num_dense_layers": 6,
                "num_attention_heads": 48, "num_key_value_heads": 8, "head_dim": 128, "num_experts": 256,
                "num_experts_per_tok": 4, "sliding_window": 4096, "route_scale": 2.448,
                "max_position_embeddings": 524_288,
            ])
        default: nil
        }
    }

    /// Returns `sizes` combined with the common settings of all released models.
    private static func shape(_ sizes: JSONObject) -> JSONObject {
        var json: JSONObject = [
            "architectures": ["AfmoeForCausalLM"], "model_type": "afmoe", "dtype": "bfloat16",
        ]
        for (name, value) in sizes { json[name] = value }
        let common: JSONObject = [
            "num_shared_experts": 1, "global_attn_every_n_layers": 4, "n_group": 1, "topk_group": 1,
            "score_func": "sigmoid", "route_norm": true, "rope_theta": 10000.0, "rope_scaling": nil,
            "rms_norm_eps": 1e-5, "hidden_act": "silu", "mup_enabled": true, "tie_word_embeddings": false,
            "bos_token_id": 0, "eos_token_id": 3, "pad_token_id": 12,
        ]
        for (name, value) in common { json[name] = value }
        return json
    }
}
