"""Two servers behind nginx with our site for replicas."""

import concurrent.futures
import contextlib
import copy
import json
import pathlib
import shutil
import signal
import subprocess

import pytest
from trinity_server import REPOSITORY, Server, eventually, free_port

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")

BODY = {"prompt": "Once upon a time", "max_tokens": 24, "ignore_eos": True, "temperature": 0}
LONG = BODY | {"max_tokens": 1500, "stream": True}


@contextlib.contextmanager
def balanced(folder, first, second):
    """A server-like client of nginx in front of both."""
    port = free_port()
    site = (REPOSITORY / "deploy" / "nginx-replicas.conf").read_text()
    for old, new in (("listen 80;", f"listen 127.0.0.1:{port};"), ("127.0.0.1:8001", f"127.0.0.1:{first.port}"),
                     ("127.0.0.1:8002", f"127.0.0.1:{second.port}")):
        assert old in site
        site = site.replace(old, new)
    paths = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    pathlib.Path(folder, "site.conf").write_text(site)
    configuration = pathlib.Path(folder, "nginx.conf")
    configuration.write_text(
        f"pid {folder}/pid; error_log {folder}/error.log; events {{}} http {{ access_log off; {paths} include {folder}/site.conf; }}")
    process = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(configuration), "-e", f"{folder}/error.log", "-g", "daemon off; master_process off;"])
    proxy = copy.copy(first)
    proxy.port = port

    def is_reachable():
        with contextlib.suppress(ConnectionError):
            return proxy.get("/ready").status == 200

    try:
        eventually(is_reachable, 20)
        yield proxy
    finally:
        process.terminate()
        process.wait(20)


def finished(server):
    """Sequences that ended by themselves."""
    return sum(value for (name, labels), value in server.samples().items()
               if name == "vllm:request_success_total" and ("finished_reason", "abort") not in labels)


def running(server):
    return server.metric("vllm:num_requests_running")


@contextlib.contextmanager
def stream(server, body=LONG, headers=None):
    """A stream whose first event has arrived."""
    with contextlib.closing(server.connection()) as connection:
        connection.request(
            "POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"} | (headers or {}))
        response = connection.getresponse()
        assert response.status == 200
        assert response.readline().startswith(b"data:")
        yield response
        connection.sock.close()
        response.close()


def test_streams_go_to_the_replica_with_the_fewest(tmp_path):
    with Server() as first, Server() as second, balanced(tmp_path, first, second) as proxy:
        with contextlib.ExitStack() as streams:
            for _ in range(6):
                streams.enter_context(stream(proxy))
            assert (running(first), running(second)) == (3, 3)


def test_a_full_replica_costs_no_request(tmp_path):
    with Server("--max-num-seqs", 1, "--max-num-queued-seqs", 1) as full, Server() as second:
        with (balanced(tmp_path, full, second) as proxy, concurrent.futures.ThreadPoolExecutor(9) as pool,
              stream(full)):
            waiting = pool.submit(full.post, "/v1/completions", BODY | {"max_tokens": 1})
            eventually(lambda: full.metric("vllm:num_requests_waiting") == 1)
            assert full.post("/v1/completions", BODY).status == 503
            replies = list(pool.map(lambda _: proxy.post("/v1/completions", BODY), range(8)))
            assert [reply.status for reply in replies] == [200] * 8
            assert finished(second) == 8
        assert waiting.result().status == 200


def test_a_replica_drains_without_losing_a_request(tmp_path):
    with Server() as first, Server() as second, balanced(tmp_path, first, second) as proxy:
        expected = second.post("/v1/completions", BODY).json["choices"]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            replies = [pool.submit(proxy.post, "/v1/completions", BODY) for _ in range(80)]
            eventually(lambda: finished(first) >= 4, 60)
            first.process.send_signal(signal.SIGTERM)
            replies = [reply.result() for reply in replies]
        assert [reply.status for reply in replies] == [200] * 80
        assert all(reply.json["choices"] == expected for reply in replies)
        assert first.process.wait(30) == 0


def test_a_session_stays_on_its_replica_and_moves_only_if_that_is_gone(tmp_path):
    with Server() as first, Server() as second, balanced(tmp_path, first, second) as proxy:
        homes = {}
        for number in range(24):
            session = {"X-Session-Id": f"session {number}"}
            before = finished(first), finished(second)
            for _ in range(2):
                assert proxy.request("POST", "/v1/completions", BODY, session).status == 200
            counts = finished(first) - before[0], finished(second) - before[1]
            assert counts in ((2, 0), (0, 2))
            homes[number] = 0 if counts[0] else 1
        # The hash depends on the ports: that all are on one replica has a chance of less than one in 100,000.
        assert set(homes.values()) == {0, 1}
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(30) == 0
        before = finished(second)
        for number in range(24):
            session = {"X-Session-Id": f"session {number}"}
            assert proxy.request("POST", "/v1/completions", BODY, session).status == 200
        assert finished(second) == before + 24
