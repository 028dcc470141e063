"""Writes the GGUF twin of a checkpoint of `trinity synth`: gguf_twin.py MODEL OUT.gguf

Runs in the environment of llama_source.py. Linear layers, embeddings and head become Q8_0, everything else float32, so that the
twin has the weights of an FP8 checkpoint up to the rounding of Q8_0. `llama-quantize` makes other types of it.
"""

import json
import pathlib
import struct
import sys

import gguf
import numpy

NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_mlp_layernorm": "ffn_norm",
    "post_mlp_layernorm": "post_ffw_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.gate_proj": "attn_gate",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.router.gate": "ffn_gate_inp",
    "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
    "mlp.shared_experts.up_proj": "ffn_up_shexp",
    "mlp.shared_experts.down_proj": "ffn_down_shexp",
}
EXPERTS = {"gate_proj": "ffn_gate_exps", "up_proj": "ffn_up_exps", "down_proj": "ffn_down_exps"}


class Checkpoint:
    """The tensors of a folder, read one at a time as float32."""

    def __init__(self, folder):
        self.places = {}
        for path in sorted(folder.glob("*.safetensors")):
            with open(path, "rb") as file:
                size = struct.unpack("<Q", file.read(8))[0]
                header = json.loads(file.read(size))
            for name, entry in header.items():
                if name != "__metadata__":
                    self.places[name] = (path, 8 + size, entry)
        codes = numpy.arange(256, dtype=numpy.uint8)
        exponents = ((codes >> 3) & 15).astype(numpy.int32)
        fractions = (codes & 7).astype(numpy.float32)
        values = numpy.where(
            exponents == 0, fractions / 8 * 2.0**-6, (1 + fractions / 8) * 2.0 ** (exponents - 7).astype(numpy.float32))
        self.float8 = numpy.where(codes & 128, -values, values).astype(numpy.float32)

    def __contains__(self, name):
        return name in self.places

    def __getitem__(self, name):
        path, start, entry = self.places[name]
        begin, end = entry["data_offsets"]
        data = numpy.fromfile(path, numpy.uint8, end - begin, offset=start + begin)
        if entry["dtype"] == "F32":
            return data.view(numpy.float32).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            return (data.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32).reshape(entry["shape"])
        assert entry["dtype"] == "F8_E4M3", entry["dtype"]
        values = self.float8[data].reshape(entry["shape"])
        scales = self[name + "_scale"]
        rows, columns = values.shape
        return values * scales.repeat(128, 0)[:rows].repeat(128, 1)[:, :columns]


def main():
    folder, target = map(pathlib.Path, sys.argv[1:])
    config = json.loads((folder / "config.json").read_text())
    checkpoint = Checkpoint(folder)
    layers = config["num_hidden_layers"]
    writer = gguf.GGUFWriter(target, "afmoe", use_temp_file=False)

    writer.add_name(folder.name)
    writer.add_block_count(layers)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_expert_count(config["num_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_expert_shared_count(config["num_shared_experts"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_expert_weights_norm(config["route_norm"])
    writer.add_expert_weights_scale(config["route_scale"])
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_leading_dense_block_count(config["num_dense_layers"])
    writer.add_sliding_window(config["sliding_window"])
    # Every byte is a token, as in the checkpoint's tokenizer; the tokens behind them are never written by a prompt.
    letters = list(map(chr, [*range(33, 127), *range(161, 173), *range(174, 256)]))
    letters += [chr(256 + number) for number in range(256 - len(letters))]
    fillers = [f"<unused{number}>" for number in range(config["vocab_size"] - 256)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(letters + fillers)
    writer.add_token_types([gguf.TokenType.NORMAL] * config["vocab_size"])
    writer.add_token_merges([f"{letters[0]} {letters[0]}"])
    writer.add_eos_token_id(config["vocab_size"] - 1)
    writer.add_add_bos_token(False)

    # Tensors are described first and quantized as they are written, one at a time: the model need not fit in memory.
    tensors = [("token_embd.weight", ["model.embed_tokens.weight"]), ("output_norm.weight", ["model.norm.weight"])]
    if "lm_head.weight" in checkpoint:
        tensors.append(("output.weight", ["lm_head.weight"]))
    for layer in range(layers):
        source = f"model.layers.{layer}."
        for name, twin in NAMES.items():
            if f"{source}{name}.weight" in checkpoint:
                tensors.append((f"blk.{layer}.{twin}.weight", [f"{source}{name}.weight"]))
        if f"{source}mlp.expert_bias" in checkpoint:
            tensors.append((f"blk.{layer}.exp_probs_b.bias", [f"{source}mlp.expert_bias"]))
            for name, twin in EXPERTS.items():
                sources = [f"{source}mlp.experts.{expert}.{name}.weight" for expert in range(config["num_experts"])]
                tensors.append((f"blk.{layer}.{twin}.weight", sources))

    kinds = []
    for name, sources in tensors:
        shape = checkpoint.places[sources[0]][2]["shape"]
        is_matrix = len(shape) == 2 and "ffn_gate_inp" not in name
        kind = gguf.GGMLQuantizationType.Q8_0 if is_matrix else gguf.GGMLQuantizationType.F32
        shape = [len(sources), *shape] if name.endswith("_exps.weight") else list(shape)
        bytes_shape = [*shape[:-1], shape[-1] // 32 * 34] if is_matrix else shape
        element = numpy.uint8 if is_matrix else numpy.float32
        size = int(numpy.prod(bytes_shape)) * numpy.dtype(element).itemsize
        writer.add_tensor_info(name, bytes_shape, numpy.dtype(element), size, raw_dtype=kind)
        kinds.append(kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for (name, sources), kind in zip(tensors, kinds):
        parts = [gguf.quants.quantize(checkpoint[source], kind) for source in sources]
        writer.write_tensor_data(numpy.stack(parts) if name.endswith("_exps.weight") else parts[0])
    writer.close()


main()
