"""Many clients that are idle or slow on purpose: what they cost, and what others notice."""

import contextlib
import shutil
import socket
import statistics
import subprocess
import time

import pytest
from trinity_server import Server, eventually


def latencies(server, count):
    """Seconds of completions, one after another."""
    found = []
    for _ in range(count):
        start = time.monotonic()
        assert server.post("/v1/completions", {"prompt": "a", "max_tokens": 4, "ignore_eos": True}).status == 200
        found.append(time.monotonic() - start)
    return found


@pytest.mark.skipif(not shutil.which("slowhttptest"), reason="slowhttptest is not installed")
@pytest.mark.parametrize("options, path", [
    pytest.param(["-H"], "/health", id="slow headers"),
    pytest.param(["-B", "-s", "1048576", "-t", "POST", "-f", "application/json"], "/v1/completions", id="slow bodies"),
    pytest.param(["-X", "-w", "1", "-y", "8", "-n", "5", "-z", "1", "-k", "3"], "/metrics", id="slow reads"),
])
def test_slow_attackers_keep_nobody_waiting(options, path):
    # More of them than connections there may be.
    with Server("--max-connections", 150) as server:
        latencies(server, 5)
        alone = statistics.median(latencies(server, 20))
        attack = subprocess.Popen(
            ["slowhttptest", *options, "-i", "1", "-c", "400", "-r", "200", "-l", "10", "-u", server.url + path],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # All have come.
        time.sleep(5)
        attacked = latencies(server, 20)
        assert attack.poll() is None, "the attack has ended"
        attack.terminate()
        attack.wait(30)
        # Noise of a busy machine is some milliseconds; a place that is waited for, seconds.
        assert statistics.median(attacked) < 3 * alone + 0.05, (alone, attacked)
        assert max(attacked) < 1


def test_idle_connections_cost_little_memory_and_no_cpu():
    count = 800
    with Server() as server, contextlib.ExitStack() as stack:
        for number in range(count):
            if number == 100:
                before = server.resident_bytes()
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert (server.resident_bytes() - before) / (count - 100) < 8 * 1024
        files, cpu = server.open_files(), server.cpu_seconds()
        assert files > count
        time.sleep(3)
        assert server.cpu_seconds() - cpu < 0.1
        assert server.get("/health").status == 200
        stack.close()
        eventually(lambda: server.open_files() <= files - count)
