import JSON

extension QuantizationConfig {
    /// The `quantization_config` of a checkpoint whose linear layers `WeightQuantizer` quantized, in the form of
    /// compressed-tensors.
    ///
    /// - Parameter quantizesLMHead: whether the LM head is one of them.
    public static func blockJSON(quantizesLMHead: Bool) -> JSONValue {
        let router: JSONValue = "re:.*mlp\\.router\\.gate$"
        return [
            "quant_method": "compressed-tensors",
            "format": "float-quantized",
            "quantization_status": "compressed",
            "config_groups": [
                "group_0": [
                    "targets": ["Linear"],
                    "weights": [
                        "type": "float", "num_bits": 8, "strategy": "block",
                        "block_structure": [.integer(WeightQuantizer.blockSize), .integer(WeightQuantizer.blockSize)],
                        "dynamic": false, "symmetric": true,
                    ],
                    "input_activations": [
                        "type": "float", "num_bits": 8, "strategy": "group",
                        "group_size": .integer(WeightQuantizer.blockSize), "dynamic": true, "symmetric": true,
                    ],
                ]
            ],
            "ignore": quantizesLMHead ? [router] : ["lm_head", router],
        ]
    }
}
