"""A server with keys, as the official clients meet it."""

import json
import os
import random
import signal
import statistics
import subprocess
import time

import anthropic
import openai
import pytest
from trinity_server import BINARY, REPOSITORY, Server, eventually

MODEL = "trinity-tiny"


def test_clients_are_let_in_by_their_key(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("ann secret-1\nbob secret-2\n")
    log = tmp_path / "log"
    with log.open("w") as file, Server("--api-key-file", keys, log=file) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="secret-1", max_retries=0)
        trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
        assert client.completions.create(model=MODEL, prompt="a", max_tokens=1, extra_headers=trace).choices
        messages = anthropic.Anthropic(base_url=server.url, api_key="secret-2", max_retries=0).messages
        turn = {"role": "user", "content": "x"}
        assert messages.create(model=MODEL, messages=[turn], max_tokens=1).content is not None
        with pytest.raises(openai.AuthenticationError) as refused:
            client.with_options(api_key="secret-3").models.list()
        assert refused.value.code == "invalid_api_key"
        assert refused.value.response.headers["www-authenticate"] == "Bearer"
        with pytest.raises(anthropic.AuthenticationError):
            anthropic.Anthropic(base_url=server.url, api_key="no", max_retries=0).messages.create(
                model=MODEL, messages=[turn], max_tokens=1
            )
        limited = openai.OpenAI(base_url=server.url + "/v1", api_key="secret-4", max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            limited.models.list()
        # A key that is added counts without a restart, with limits of its own.
        keys.write_text(keys.read_text() + "cleo secret-4 requests-per-minute=1\n")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "API keys reloaded" in log.read_text())
        raw = limited.completions.with_raw_response.create(model=MODEL, prompt="a", max_tokens=1)
        assert raw.headers["x-ratelimit-remaining-requests"] == "0"
        with pytest.raises(openai.RateLimitError) as limit:
            limited.completions.create(model=MODEL, prompt="a", max_tokens=1)
        assert limit.value.code == "rate_limit_exceeded" and int(limit.value.response.headers["retry-after"]) <= 60
        # A file with a mistake lets nobody new in, but who was taken out of it is: a mistake elsewhere must not keep a
        # revoked key valid.
        keys.write_text("ann secret-1\nmistake\ndora secret-5\n")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "revoked=2" in log.read_text())
        assert client.models.list().data
        for key in ("secret-2", "secret-4", "secret-5"):
            with pytest.raises(openai.AuthenticationError):
                client.with_options(api_key=key).models.list()
        # A file without any key that can be read changes nothing: it may be in the middle of being written.
        keys.write_text("ann\n")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the previous keys stay valid" in log.read_text())
        assert client.models.list().data
    text = log.read_text()
    assert "trace_id=4bf92f3577b34da6a3ce929d0e0e4736" in text
    assert "key=ann" in text and "key=bob" in text and "secret" not in text
    line = next(line for line in text.splitlines() if "POST /v1/completions" in line and "key=ann" in line)
    assert "prompt_tokens=2" in line and "completion_tokens=1" in line and "first_token_milliseconds=" in line


def test_no_key_can_tell_by_the_time_what_another_has_sent(tmp_path):
    (tmp_path / "keys").write_text("ann secret-1\nbob secret-2\n")
    numbers = random.Random(7)
    with Server("--api-key-file", tmp_path / "keys") as server:
        def seconds(key, prompt):
            start = time.monotonic()
            reply = server.request(
                "POST", "/v1/completions", {"prompt": prompt, "max_tokens": 1}, {"Authorization": f"Bearer {key}"})
            assert reply.status == 200, reply.body
            return time.monotonic() - start

        new, others, own = [], [], []
        for _ in range(12):
            prompts = [[numbers.randrange(100, 3000) for _ in range(1000)] for _ in range(2)]
            seconds("secret-1", prompts[0])
            others.append(seconds("secret-2", prompts[0]))
            new.append(seconds("secret-2", prompts[1]))
            own.append(seconds("secret-2", prompts[1]))
    new, others, own = (statistics.median(times) for times in (new, others, own))
    # What the key itself has sent is quicker, or the other comparison would say nothing.
    assert own < 0.6 * new, (new, own)
    assert 0.75 * new < others < 1.33 * new, (new, others)


def test_an_unusable_key_file_is_an_error_at_start(tmp_path):
    (tmp_path / "keys").write_text("just-a-name\n")
    run = subprocess.run(
        [REPOSITORY / BINARY, "serve", "--api-key-file", tmp_path / "keys"], capture_output=True, text=True, timeout=30
    )
    assert run.returncode != 0 and "line 1 must be a name and a key" in run.stderr


def test_trinity_config_shows_what_is_in_force_and_no_secret(tmp_path):
    (tmp_path / "server.json").write_text('{"port": 9000, "api-key": "top-secret", "max-num-seqs": 7}')
    command = [REPOSITORY / BINARY, "config", "--config", tmp_path / "server.json", "--port", "9001"]
    rows = [line.split() for line in subprocess.check_output(command, text=True).splitlines()]
    assert ["port", "9001", "flag"] in rows and ["max-num-seqs", "7", "file"] in rows
    assert ["api-key", "(hidden)", "file"] in rows and ["host", "127.0.0.1", "default"] in rows
    run = subprocess.run(command + ["--json"], capture_output=True, text=True, check=True)
    text = run.stdout
    assert "--api-key is a secret and was left out" in run.stderr
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TRINITY_PROT": "1"}, check=True)
    assert "ignoring unknown environment variable TRINITY_PROT" in run.stderr
    assert "top-secret" not in text and json.loads(text) == {"port": "9001", "max-num-seqs": "7"}
    (tmp_path / "server.json").write_text('{"prot": 9000}')
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 64 and "unknown option 'prot'" in run.stderr
