"""A server with keys, as the official clients meet it."""

import subprocess

import anthropic
import openai
import pytest
from trinity_server import BINARY, REPOSITORY, Server

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
    text = log.read_text()
    assert "trace_id=4bf92f3577b34da6a3ce929d0e0e4736" in text
    assert "key=ann" in text and "key=bob" in text and "secret" not in text


def test_an_unusable_key_file_is_an_error_at_start(tmp_path):
    (tmp_path / "keys").write_text("just-a-name\n")
    run = subprocess.run(
        [REPOSITORY / BINARY, "serve", "--api-key-file", tmp_path / "keys"], capture_output=True, text=True, timeout=30
    )
    assert run.returncode != 0 and "line 1 must be a name and a key" in run.stderr
