"""An engine that does not return: what is told of it, and that the process ends nevertheless."""

import contextlib
import signal
import threading
import time

import pytest
from trinity_server import BINARY, Server, eventually

# Only debug builds can be told to sleep within a step.
pytestmark = pytest.mark.skipif("debug" not in BINARY.parts, reason="needs a debug build")
REQUEST = {"model": "trinity-tiny", "prompt": "Once", "max_tokens": 4, "temperature": 0}


def stalled(seconds, *arguments):
    return Server(*arguments, environment={"TRINITY_TEST_STALL_STEP": str(seconds)})


@contextlib.contextmanager
def in_a_stalled_step(server):
    """Posts a request, whose step does not return."""
    def post():
        with contextlib.suppress(OSError):
            server.post("/v1/completions", REQUEST)

    thread = threading.Thread(target=post)
    thread.start()
    # Prepared, and so with the engine; it runs for the metrics only once its first step has ended.
    waiting = ("vllm:num_requests_waiting_by_reason", (("reason", "capacity"),))
    eventually(lambda: server.samples()[waiting] > 0)
    time.sleep(0.3)  # the engine may be a moment late
    yield
    thread.join()


def test_a_stalled_step_is_told_and_so_is_its_end():
    with stalled(4, "--watchdog-timeout", "500ms") as server:
        assert server.get("/health").status == 200 and server.metric("trinity_engine_stalled") == 0
        with in_a_stalled_step(server):
            eventually(lambda: server.get("/health").status == 503)
            assert server.get("/health").json["error"]["code"] == "engine_stalled"
            assert server.get("/ready").status == 503 and server.metric("trinity_engine_stalled") == 1
            log = server.log_text()
            assert "engine stalled" in log and "phase=compute" in log and "sequence_ids=1" in log
        eventually(lambda: server.get("/health").status == 200)
        assert server.metric("trinity_engine_stalled") == 0 and "engine recovered" in server.log_text()
        assert server.post("/v1/completions", REQUEST).status == 200


def end(server, signals):
    """Sends the signals, half a second apart; returns the seconds since the last and the exit code."""
    for number, name in enumerate(signals):
        if number:
            time.sleep(0.5)
        server.process.send_signal(name)
    begin = time.monotonic()
    code = server.process.wait(30)
    return time.monotonic() - begin, code


@pytest.mark.parametrize(("drain", "signals", "least", "most"), [
    ("1", [signal.SIGTERM], 1, 3), ("60", [signal.SIGTERM, signal.SIGTERM], 0, 1.2),
    ("60", [signal.SIGINT, signal.SIGTERM], 0, 1.2),
], ids=["drain-timeout", "second-signal", "interrupted"])
def test_the_process_ends_whatever_the_engine_does(drain, signals, least, most):
    server = stalled(600, "--shutdown-timeout", drain)
    try:
        server.wait_until_ready()
        with in_a_stalled_step(server):
            seconds, code = end(server, signals)
        assert code == 1 and least <= seconds <= most, server.log_text()
    finally:
        server.process.kill()
