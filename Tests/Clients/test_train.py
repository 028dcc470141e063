"""`trinity train` as a process: signals, readers that end, two runs at once, and what it prints."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest
from trinity_server import BINARY, CHAT_MODEL, REPOSITORY

VECTORS = REPOSITORY / "Tests" / "Fixtures" / "train" / "train30"
FIRST_RUN = REPOSITORY / "deploy" / "recipes" / "first-run" / "recipe.json"


@pytest.fixture
def recipe(tmp_path):
    """Thirty steps from given weights, with a checkpoint after every third."""
    (tmp_path / "initial").mkdir()
    shutil.copy(VECTORS / "initial.safetensors", tmp_path / "initial" / "model.safetensors")
    shutil.copy(VECTORS / "config.json", tmp_path / "initial")
    hyperparameters = json.loads((VECTORS / "curve.json").read_text())["hyperparameters"]
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({
        "initial": "initial", "batches": str(VECTORS / "batches.safetensors"), "hyperparameters": hyperparameters,
        "checkpoint_interval": 3}))
    return path


def command(recipe, out, *arguments):
    return [REPOSITORY / BINARY, "train", recipe, "--out", out, "--precision", "exact", "--threads", "1", "--json", *arguments]


def run(recipe, out, *arguments):
    return subprocess.run(command(recipe, out, *arguments), capture_output=True, text=True, timeout=300)


def test_a_run_that_is_killed_anywhere_ends_with_the_same_bytes(recipe, tmp_path):
    whole = run(recipe, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    steps = [json.loads(line) for line in whole.stdout.splitlines()]
    expected = json.loads((VECTORS / "curve.json").read_text())["steps"]
    assert [step["step"] for step in steps] == list(range(30))
    assert set(expected[0]) <= set(steps[0])
    for kind in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen(command(recipe, tmp_path / "parts"), stdout=subprocess.PIPE, text=True)
        # At some steps, wherever an earlier part has ended.
        for _ in range(5):
            process.stdout.readline()
        process.send_signal(kind)
        process.stdout.read()
        assert process.wait(timeout=60) == (0 if kind == signal.SIGTERM else -signal.SIGKILL)
    last = run(recipe, tmp_path / "parts")
    assert last.returncode == 0 and re.match(r"the run continues after step \d+ of 30\n", last.stderr), last.stderr
    again = run(recipe, tmp_path / "parts")
    assert again.returncode == 0 and not again.stdout and "the run is complete" in again.stderr, again.stderr
    names = ["config.json", "log.jsonl", "model.safetensors", "optimizer.safetensors", "trainer.json"]
    assert sorted(os.listdir(tmp_path / "parts")) == names
    for name in set(names) - {"log.jsonl"}:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name
    logs = [[json.loads(line) for line in (tmp_path / out / "log.jsonl").read_text().splitlines()] for out in ("whole", "parts")]
    assert [line["cross_entropy"] for line in logs[0]] == [line["cross_entropy"] for line in logs[1]]


def test_a_reader_that_ends_does_not_end_the_run(recipe, tmp_path):
    process = subprocess.Popen(command(recipe, tmp_path / "out"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 0, process.stderr.read()
    assert (tmp_path / "out" / "config.json").exists()


def test_two_runs_at_once_are_refused(recipe, tmp_path):
    process = subprocess.Popen(command(recipe, tmp_path / "out"), stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    try:
        second = run(recipe, tmp_path / "out")
        assert second.returncode != 0 and "another run uses the output directory" in second.stderr
    finally:
        process.send_signal(signal.SIGCONT)
        process.stdout.read()
        assert process.wait(timeout=120) == 0


def test_the_first_run_of_the_manual_is_checked_and_planned():
    plan = subprocess.run(
        [REPOSITORY / BINARY, "train", FIRST_RUN, "--dry-run", "--flops", "100"], capture_output=True, text=True, timeout=120)
    assert plan.returncode == 0, plan.stderr
    for part in ("pretraining: 80 steps", "sft: 40 steps", "81920, 1024 a step", "optimizers, float32", "at 100 GFLOP/s"):
        assert part in plan.stdout, plan.stdout


def test_a_plan_says_what_training_takes():
    plan = subprocess.run(
        [REPOSITORY / BINARY, "plan", "--shape", "nano", "--train", "--context", "4096", "--tokens", "1000000", "--flops", "100"],
        capture_output=True, text=True, timeout=60)
    assert plan.returncode == 0, plan.stderr
    for part in ("weights, float32", "activations of a row of 4096", "operations of Muon a step", "time"):
        assert part in plan.stdout, plan.stdout


def test_an_error_names_the_line_of_a_document(tmp_path):
    (tmp_path / "texts.jsonl").write_text('{"text": "a"}\n' * 50 + '{"txt": "a"}\n')
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({
        "initial": str(CHAT_MODEL), "seed": 1,
        "documents": {"sources": [{"jsonl": "texts.jsonl"}]}, "hyperparameters": {"steps": 1}}))
    start = time.monotonic()
    failed = run(recipe, tmp_path / "out")
    assert failed.returncode != 0 and "texts.jsonl, line 51: " in failed.stderr, failed.stderr
    assert time.monotonic() - start < 60 and not (tmp_path / "out").exists()


def test_a_plan_has_a_warning_for_too_little_memory_and_refuses_rates_without_sense(recipe, tmp_path):
    config = json.loads((VECTORS / "config.json").read_text()) | {
        "hidden_size": 1 << 14, "intermediate_size": 1 << 16, "num_dense_layers": 64, "num_hidden_layers": 64}
    (tmp_path / "initial" / "config.json").write_text(json.dumps(config))
    recipe.write_text(json.dumps(json.loads(recipe.read_text()) | {"seed": 1}))
    arguments = [REPOSITORY / BINARY, "train", recipe, "--dry-run", "--flops"]
    plan = subprocess.run([*arguments, "100"], capture_output=True, text=True, timeout=60)
    assert plan.returncode == 0 and "warning: weights, gradients" in plan.stderr, plan.stderr
    for rate in ("1e30", "1e-30", "0", "nan"):
        for command in (arguments, [REPOSITORY / BINARY, "plan", "--shape", "nano", "--train", "--tokens", "5", "--flops"]):
            plan = subprocess.run([*command, rate], capture_output=True, text=True, timeout=60)
            assert plan.returncode == 64 and "--flops must be" in plan.stderr, (rate, plan.stderr)


def test_a_full_disk_costs_no_checkpoint(recipe, tmp_path):
    whole = run(recipe, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen(command(recipe, tmp_path / "parts"), stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    assert process.wait(timeout=60) == 0
    before = sorted(os.listdir(tmp_path / "parts"))
    assert any(name.startswith("step-") for name in before)

    def limit():
        # Writing more than the limit is an error then, as on a full disk.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    full = subprocess.run(
        command(recipe, tmp_path / "parts"), capture_output=True, text=True, timeout=300, preexec_fn=limit, restore_signals=False)
    assert full.returncode == 1 and "too large" in full.stderr, full.stderr
    assert sorted(os.listdir(tmp_path / "parts")) == before
    last = run(recipe, tmp_path / "parts")
    assert last.returncode == 0, last.stderr
    assert (tmp_path / "whole/model.safetensors").read_bytes() == (tmp_path / "parts/model.safetensors").read_bytes()


def test_options_of_plan_that_do_not_belong_together_are_refused():
    for arguments in (["--tokens", "5"], ["--precision", "exact"], ["--train", "--hosts", "2"], ["--train", "--context", "0"]):
        plan = subprocess.run(
            [REPOSITORY / BINARY, "plan", "--shape", "nano", *arguments], capture_output=True, text=True, timeout=60)
        assert plan.returncode != 0 and arguments[-2] in plan.stderr, (arguments, plan.stderr)
