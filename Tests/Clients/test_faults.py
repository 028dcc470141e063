"""System calls that fail: each failure that the kernel may answer a socket call with is forced upon the server."""

import concurrent.futures
import contextlib
import http.client
import json
import resource
import shutil
import socket
import subprocess
import time

import metric_sums
import pytest
from trinity_server import SecureServer, Server, eventually

COMPILER = shutil.which("cc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(not COMPILER, reason="a C compiler is needed to force failures")


@pytest.fixture(scope="session")
def faults(tmp_path_factory):
    """Makes the environment of a server whose calls fail so."""
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    source = __file__.replace("test_faults.py", "faults.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-Wall", "-o", library, source, "-ldl"], check=True)
    return lambda *rules: {"LD_PRELOAD": str(library), "FAULTS": " ".join(rules)}


# A body of many reads, a reply of many writes, a stream, and two requests in one breath.
LONG = "Once upon a time " * 4000


def conversation(server):
    """What a server answers to a few requests; the same each time, but for ids and times."""
    replies = [server.post("/tokenize", {"prompt": LONG}).json]
    whole = server.post("/v1/completions", {"prompt": "Once", "max_tokens": 40, "seed": 3, "logprobs": 3}).json
    replies.append((whole["choices"], whole["usage"]))
    stream = server.post("/v1/completions", {"prompt": "Once", "max_tokens": 40, "seed": 3, "stream": True})
    assert stream.events[-1] == "[DONE]"
    replies.append("".join(json.loads(event)["choices"][0]["text"] for event in stream.events[:-1]))
    with contextlib.closing(server.connection()) as connection:
        connection.connect()
        connection.sock.sendall(
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: connection.sock.recv(65536), b""))
        replies.append((text.count(b"HTTP/1.1 200 OK"), text.endswith(b'{"status":"ok"}')))
    return replies


BROKEN = (OSError, http.client.HTTPException)


def unbroken(call, seconds=60):
    """What `call` returns, called again as long as its connection breaks."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except BROKEN:
            if time.monotonic() > deadline:
                raise


def assert_sound(server):
    """Nothing is held, and the numbers agree."""
    eventually(lambda: unbroken(server.is_idle), 60)
    samples = unbroken(server.samples)
    metric_sums.check(samples)
    metric_sums.check_nothing_held(samples)


@pytest.fixture(scope="module")
def expected():
    with Server() as server:
        return conversation(server)


HARMLESS = {
    "short reads and writes": ["recv:short=0.9", "send:short=0.9"],
    "interrupted calls": ["accept:EINTR=0.5", "recv:EINTR=0.5", "send:EINTR=0.5", "epoll_wait:EINTR=0.5"],
    "calls that come too early": ["accept:EAGAIN=0.5", "recv:EAGAIN=0.5", "send:EAGAIN=0.5", "send:ENOBUFS=0.2"],
    "connections that are gone before they are accepted": ["accept:ECONNABORTED=0.5"],
    "descriptors and memory that run out now and then": ["accept:EMFILE=0.2", "accept:ENFILE=0.2", "accept:ENOMEM=0.2"],
    "all of these": [
        "recv:short=0.5", "send:short=0.5", "accept:EINTR=0.3", "recv:EINTR=0.3", "send:EINTR=0.3", "accept:EMFILE=0.1",
        "recv:EAGAIN=0.3", "send:EAGAIN=0.3", "epoll_wait:EINTR=0.3"],
}


@pytest.mark.parametrize("kind, rules", [
    *(pytest.param(Server, rules, id=name) for name, rules in HARMLESS.items()),
    pytest.param(SecureServer, HARMLESS["all of these"], id="all of these, with TLS"),
])
def test_nobody_notices(faults, expected, kind, rules):
    with kind(environment=faults(*rules)) as server:
        assert conversation(server) == expected
        assert_sound(server)


@pytest.mark.parametrize("kind, rule", [
    (Server, "recv:ECONNRESET=0.1"), (Server, "recv:ETIMEDOUT=0.1"), (Server, "send:ECONNRESET=0.1"),
    (Server, "send:EPIPE=0.1"), (Server, "epoll_ctl:ENOSPC=0.3"), (Server, "epoll_ctl:ENOMEM=0.3"),
    (SecureServer, "recv:ECONNRESET=0.1"), (SecureServer, "send:EPIPE=0.1")])
def test_a_broken_connection_ends_alone(faults, kind, rule):
    server = kind(environment=faults(rule))
    # What starting waits for breaks as well.
    eventually(lambda: unbroken(lambda: server.get("/ready")).status == 200, 60)

    def visit(seed):
        try:
            # Of so few writes that about a third is served.
            reply = server.post("/v1/completions", {"prompt": "a", "max_tokens": 8, "seed": seed, "stream": True})
            return reply.status == 200 and reply.events[-1:] == ["[DONE]"]
        except BROKEN:
            return False

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(visit, range(60)))
    served, broken = outcomes.count(True), outcomes.count(False)
    assert served > 0 and broken > 0, (served, broken)

    assert_sound(server)
    server.terminate()
    assert server.wait() == 0


def test_running_out_of_descriptors_costs_no_cpu_and_whoever_waits_longest_gives_way():
    with Server() as server:
        # Of the connection that asks, and five more.
        room = server.open_files() + 6
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (room, room))
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(40)]
            time.sleep(0.5)
            before = server.cpu_seconds()
            time.sleep(2)
            assert server.cpu_seconds() - before < 0.5
            # The forty wait in front of it, and go one after another.
            start = time.monotonic()
            assert server.post("/v1/completions", {"prompt": "a", "max_tokens": 3}).status == 200
            assert time.monotonic() - start < 60
            for connection in idle[:3]:
                connection.settimeout(1)
                assert connection.recv(1) == b""
        assert server.get("/health").status == 200
        assert_sound(server)


@pytest.mark.parametrize("kind", [Server, SecureServer], ids=["plain", "TLS"])
@pytest.mark.parametrize("rule", ["send:EPIPE=1", "recv:ECONNRESET=1", "epoll_ctl:ENOMEM=1"])
def test_connections_that_break_whatever_is_tried_are_given_up(faults, kind, rule):
    server = kind(environment=faults(rule))
    eventually(lambda: "ready: trinity-tiny" in server.log_text(), 60)
    files = server.open_files()
    for _ in range(20):
        with pytest.raises(BROKEN):
            server.get("/health")
    # Nothing is tried again and again, and nothing is kept.
    before = server.cpu_seconds()
    time.sleep(1)
    assert server.cpu_seconds() - before < 0.3
    eventually(lambda: server.open_files() <= files)
    server.terminate()
    assert server.wait() == 0


def test_a_record_is_read_to_its_end_in_however_many_reads_it_comes(faults):
    with SecureServer(environment=faults("recv:short=1")) as server:
        for length in range(60):
            with contextlib.closing(http.client.HTTPSConnection(
                    "127.0.0.1", server.port, timeout=10, context=server.context())) as connection:
                # Requests of all lengths, so that some end with the last of the reads that one turn allows.
                connection.request("GET", "/health", headers={"X-Padding": "a" * (length * 3)})
                assert connection.getresponse().status == 200
