import JSON

extension QuantizationConfig {
    private static let router: JSONValue = "re:.*mlp\\.router\\.gate$"

    /// Returns the `quantization_config` of a checkpoint with quantized linear layers, in the form of compressed-tensors.
    ///
    /// - Parameters:
    ///   - quantizesLMHead: whether the LM head is quantized, too.
    ///   - wide: the modules of linear layers that are not quantized.
    public static func json(
        _ quantization: WeightQuantization, quantizesLMHead: Bool, wide: [String] = []
    ) -> JSONValue {
        guard quantization != .float8 else { return blockJSON(quantizesLMHead: quantizesLMHead) }
        var groups = JSONObject()
        groups["group_0"] = group(quantization, targets: ["Linear"])
        // With fewer bits the head has a format of its own.
        let hasOwnHead = quantizesLMHead && quantization != .int8
        if hasOwnHead { groups["group_1"] = group(.int8, targets: ["re:.*lm_head"]) }
        let head: [JSONValue] = quantizesLMHead ? [] : ["lm_head"]
        return [
            "quant_method": "compressed-tensors",
            "format": hasOwnHead && quantization == .nvfp4 ? "mixed-precision" : format(quantization),
            "quantization_status": "compressed",
            "config_groups": .object(groups),
            "ignore": .array(head + [router] + wide.map { .string($0) }),
        ]
    }

    private static func format(_ quantization: WeightQuantization) -> JSONValue {
        quantization == .nvfp4 ? "nvfp4-pack-quantized" : "pack-quantized"
    }

    private static func group(_ quantization: WeightQuantization, targets: JSONValue) -> JSONValue {
        let weights: JSONValue
        switch quantization {
        case .int4(let columns):
            weights = [
                "type": "int", "num_bits": 4, "strategy": "group", "group_size": .integer(columns), "symmetric": true,
                "dynamic": false,
            ]
        case .nvfp4:
            weights = [
                "type": "float", "num_bits": 4, "strategy": "tensor_group", "group_size": 16, "symmetric": true,
                "dynamic": false,
            ]
        case .int8, .float8:
            weights = [
                "type": "int", "num_bits": 8, "strategy": "group", "group_size": 32, "symmetric": true,
                "dynamic": false,
            ]
        }
        return ["targets": targets, "format": format(quantization), "weights": weights]
    }

    /// Returns the `quantization_config` of FP8 in blocks, as written by ``WeightQuantizer``.
    ///
    /// - Parameter quantizesLMHead: whether the LM head is quantized, too.
    public static func blockJSON(quantizesLMHead: Bool) -> JSONValue {
        let size: JSONValue = .integer(WeightQuantizer.blockSize)
        return [
            "quant_method": "compressed-tensors",
            "format": "float-quantized",
            "quantization_status": "compressed",
            "config_groups": [
                "group_0": [
                    "targets": ["Linear"],
                    "weights": [
                        "type": "float", "num_bits": 8, "strategy": "block", "block_structure": [size, size],
                        "dynamic": false, "symmetric": true,
                    ],
                    "input_activations": [
                        "type": "float", "num_bits": 8, "strategy": "group", "group_size": size, "dynamic": true,
                        "symmetric": true,
                    ],
                ]
            ],
            "ignore": quantizesLMHead ? [router] : ["lm_head", router],
        ]
    }
}
