import JSON
import TestSupport
import Testing

@testable import Checkpoints

struct QuantizationConfigTests {
    @Test(
        arguments: [
            ("a_base", nil), ("f1_fp8_ct_channel", .channel), ("f2_fp8_ct_tensor", .tensor),
            ("f3_fp8_ct_block", .block(rows: 128, columns: 128)),
            ("f4_fp8_ds_block_ragged", .block(rows: 128, columns: 128)),
        ] as [(String, QuantizationConfig.Granularity?)])
    func `the granularity of each fixture is read`(name: String, expected: QuantizationConfig.Granularity?) throws {
        let config = try QuantizationConfig(parsing: Fixtures.json("model/\(name)/config.json"))
        #expect(config?.granularities.first == expected)
    }

    @Test(arguments: ["gptq", "awq", "bitsandbytes", "mxfp4", "modelopt"])
    func `another method is refused with its name`(method: String) throws {
        let error = try #require(throws: ModelConfigError.self) {
            try QuantizationConfig(parsing: ["quantization_config": ["quant_method": .string(method)]])
        }
        #expect(error.description.contains(method))
    }

    @Test(
        arguments: [
            (["quant_method": "fp8", "fmt": "e5m2"], "e5m2"),
            (["quant_method": "compressed-tensors"], "without weights"),
            (["bits": 4], "unnamed"),
            (group("pack-quantized", ["type": "int", "num_bits": 3]), "pack-quantized int3"),
            (group("pack-quantized", ["type": "int", "num_bits": 8]), "strategy tensor"),
            (group("pack-quantized", ["type": "int", "num_bits": 8, "strategy": "token"]), "strategy token"),
            (group("mxfp8-quantized", ["type": "float", "num_bits": 8]), "mxfp8-quantized"),
            (["quant_method": "modelopt", "quant_algo": "W4A8_AWQ"], "W4A8_AWQ"),
            (["quant_method": "awq", "bits": 4, "version": "gemv"], "gemv"),
            (["quant_method": "gptq", "bits": 3], "gptq with 3 bits"),
            (["quant_method": "awq", "group_size": 128], "awq without bits"),
            (["quant_method": "compressed-tensors", "config_groups": ["W4A16": ["Linear"]]], "group W4A16"),
            (["quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"], "marlin"),
            (group("float-quantized", ["type": "int", "num_bits": 8]), "float-quantized int8"),
            (group("float-quantized", ["type": "float", "symmetric": false]), "asymmetric"),
            (group("float-quantized", ["type": "float", "strategy": "group"]), "strategy group"),
            (group("int-quantized", ["type": "int", "num_bits": 4]), "int-quantized int4"),
            (group("int-quantized", ["type": "int", "strategy": "block"]), "int-quantized strategy block"),
            (
                ["quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"],
                "MIXED_PRECISION without quantized_layers"
            ),
            (mixed(["a.q_proj": ["quant_algo": "FP8"], "a.o_proj": ["quant_algo": "MXFP8"]]), "MXFP8 of a.o_proj"),
            (mixed(["a.q_proj": ["quant_algo": "W4A16_AWQ", "group_size": 128]]), "W4A16_AWQ of a.q_proj"),
            (mixed(["b": ["quant_algo": "NVFP4", "group_size": 32]]), "NVFP4 with groups of 32 of b"),
            (mixed(["b": "FP8"]), "unnamed of b"),
            (
                [
                    "quant_method": "compressed-tensors", "format": "float-quantized",
                    "config_groups": [
                        "a": ["weights": ["type": "float", "strategy": "block", "block_structure": [128, 128]]],
                        "b": ["weights": ["type": "float", "strategy": "block", "block_structure": [64, 64]]],
                    ],
                ], "several block structures"
            ),
        ] as [(JSONValue, String)])
    func `an unsupported format is refused with its name`(quantization: JSONValue, name: String) throws {
        let error = try #require(throws: ModelConfigError.self) {
            try QuantizationConfig(parsing: ["quantization_config": quantization])
        }
        guard case .unsupportedQuantization(let refused, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(refused.contains(name))
    }

    @Test(
        arguments: [
            Written(
                group("pack-quantized", ["type": "int", "num_bits": 8, "symmetric": false, "strategy": "channel"])),
            // The name of FP8 without quantized activations.
            Written(
                group("naive-quantized", ["type": "float", "num_bits": 8, "strategy": "channel"]),
                granularities: [.channel]),
            Written(group("naive-quantized", ["type": "int", "num_bits": 8])),
            Written(group("int-quantized", ["type": "int", "num_bits": 8, "strategy": "channel"])),
            Written(group("int-quantized", ["type": "int", "num_bits": 8, "group_size": 128]), groupWidths: [128]),
            Written(group("pack-quantized", ["num_bits": 4, "group_size": 64]), groupWidths: [64]),
            Written(group("pack-quantized", ["num_bits": 4, "group_size": -1])),
            Written(
                ["quant_method": "awq", "w_bit": 4, "q_group_size": 64, "version": "GEMM"], groupWidths: [64],
                order: .outputs),
            // Only the cache is quantized.
            Written(["quant_method": "compressed-tensors", "config_groups": [:], "kv_cache_scheme": ["num_bits": 8]]),
            Written(["quant_method": "modelopt", "quant_algo": nil, "kv_cache_quant_algo": "FP8"]),
            Written(["quant_method": "modelopt", "quant_algo": "W4A16_NVFP4"]),
            Written(
                ["quant_method": "modelopt", "quant_algo": "FP8_PER_CHANNEL_PER_TOKEN"], granularities: [.channel]),
            Written(
                mixed([
                    "a.q_proj": ["quant_algo": "FP8"], "a.o_proj": ["quant_algo": "FP8_PER_CHANNEL_PER_TOKEN"],
                    "a.k_proj": ["quant_algo": "FP8"], "b": ["quant_algo": "NVFP4", "group_size": 16],
                ]), granularities: [.tensor, .channel]),
        ])
    func `a format that other programs write is read`(written: Written) throws {
        let config = try #require(try QuantizationConfig(parsing: ["quantization_config": written.quantization]))
        #expect(config.granularities == written.granularities)
        #expect(config.groupWidths == written.groupWidths && config.order == written.order)
    }

    /// A `quantization_config`, and what it means.
    struct Written: Sendable {
        var quantization: JSONValue
        var granularities: [QuantizationConfig.Granularity] = []
        var groupWidths: [Int] = []
        var order: TransposedIntegers.Order?

        init(
            _ quantization: JSONValue, granularities: [QuantizationConfig.Granularity] = [], groupWidths: [Int] = [],
            order: TransposedIntegers.Order? = nil
        ) {
            self.quantization = quantization
            self.granularities = granularities
            self.groupWidths = groupWidths
            self.order = order
        }
    }

    @Test func `a list of transforms that is empty means none`() throws {
        guard case .object(var quantization) = Self.group("float-quantized", ["type": "float"]) else { return }
        quantization["transform_config"] = ["config_groups": [:]]
        #expect(try QuantizationConfig(parsing: ["quantization_config": .object(quantization)]) != nil)
    }

    @Test func `FP8 with several granularities keeps all of them`() throws {
        let config = try QuantizationConfig(parsing: [
            "quantization_config": [
                "quant_method": "compressed-tensors", "format": "float-quantized",
                "config_groups": [
                    "a": ["weights": ["type": "float", "strategy": "block", "block_structure": [128, 128]]],
                    "b": ["weights": ["type": "float", "strategy": "channel"]],
                ],
            ]
        ])
        #expect(config?.granularities == [.block(rows: 128, columns: 128), .channel])
    }

    @Test func `a separate file of ModelOpt is read if config.json says nothing`() throws {
        let model = try TemporaryModel()
        try model.write(Array("{}".utf8), to: "config.json")
        #expect(try QuantizationConfig(directory: model.directory) == nil)
        try model.write(
            Array(#"{"quantization": {"quant_algo": "NVFP4", "group_size": 16}}"#.utf8), to: "hf_quant_config.json")
        #expect(try QuantizationConfig(directory: model.directory) != nil)
        try model.write(Array(#"{"quantization": {"quant_algo": "INT4_AWQ"}}"#.utf8), to: "hf_quant_config.json")
        let error = try #require(throws: ModelConfigError.self) { try QuantizationConfig(directory: model.directory) }
        #expect(error.description.contains("modelopt INT4_AWQ"))
    }

    @Test func `sparse and rotated weights are refused`() {
        for (key, value) in [
            ("sparsity_config", ["format": "sparse-24-bitmask"]), ("transform_config", ["config_groups": ["u": [:]]]),
        ] as [(String, JSONValue)] {
            guard case .object(var quantization) = Self.group("float-quantized", ["type": "float"]) else { return }
            quantization[key] = value
            #expect(throws: ModelConfigError.self) {
                try QuantizationConfig(parsing: ["quantization_config": .object(quantization)])
            }
        }
    }

    @Test func `an invalid block size is an error with its key`() throws {
        let error = try #require(throws: ModelConfigError.self) {
            try QuantizationConfig(
                parsing: ["quantization_config": ["quant_method": "fp8", "weight_block_size": [128, 0]]])
        }
        #expect(error.description.contains("quantization_config.weight_block_size"))
    }

    @Test func `activations in integers are noticed`() throws {
        for (activations, expected) in [
            (nil, false), (["num_bits": 8, "type": "int", "dynamic": true], true), (["num_bits": 8], true),
            (["type": "float"], false),
        ] as [(JSONValue, Bool)] {
            let config = try QuantizationConfig(parsing: [
                "quantization_config": [
                    "quant_method": "compressed-tensors", "format": "int-quantized",
                    "config_groups": [
                        "a": ["weights": ["type": "int", "num_bits": 8], "input_activations": activations]
                    ],
                ]
            ])
            #expect(config?.hasIntegerActivations == expected)
        }
    }

    private static func mixed(_ layers: JSONValue) -> JSONValue {
        ["quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": layers]
    }

    private static func group(_ format: JSONValue, _ weights: JSONValue) -> JSONValue {
        ["quant_method": "compressed-tensors", "format": format, "config_groups": ["group_0": ["weights": weights]]]
    }
}
