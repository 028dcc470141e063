"""Checkpoints of `trinity quantize`, read by compressed-tensors: python -m pytest test_compressed_tensors.py

Needs the packages compressed-tensors and torch, which requirements.txt does not have because of their size.
"""

import json
import subprocess

import pytest
from trinity_server import BINARY, CHAT_MODEL

torch = pytest.importorskip("torch", reason="torch is not installed: it is larger than all other packages together")
pytest.importorskip("compressed_tensors", reason="compressed-tensors is not installed: it needs torch")

from compressed_tensors.compressors import BaseCompressor  # noqa: E402
from compressed_tensors.quantization import QuantizationConfig  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def nibbles(packed):
    """The low half of each byte, then the high one."""
    return torch.stack([packed & 15, packed >> 4], -1).flatten(-2).long()


def value(tensors, module):
    """What the formats mean, in float32."""
    scale = tensors[f"{module}.weight_scale"].float()
    packed = tensors[f"{module}.weight_packed"]
    if packed.dtype == torch.uint8:
        return E2M1[nibbles(packed)] * (scale / tensors[f"{module}.weight_global_scale"]).repeat_interleave(16, 1)
    rows, columns = tensors[f"{module}.weight_shape"].tolist()
    codes = packed.view(torch.uint8)
    codes = codes - 128.0 if codes.shape[1] == columns else nibbles(codes) - 8.0
    return codes * scale.repeat_interleave(columns // scale.shape[1], 1)


@pytest.mark.parametrize("options", ["int4", "int4 --group 128", "int8", "nvfp4", "int4 --quantize-head"])
def test_weights_have_the_values_that_compressed_tensors_reads(tmp_path, options):
    target = tmp_path / "out"
    subprocess.run(
        [BINARY, "quantize", CHAT_MODEL, target, "--weights", *options.split()], check=True,
        capture_output=True)
    stored = json.loads((target / "config.json").read_text())["quantization_config"]
    config = QuantizationConfig.model_validate(stored)
    tensors = load_file(target / "model.safetensors")
    modules = [name.removesuffix(".weight_packed") for name in tensors if name.endswith(".weight_packed")]
    assert len(modules) > 40
    for module in modules:
        groups = config.config_groups
        scheme = groups["group_1" if module == "lm_head" and "group_1" in groups else "group_0"]
        parts = {
            name.rpartition(".")[2]: tensor for name, tensor in tensors.items() if name.rpartition(".")[0] == module}
        # The library rounds to the type of the scales.
        if parts["weight_packed"].dtype != torch.uint8:
            parts["weight_scale"] = parts["weight_scale"].float()
        compressor = BaseCompressor.load_from_registry(scheme.format or config.format)
        got = compressor.decompress(parts, scheme)["weight"].float()
        want = value(tensors, module)
        assert got.shape == want.shape
        if parts["weight_packed"].dtype != torch.uint8:
            assert torch.equal(got, want), module
        else:
            # It computes in bfloat16.
            assert torch.allclose(got, want, rtol=2**-7, atol=0), module
