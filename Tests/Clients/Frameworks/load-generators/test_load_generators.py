"""aiperf and guidellm: a short run against the server ends without a failed request."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from trinity_server import CHAT_MODEL

BIN = pathlib.Path(sys.executable).parent


def cached_tokenizer(folder):
    """The model's tokenizer as a repository that has been downloaded: offline, aiperf looks nowhere else."""
    repository = folder / "hub" / "models--local--trinity-tiny"
    shutil.copytree(CHAT_MODEL, repository / "snapshots" / "0123456789abcdef")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123456789abcdef")
    return "local/trinity-tiny"


def run(program, *arguments, folder):
    result = subprocess.run(
        [BIN / program, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=400,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HOME": str(folder), "HF_HOME": str(folder)})
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


@pytest.mark.parametrize("endpoint", ["chat", "completions", "responses"])
def test_aiperf(server, tmp_path, endpoint):
    run("aiperf", "profile", "--model", "trinity-tiny", "--endpoint-type", endpoint, "--streaming", "--url", server.url,
        "--tokenizer", cached_tokenizer(tmp_path), "--request-count", 10, "--concurrency", 2, "--synthetic-input-tokens-mean", 40,
        "--output-tokens-mean", 8, "--ui", "none", "--output-artifact-dir", tmp_path / "out", folder=tmp_path)
    report, = (tmp_path / "out").rglob("profile_export_aiperf.json")
    record = json.loads(report.read_text())
    assert record["request_count"]["avg"] == 10
    assert not record.get("error_summary"), record["error_summary"]


@pytest.mark.parametrize("format", ["/v1/completions", "/v1/chat/completions"])
def test_guidellm(server, tmp_path, format):
    output = run(
        "guidellm", "run", "--backend", f"kind=openai_http,target={server.url},request_format={format}",
        "--profile", "kind=synchronous", "--constraint", "kind=max_requests,count=5",
        "--data", "kind=synthetic_text,prompt_tokens=40,output_tokens=8",
        "--tokenizer", f"kind=huggingface_auto,model={CHAT_MODEL}", folder=tmp_path)
    assert output
