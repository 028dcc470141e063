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
from huggingface_hub.errors import LocalEntryNotFoundError
from trinity_server import BINARY, CHAT_MODEL, REPOSITORY, TLS_FILES, Server, eventually

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


def test_a_broken_download_goes_on_where_it_was(hub, cache):
    hub.fail(SHARDS[0], times=2, cut=1_000_000)
    hub.fail(SHARDS[0], times=1, status=503)
    cache.pull(hub)
    ranges = [request.range for request in hub.content_requests if SHARDS[0] in request.path]
    assert ranges == [None, "bytes=1000000-", "bytes=2000000-"]
    assert (cache.repository / "snapshots" / COMMIT / SHARDS[0]).read_bytes() == hub.repositories[NAME][SHARDS[0]]


def test_another_run_goes_on_where_a_killed_one_was(hub, cache):
    hub.fail(SHARDS[0], silent=60)
    process = cache.start(hub, "pull", NAME)
    incomplete = cache.repository / "blobs" / (blob_name(hub.repositories[NAME][SHARDS[0]]) + ".incomplete")
    eventually(lambda: incomplete.exists() and incomplete.stat().st_size == 1_500_000, 60)
    # Python's tools do not mistake the half for the whole.
    with pytest.raises(LocalEntryNotFoundError):
        huggingface_hub.snapshot_download(NAME, cache_dir=cache.home / "hub", local_files_only=True)
    process.kill()
    process.communicate()
    hub.content_requests.clear()
    cache.pull(hub)
    assert "bytes=1500000-" in [request.range for request in hub.content_requests if SHARDS[0] in request.path]
    assert not incomplete.exists()


@pytest.mark.parametrize("change", ["other bytes", "too many bytes"])
def test_a_wrong_beginning_of_a_file_is_fetched_again(hub, cache, change):
    blobs = cache.repository / "blobs"
    blobs.mkdir(parents=True)
    content = hub.repositories[NAME][SHARDS[0]]
    (blobs / (blob_name(content) + ".incomplete")).write_bytes(
        bytes(1000) if change == "other bytes" else content + b"x")
    folder = cache.pull(hub)
    assert (folder / SHARDS[0]).read_bytes() == content


def test_breaks_after_a_wrong_beginning_are_forgiven_for_progress(hub, cache):
    """Offsets of the wrong bytes are no progress of the right ones."""
    blobs = cache.repository / "blobs"
    blobs.mkdir(parents=True)
    content = hub.repositories[NAME][SHARDS[0]]
    (blobs / (blob_name(content) + ".incomplete")).write_bytes(bytes(len(content)))
    hub.fail(SHARDS[0], times=5, cut=550_000)
    folder = cache.pull(hub)
    assert (folder / SHARDS[0]).read_bytes() == content
    assert len([request for request in hub.content_requests if SHARDS[0] in request.path]) == 6


def test_a_server_that_cannot_continue_starts_again(hub, cache):
    hub.ranges = False
    hub.fail(SHARDS[0], times=1, cut=1_000_000)
    folder = cache.pull(hub)
    assert (folder / SHARDS[0]).read_bytes() == hub.repositories[NAME][SHARDS[0]]


def test_a_server_that_always_breaks_ends_the_download(hub, cache):
    hub.ranges = False
    hub.fail(SHARDS[0], times=100, cut=500_000)
    assert "cannot download from" in cache.refusal(hub)
    assert len([request for request in hub.content_requests if SHARDS[0] in request.path]) == 5
    assert not (cache.repository / "snapshots").exists()


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json"])
def test_a_wrong_hash_is_refused_and_removed(hub, cache, name):
    content = hub.repositories[NAME][name]
    hub.fail(name, times=100, content=bytes(len(content)))
    assert f"{name} is damaged" in cache.refusal(hub)
    assert not [blob for blob in cache.blobs() if blob.startswith(blob_name(content))]


@pytest.mark.parametrize("difference", [-1, 1, 1_000_000_000])
def test_a_wrong_size_is_refused(hub, cache, difference):
    size = len(hub.repositories[NAME][SHARDS[0]])
    hub.fail(SHARDS[0], times=100, length=size + difference)
    assert f"{SHARDS[0]} should have {size} bytes, but the server has {size + difference}" in cache.refusal(hub)


def test_the_size_in_the_description_is_checked_against_the_disk(hub, cache):
    def huge(description):
        description["siblings"][-1]["size"] = 1 << 47
        return description

    hub.edit = huge
    assert "no space for 140737" in cache.refusal(hub)
    assert not hub.content_requests


def test_chunked_replies_are_read(hub, cache):
    hub.chunked = True
    folder = cache.pull(hub)
    assert (folder / SHARDS[1]).read_bytes() == hub.repositories[NAME][SHARDS[1]]


def test_the_token_goes_to_the_hub_and_not_where_it_redirects(hub, cache):
    hub.token = "hf_secret"
    cache.pull(hub, HF_TOKEN="hf_secret")
    assert {request.authorization for request in hub.requests} == {"Bearer hf_secret"}
    assert hub.content_requests and {request.authorization for request in hub.content_requests} == {None}


def test_the_token_of_a_login_is_used(hub, cache):
    hub.token = "hf_login"
    cache.home.mkdir()
    (cache.home / "token").write_text("hf_login\n")
    cache.pull(hub)
    assert {request.authorization for request in hub.requests} == {"Bearer hf_login"}


def test_commands_without_a_name_need_no_setting_of_the_hub(cache, tmp_path):
    source = REPOSITORY / "Tests" / "Fixtures" / "model" / "e_bf16"
    result = cache.run(None, "quantize", source, tmp_path / "quantized", HF_ENDPOINT="nonsense")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "quantized" / "config.json").exists()
    for variables in ({"HF_ENDPOINT": "nonsense"}, {"HF_HUB_DOWNLOAD_TIMEOUT": "0"}):
        name = next(iter(variables))
        assert cache.run(None, "list", **variables).returncode == 0
        assert "is not in the cache" in cache.run(None, "remove", NAME, **variables).stderr
        assert f"{name}: must be" in cache.refusal(None, **variables)
    cache.home.mkdir(exist_ok=True)
    os.mkfifo(cache.home / "token")
    result = cache.run(None, "list")
    assert result.returncode == 0 and "no models in" in result.stdout, result
    assert "token: not a regular file but a FIFO" in cache.refusal(None)


def test_refusals_say_what_to_do(hub, cache):
    hub.token = "hf_good"
    missing = cache.refusal(hub, "owner/missing")
    assert "no folder 'owner/missing'" in missing and hub.url in missing and "HF_TOKEN" in missing
    assert "the given token" in cache.refusal(hub, "owner/missing", HF_TOKEN="hf_good")
    assert "has no revision 'v2'" in cache.refusal(hub, NAME + "@v2")
    assert "does not accept the access token" in cache.refusal(hub, HF_TOKEN="hf_bad")
    hub.gated.add(NAME)
    assert "is gated: accept its conditions" in cache.refusal(hub)
    assert "with the account of the token" in cache.refusal(hub, HF_TOKEN="hf_good")


def test_a_limited_rate_is_respected(hub, cache):
    hub.fail("/api/", times=1, status=429, headers={"Retry-After": "2"})
    start = time.monotonic()
    cache.pull(hub)
    assert time.monotonic() - start >= 2
    hub.fail("/api/", times=1, status=429, headers={"Retry-After": "1000"})
    assert "answered 429: a fault" in cache.refusal(hub)


def test_a_hub_that_fails_is_asked_five_times(hub, cache):
    hub.fail("/api/", times=100, status=500)
    assert "answered 500" in cache.refusal(hub)
    assert len(hub.requests) == 5


def test_a_silent_server_is_given_up(hub, cache):
    hub.fail(SHARDS[0], times=1, silent=30)
    start = time.monotonic()
    folder = cache.pull(hub, HF_HUB_DOWNLOAD_TIMEOUT="1")
    assert time.monotonic() - start < 20
    assert (folder / SHARDS[0]).read_bytes() == hub.repositories[NAME][SHARDS[0]]


def test_a_hub_that_is_not_there_gives_its_address(cache):
    result = cache.run(None, "pull", NAME, HF_ENDPOINT="http://127.0.0.1:9")
    assert result.returncode == 1 and "cannot download from http://127.0.0.1:9: 127.0.0.1:9" in result.stderr
    # Written before the attempts, which take some seconds.
    assert result.stderr.startswith(f"requesting the list of files of {NAME} from http://127.0.0.1:9\n")


@pytest.mark.parametrize("command", ["pull", "remove"])
def test_a_name_that_is_none_is_refused_with_the_forms(cache, command):
    result = cache.run(None, command, "llama")
    assert result.returncode == 64 and "owner/name@revision or owner/name:Q4_K_M" in result.stderr


@pytest.mark.parametrize("path", ["../../escaped", "/tmp/escaped", "a/../../b", "nul\0byte", ""])
def test_a_description_with_paths_outside_is_refused(hub, cache, path):
    def outside(description):
        description["siblings"][2]["rfilename"] = path
        return description

    hub.edit = outside
    assert "a name that is no path inside of the repository" in cache.refusal(hub)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"sha": "../..", "siblings": []}', b"[" * 100_000, bytes(17 << 20)])
def test_a_description_that_is_none_is_refused(hub, cache, body):
    hub.edit = lambda description: body
    cache.refusal(hub)


def test_too_many_redirects_end(hub, cache):
    hub.fail("/api/", times=100, status=302, headers={"Location": f"/api/models/{NAME}/revision/main"})
    assert "too many redirects" in cache.refusal(hub)
    assert len(hub.requests) == 11


def test_several_processes_fetch_each_file_once(hub, cache):
    processes = [cache.start(hub, "pull", NAME) for _ in range(3)]
    outputs = {process.communicate(timeout=120)[0] for process in processes}
    assert outputs == {f"{cache.repository}/snapshots/{COMMIT}\n"}
    assert {process.returncode for process in processes} == {0}
    assert sorted(request.path.split("/")[-1].split("?")[0] for request in hub.content_requests) == sorted(
        [*SHARDS, "tokenizer.json"])


def test_it_waits_for_a_lock_of_python(hub, cache):
    locks = cache.home / "hub" / ".locks" / cache.repository.name
    locks.mkdir(parents=True)
    content = hub.repositories[NAME]["tokenizer.json"]
    with open(locks / (blob_name(content) + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = cache.start(hub, "pull", NAME)
        blob = cache.repository / "blobs" / blob_name(hub.repositories[NAME][SHARDS[1]])
        eventually(blob.exists, 60)
        time.sleep(0.5)
        assert process.poll() is None and not (cache.repository / "snapshots").exists()
        # It cannot be removed meanwhile.
        assert "is being downloaded" in cache.run(hub, "remove", NAME).stderr
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_no_model_is_removed_while_it_is_pulled(hub, cache):
    cache.pull(hub)
    lock = cache.home / "hub" / ".locks" / cache.repository.name / "repository.lock"
    with open(lock, "w") as held:
        # As another download, which shares it, and as a removal.
        fcntl.flock(held, fcntl.LOCK_SH)
        assert cache.pull(hub)
        assert "is being downloaded" in cache.run(hub, "remove", NAME).stderr
        assert cache.pull(hub)
        fcntl.flock(held, fcntl.LOCK_EX)
        process = cache.start(hub, "pull", NAME)
        time.sleep(1)
        assert process.poll() is None
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_part_of_a_split_gguf_file_can_be_removed(cache):
    with FakeHub({"owner/Sharded-Model": gguf()}) as hub:
        first = cache.pull(hub, NAME + ":Q6_K")
        first.unlink()
        assert f"removed {NAME}:Q6_K, 17.0 kB" in cache.run(hub, "remove", NAME + ":Q6_K").stdout
        assert not cache.blobs()


def test_offline_nothing_is_asked(hub, cache):
    assert "HF_HUB_OFFLINE forbids" in cache.refusal(hub, HF_HUB_OFFLINE="1")
    assert not hub.requests
    folder = cache.pull(hub)
    hub.requests.clear()
    assert cache.pull(hub, HF_HUB_OFFLINE="1") == folder and not hub.requests


def test_a_new_commit_shares_what_did_not_change(hub, cache):
    first = cache.pull(hub)
    hub.commit = "a" * 40
    hub.repositories[NAME]["config.json"] = b'{"new": 1}'
    hub.content_requests.clear()
    second = cache.pull(hub)
    assert second.name == "a" * 40 and (second / "config.json").read_bytes() == b'{"new": 1}'
    assert not hub.content_requests and first.exists()
    # The commit itself is a revision, and so is a branch with slashes.
    assert cache.pull(hub, NAME + "@refs/pr/1") == second
    assert (cache.repository / "refs" / "refs" / "pr" / "1").read_text() == "a" * 40
    assert cache.pull(hub, f"{NAME}@{COMMIT}", HF_HUB_OFFLINE="1") == first


def test_the_cache_is_listed_and_emptied(hub, cache):
    assert cache.run(hub, "list").stdout == f"no models in {cache.home}/hub\n"
    cache.pull(hub)
    hub.commit = "a" * 40
    hub.repositories[NAME]["config.json"] = b'{"new": 1}'
    cache.pull(hub)
    table = cache.run(hub, "list").stdout
    assert f"{NAME}  {COMMIT[:12]}  5.0 MB" in table and f"{NAME}  {'a' * 12} main  5.0 MB" in table
    rows = json.loads(cache.run(hub, "list", "--json").stdout)
    assert [row["commit"] for row in rows] == [COMMIT, "a" * 40] and set(rows[0]["files"]) == WANTED
    # One revision: only what the other does not need goes.
    assert cache.run(hub, "remove", f"{NAME}@{COMMIT}").stdout == f"removed {NAME}@{COMMIT}, 0 bytes\n"
    assert cache.pull(hub, HF_HUB_OFFLINE="1").name == "a" * 40
    assert "is not in the cache" in cache.run(hub, "remove", f"{NAME}@{COMMIT}").stderr
    assert "removed owner/Sharded-Model, 5.0 MB" in cache.run(hub, "remove", NAME).stdout
    assert not cache.repository.exists()
    assert "is not in the cache" in cache.run(hub, "remove", NAME).stderr


def gguf():
    """A repository of GGUF files, whose content nothing reads here."""
    return {
        "config.json": b"{}",
        "Model-Q4_K_M.gguf": noise(1, 6000),
        "Model-Q8_0.gguf": noise(2, 7000),
        "Q6_K/Model-Q6_K-00001-of-00002.gguf": noise(3, 8000),
        "Q6_K/Model-Q6_K-00002-of-00002.gguf": noise(4, 9000),
    }


def test_a_quantization_is_one_gguf_file_with_its_parts(cache):
    with FakeHub({"owner/Sharded-Model": gguf()}) as hub:
        path = cache.pull(hub, NAME + ":Q4_K_M")
        assert path == cache.repository / "snapshots" / COMMIT / "Model-Q4_K_M.gguf"
        assert len(cache.blobs()) == 1
        split = cache.pull(hub, NAME + ":q6_k")
        assert split.name == "Model-Q6_K-00001-of-00002.gguf" and os.readlink(split).startswith("../../../blobs/")
        assert len(cache.blobs()) == 3
        assert "It has Model-Q4_K_M, Model-Q8_0, Q6_K/Model-Q6_K" in cache.refusal(hub, NAME + ":Q5_0")
        assert "add the quantization" in cache.refusal(hub)
        assert f"removed {NAME}:Q6_K, 17.0 kB" in cache.run(hub, "remove", NAME + ":Q6_K").stdout
        assert len(cache.blobs()) == 1 and path.exists() and not split.exists()


def tiny():
    return {path.name: path.read_bytes() for path in CHAT_MODEL.iterdir()}


def test_a_server_downloads_its_model_before_it_listens(cache, monkeypatch):
    with FakeHub({"arcee-ai/Tiny": tiny()}) as hub:
        for name, value in cache.environment(hub).items():
            monkeypatch.setenv(name, value)
        hub.fail("model.safetensors", silent=2)
        with Server("--model", "arcee-ai/Tiny") as server:
            assert [model["id"] for model in server.get("/v1/models").json["data"]] == ["arcee-ai/Tiny"]
            log = server.log_text()
            assert log.index("downloading arcee-ai/Tiny") < log.index("listening on") < log.index("ready: arcee-ai/Tiny")
            reply = server.post("/v1/completions", {"prompt": "The capital", "max_tokens": 4})
            assert reply.status == 200
    # Then the cache is enough, with no Hub at all.
    with Server("--model", "arcee-ai/Tiny", "--served-model-name", "tiny") as server:
        assert [model["id"] for model in server.get("/v1/models").json["data"]] == ["tiny"]


def test_a_signal_ends_the_download_of_a_server(hub, cache):
    hub.fail(SHARDS[0], times=10, silent=60)
    process = cache.start(hub, "serve", "--port", "0", "--model", NAME)
    eventually(lambda: hub.content_requests, 60)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0 and "stopped while downloading" in log and "listening" not in log


def test_a_path_that_exists_is_never_a_name(hub, cache, tmp_path):
    folder = tmp_path / "owner" / "Sharded-Model"
    folder.mkdir(parents=True)
    command = [REPOSITORY / BINARY, "complete", "x", "--model"]
    for model in [NAME, "./missing/model", "missing", "a/b/c", str(tmp_path / "missing")]:
        result = subprocess.run(
            [*command, model], env=cache.environment(hub), cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert result.returncode != 0
    assert not hub.requests
    result = subprocess.run(
        [*command, "owner/missing"], env=cache.environment(hub), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "no folder 'owner/missing', and no model owner/missing on" in result.stderr and hub.requests


def test_a_proxy_of_the_environment_is_used(hub, cache):
    # A proxy gets the whole URL; the fake Hub takes only paths, and so refuses.
    result = cache.run(None, "pull", NAME, HF_ENDPOINT="http://hub.invalid", http_proxy=hub.url.replace("//", "//me:secret@"))
    assert result.returncode == 1
    assert hub.requests[0].path == f"http://hub.invalid/api/models/{NAME}/revision/main?blobs=true"
    assert hub.requests[0].headers["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"
    hub.requests.clear()
    cache.pull(hub, http_proxy="http://127.0.0.1:9", no_proxy="127.0.0.1,localhost")
    assert hub.requests


def test_https_needs_a_certificate_of_an_authority_for_the_host(cache):
    files = (TLS_FILES / "server.pem", TLS_FILES / "server.key")
    with FakeHub({NAME: sharded()}, tls=files) as hub:
        refusal = cache.refusal(hub)
        assert "cannot download from https://127.0.0.1" in refusal and "certificate" in refusal
        assert not hub.requests
        authority = str(TLS_FILES / "ca.pem")
        # Of an authority, but for another name of this machine.
        other = cache.refusal(hub, SSL_CERT_FILE=authority, HF_ENDPOINT=hub.url.replace("127.0.0.1", "127.1"))
        assert "hostname mismatch" in other and not hub.requests
        folder = cache.pull(hub, SSL_CERT_FILE=authority)
        assert (folder / SHARDS[0]).read_bytes() == hub.repositories[NAME][SHARDS[0]]


def test_a_redirect_from_https_to_http_is_refused(cache):
    files = (TLS_FILES / "server.pem", TLS_FILES / "server.key")
    with FakeHub({NAME: sharded()}, tls=files) as hub:
        hub.redirect_scheme = "http"
        assert "one that is not allowed" in cache.refusal(hub, SSL_CERT_FILE=str(TLS_FILES / "ca.pem"))
        assert not hub.content_requests


def test_https_goes_through_a_proxy(hub, cache):
    # The fake Hub is no proxy: it refuses to connect, and sees neither path nor token.
    result = cache.run(
        None, "pull", NAME, HF_ENDPOINT="https://hub.invalid", HF_TOKEN="hf_secret", https_proxy=hub.url)
    assert result.returncode == 1 and "to CONNECT" in result.stderr
    assert not hub.requests
