"""`trinity evaluate`, against the log-probabilities of the server."""

import json
import math
import subprocess

import pytest
from trinity_server import BINARY, CHAT_MODEL, REPOSITORY


def evaluate(*arguments):
    done = subprocess.run(
        [REPOSITORY / BINARY, "evaluate", CHAT_MODEL, "--reference", CHAT_MODEL, "--compute", "exact", *map(str, arguments)],
        capture_output=True, text=True, timeout=300, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_perplexity_is_that_of_the_servers_prompt_logprobs(server, tmp_path):
    text = (REPOSITORY / "README.md").read_text()[:600]
    ids = server.post("/tokenize", {"prompt": text}).json["tokens"]
    reply = server.post("/v1/completions", {"prompt": ids, "max_tokens": 1, "prompt_logprobs": 0}).json
    entries = reply["choices"][0]["prompt_logprobs"]
    logprobs = [entry[str(token)]["logprob"] for token, entry in zip(ids[1:], entries[1:], strict=True)]
    (tmp_path / "ids.json").write_text(json.dumps(ids))
    report = json.loads(evaluate("--tokens", tmp_path / "ids.json", "--json"))
    assert report["tokens"] == len(ids) - 1 and report["windows"] == 1
    assert report["perplexity"] == pytest.approx(math.exp(-sum(logprobs) / len(logprobs)), rel=1e-5)
    assert report["mean_kl_divergence"] == 0 and report["top1_agreement"] == 1
    (tmp_path / "text").write_text(text)
    assert json.loads(evaluate("--text", tmp_path / "text", "--json")) == report
    assert "KL divergence   0.000000 nats" in evaluate("--text", tmp_path / "text")
