"""Models of the Hugging Face Hub: `trinity pull`, `list`, `remove` and `--model owner/name`, against a fake Hub on loopback."""

import fcntl
import json
import os
import pathlib
import random
import signal
import subprocess
import time

import huggingface_hub
import pytest
from fake_hub import COMMIT, FakeHub, blob_name
from trinity_server import BINARY, REPOSITORY, Server, eventually

TINY = REPOSITORY / "Models" / "trinity-tiny"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
INDEX = "model.safetensors.index.json"
NAME = "owner/Sharded-Model"


def noise(seed, count):
    return random.Random(seed).randbytes(count)


def sharded():
    """A repository whose weights are noise: nothing reads them here."""
    index = {"weight_map": {"a": SHARDS[0], "b": SHARDS[1]}}
    return {
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "README.md": b"# Model\n",
        "config.json": b"{}",
        "generation_config.json": b"{}",
        "chat_template.jinja": b"{{ messages }}",
        "tokenizer.json": noise(1, 9000),
        "tokenizer_config.json": b"{}",
        "original/consolidated.safetensors": noise(2, 5000),
        "pytorch_model.bin": noise(3, 5000),
        INDEX: json.dumps(index).encode(),
        SHARDS[0]: noise(4, 3_000_000),
        SHARDS[1]: noise(5, 2_000_000),
    }


WANTED = {
    "config.json", "generation_config.json", "chat_template.jinja", "tokenizer.json", "tokenizer_config.json", INDEX,
    *SHARDS}


@pytest.fixture
def hub():
    with FakeHub({NAME: sharded()}) as running:
        yield running


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "hf")


class Cache:
    """A HF_HOME of its own, and `trinity` with it."""

    def __init__(self, home):
        self.home = home
        self.repository = home / "hub" / "models--owner--Sharded-Model"

    def environment(self, hub=None, **variables):
        clean = {
            name: value for name, value in os.environ.items()
            if not name.upper().endswith("_PROXY") and not name.startswith("HF_")}
        return clean | {"HF_HOME": str(self.home)} | ({"HF_ENDPOINT": hub.url} if hub else {}) | variables

    def start(self, hub, *arguments, **variables):
        return subprocess.Popen(
            [REPOSITORY / BINARY, *arguments], env=self.environment(hub, **variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)

    def run(self, hub, *arguments, **variables):
        process = self.start(hub, *arguments, **variables)
        output, errors = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def pull(self, hub, model=NAME, **variables):
        """The path that `trinity pull` prints."""
        result = self.run(hub, "pull", model, **variables)
        assert result.returncode == 0, result.stderr
        return pathlib.Path(result.stdout.removesuffix("\n"))

    def refusal(self, hub, model=NAME, **variables):
        result = self.run(hub, "pull", model, **variables)
        assert result.returncode == 1 and not result.stdout, result
        return result.stderr

    def blobs(self):
        return {path.name for path in (self.repository / "blobs").iterdir()}


def test_only_the_files_of_the_model_are_fetched_into_the_layout_of_the_cache(hub, cache):
    files = hub.repositories[NAME]
    folder = cache.pull(hub)
    assert folder == cache.repository / "snapshots" / COMMIT
    assert {path.name for path in folder.iterdir()} == WANTED
    for path in folder.iterdir():
        assert path.read_bytes() == files[path.name]
        assert os.readlink(path) == f"../../blobs/{blob_name(files[path.name])}"
    assert cache.blobs() == {blob_name(files[name]) for name in WANTED}
    assert (cache.repository / "refs" / "main").read_text() == COMMIT
    # A second time only the description is asked for.
    hub.requests.clear()
    assert cache.pull(hub) == folder
    assert [request.path for request in hub.requests] == [f"/api/models/{NAME}/revision/main?blobs=true"]


def test_python_finds_what_was_pulled(hub, cache):
    folder = cache.pull(hub)
    found = huggingface_hub.snapshot_download(NAME, cache_dir=cache.home / "hub", local_files_only=True)
    assert pathlib.Path(found) == folder
    info = huggingface_hub.scan_cache_dir(cache.home / "hub")
    assert not info.warnings
    [repository] = info.repos
    # Equal files have one content.
    contents = {hub.repositories[NAME][name] for name in WANTED}
    assert repository.repo_id == NAME and repository.size_on_disk == sum(map(len, contents))
    [revision] = repository.revisions
    assert revision.commit_hash == COMMIT and revision.refs == {"main"} and len(revision.files) == len(WANTED)


def test_what_python_fetched_is_used(hub, cache):
    folder = huggingface_hub.snapshot_download(NAME, cache_dir=cache.home / "hub", endpoint=hub.url, token=False)
    hub.requests.clear()
    hub.content_requests.clear()
    assert cache.pull(hub) == pathlib.Path(folder)
    assert len(hub.requests) == 1 and not hub.content_requests
    assert cache.pull(hub, HF_HUB_OFFLINE="1") == pathlib.Path(folder)
    assert len(hub.requests) == 1
