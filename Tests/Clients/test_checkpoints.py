"""Model folders that are damaged, hostile or odd: each is refused by one clear error, or served with a warning."""

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import time

import pytest
from trinity_server import BINARY, CHAT_MODEL, FIXTURES, REPOSITORY, Server

PLAIN = FIXTURES / "model" / "a_base"
# What the server takes for itself, and a small model; the kernel counts mapped files too.
MOST_BYTES = 400 << 20


@pytest.fixture
def folder(tmp_path):
    """A copy of the chat model whose files a test may change."""
    return shutil.copytree(CHAT_MODEL, tmp_path / "model")


def refusal(model):
    """The error of a server that ends while it loads `model`, in bounded time and memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    outcome = subprocess.run(
        [REPOSITORY / BINARY, "serve", "--port", "0", "--model", model], cwd=REPOSITORY, capture_output=True, text=True,
        timeout=60)
    assert outcome.returncode > 0, outcome.stderr + outcome.stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after == before or after << 10 < MOST_BYTES
    text = outcome.stderr + outcome.stdout
    assert "Error Domain" not in text and "Fatal error" not in text
    return text


def change(path, **members):
    """Sets members of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | members))


def header(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + length]), 8 + length


@pytest.mark.parametrize("name", [
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "chat_template.jinja"])
@pytest.mark.parametrize("make", [
    (os.mkfifo, "a FIFO"), (os.mkdir, "a directory"), (lambda path: os.symlink("/dev/zero", path), "a device"),
    (lambda path: os.symlink("nothing", path), "does not exist")], ids=["fifo", "directory", "device", "dangling"])
def test_only_regular_files_are_read(folder, name, make):
    (folder / name).unlink()
    make[0](folder / name)
    text = refusal(folder)
    assert name in text and make[1] in text


def test_links_into_a_cache_are_followed(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for file in CHAT_MODEL.iterdir():
        (model / file.name).symlink_to(file)
    with Server("--model", model) as server:
        assert server.post("/v1/completions", {"prompt": "a", "max_tokens": 1}).status == 200
        assert "warning" not in server.log_text().lower()


def test_a_shard_that_is_a_fifo_is_refused(tmp_path):
    model = shutil.copytree(FIXTURES / "model" / "c_odd_sharded", tmp_path / "model")
    shard = sorted(model.glob("model-*.safetensors"))[0]
    shard.unlink()
    os.mkfifo(shard)
    text = refusal(model)
    assert shard.name in text and "a FIFO" in text


@pytest.mark.parametrize("option", ["--config", "--api-key-file", "--ssl-certfile"])
def test_files_of_options_are_regular_too(tmp_path, option):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    key = ["--ssl-keyfile", fifo] if option == "--ssl-certfile" else []
    outcome = subprocess.run(
        [REPOSITORY / BINARY, "serve", "--port", "0", option, fifo, *key], cwd=REPOSITORY, capture_output=True, text=True,
        timeout=20)
    assert outcome.returncode > 0
    assert "a FIFO" in outcome.stderr + outcome.stdout


@pytest.mark.parametrize("kind", ["norm.weight", "embed_tokens.weight", "expert_bias", "q_proj.weight", "q_proj.weight_scale"])
def test_weights_that_are_not_finite_are_refused(folder, kind):
    path = folder / "model.safetensors"
    tensors, start = header(path)
    name = next(name for name in tensors if name.endswith(kind))
    tensor = tensors[name]
    nan = {"F32": b"\0\0\xc0\x7f", "BF16": b"\xc0\x7f", "F8_E4M3": b"\x7f", "F16": b"\0\x7e"}[tensor["dtype"]]
    with path.open("r+b") as file:
        file.seek(start + tensor["data_offsets"][1] - len(nan))
        file.write(nan)
    text = refusal(folder)
    assert name in text and "nan" in text


@pytest.mark.parametrize(("file", "key", "value"), [
    ("generation_config.json", "eos_token_id", 3072), ("generation_config.json", "bos_token_id", 1 << 30),
    ("config.json", "final_logit_softcapping", 30.0), ("config.json", "embedding_multiplier", 12),
    ("config.json", "num_limited_groups", 2), ("config.json", "num_experts", 1025),
    ("config.json", "num_hidden_layers", 1024)])
def test_settings_that_cannot_be_served_are_refused_by_name(folder, file, key, value):
    change(folder / file, **{key: value})
    assert key in refusal(folder)


def test_the_largest_sizes_are_refused_in_little_memory(folder):
    wide, layers = 1 << 24, 1 << 10
    change(
        folder / "config.json", vocab_size=wide, hidden_size=wide, intermediate_size=wide, moe_intermediate_size=wide,
        num_hidden_layers=layers, layer_types=None, num_attention_heads=1 << 14, num_key_value_heads=1 << 14,
        head_dim=1 << 14, num_experts=layers, num_experts_per_tok=layers, num_shared_experts=layers, n_group=1,
        topk_group=1, sliding_window=1 << 30, max_position_embeddings=1 << 30)
    assert "at most" in refusal(folder)


def test_odd_folders_are_served_with_warnings(folder):
    change(folder / "config.json", eos_token_id=None, use_warp_drive=True)
    change(folder / "generation_config.json", eos_token_id=None)
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(template.replace("<|im_start|>", "<|start_of_turn|>"))
    with Server("--model", folder) as server:
        reply = server.post("/v1/completions", {"prompt": "a", "max_tokens": 1})
        assert reply.status == 200
        log = server.log_text()
    assert "no eos_token_id" in log and "use_warp_drive" in log and "<|start_of_turn|>" in log


def test_a_template_that_does_not_compile_is_refused(folder):
    (folder / "chat_template.jinja").write_text("{% for %}")
    assert refusal(folder)


def test_a_tokenizer_without_bound_is_refused(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"] = {
        "type": "Sequence",
        "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}] * 30}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    reason = refusal(folder)
    assert "normalizer" in reason and reason.count("tokenizer.json") == 1


@pytest.mark.parametrize("tool", ["synth", "quantize"])
def test_a_full_disk_leaves_one_line_and_no_files(tmp_path, tool):
    target = tmp_path / "small"
    target.mkdir()
    arguments = {
        "synth": "synth --shape tiny --out {0}/out", "quantize": f"quantize {FIXTURES}/model/e_bf16 {{0}}/out",
    }[tool].format(target)
    script = f"""
        mount -t tmpfs -o size=64k none {target} || exit 99
        {REPOSITORY / BINARY} {arguments}
        echo "code $?"; find {target} -mindepth 1"""
    outcome = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    if outcome.returncode == 99:
        pytest.skip("this machine lets nobody mount a file system")
    assert outcome.stdout.splitlines() == ["code 1"], outcome.stderr
    errors = [line for line in outcome.stderr.splitlines() if "Error" in line]
    assert len(errors) == 1
    assert "No space left on device" in errors[0] and "free" in errors[0] and str(target) in errors[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_leaves_nothing(tmp_path, number):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [REPOSITORY / BINARY, "synth", "--shape", "small", "--format", "bf16", "--out", out], text=True,
        stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while not (out / "model.safetensors.partial").exists():
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == "interrupted: the incomplete output was removed\n"
    assert process.returncode == 130 and not out.exists()


def test_an_output_folder_without_a_name_is_refused():
    for arguments in (["quantize", PLAIN, ""], ["synth", "--shape", "tiny", "--out", ""]):
        result = subprocess.run([REPOSITORY / BINARY, *arguments], capture_output=True, text=True)
        assert result.returncode == 64 and "must be a path" in result.stderr
