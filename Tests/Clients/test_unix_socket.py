"""A server behind a Unix socket, as clients reach it there."""

import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import time

import httpx
import openai
import pytest
from trinity_server import Server, eventually


@pytest.fixture
def path():
    # Paths of sockets are short.
    folder = tempfile.mkdtemp(prefix="trinity-", dir="/tmp")
    yield pathlib.Path(folder) / "t.sock"
    shutil.rmtree(folder)


def client(path):
    transport = httpx.HTTPTransport(uds=str(path))
    return openai.OpenAI(base_url="http://localhost/v1", api_key="none", http_client=httpx.Client(transport=transport))


def start(path, *arguments):
    server = Server("--host", f"unix:{path}", *arguments)
    eventually(lambda: "ready: " in server.log_text(), 60)
    return server


def test_clients_reach_it_and_its_file_goes_with_it(path):
    server = start(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert f"listening on unix:{path} (http)" in server.log_text()
    chunks = client(path).chat.completions.create(
        model="trinity-tiny", messages=[{"role": "user", "content": "hi"}], max_tokens=4, stream=True)
    assert list(chunks)[-1].choices[0].finish_reason
    curl = subprocess.run(
        ["curl", "-s", "--unix-socket", path, "http://localhost/v1/models"], capture_output=True, check=True)
    assert json.loads(curl.stdout)["data"][0]["id"] == "trinity-tiny"
    # The Host field is checked as on a loopback address.
    other = subprocess.run(
        ["curl", "-s", "--unix-socket", path, "http://llm.example/v1/models"], capture_output=True, check=True)
    assert json.loads(other.stdout)["error"]["code"] == "forbidden_host"
    eventually(lambda: "peer=unix:" in server.log_text())
    server.terminate()
    assert server.wait() == 0 and not path.exists()


def test_what_a_killed_server_leaves_is_replaced_and_a_living_one_is_not(path):
    first = start(path)
    second = Server("--host", f"unix:{path}")
    assert second.wait() == 1 and f"another process listens on the socket '{path}'" in second.log_text()
    first.process.kill()
    first.process.wait()
    assert path.exists()
    third = start(path)
    assert client(path).models.list().data[0].id == "trinity-tiny"
    third.terminate()
    assert third.wait() == 0 and not path.exists()


def test_a_server_that_fails_or_is_stopped_while_it_loads_leaves_no_file(path, tmp_path):
    failed = Server("--host", f"unix:{path}", "--model", tmp_path)
    assert failed.wait() == 1 and not path.exists()
    stopped = Server("--host", f"unix:{path}")
    while not path.exists():
        time.sleep(0.001)
    stopped.terminate()
    assert stopped.wait() == 0 and not path.exists()
