"""Large, slow and compressed bodies: what they cost the server, and what others notice."""

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib

import pytest
from trinity_server import Server, eventually

COMPLETION = {"prompt": "a", "max_tokens": 2, "ignore_eos": True}
MEBIBYTE = 1 << 20
# What the process may grow by beside the budget: one body that is put together, each connection's first 64 KiB and buffers,
# and what the allocator keeps.
SLACK = 64 * MEBIBYTE


def head(path, *fields):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def send_part(connection, length, count, framing):
    """Sends `count` bytes of a body of `length`, as far as the server takes them."""
    if framing == "chunked":
        start = head("/v1/completions", "Transfer-Encoding: chunked") + f"{length:x}\r\n".encode()
    else:
        start = head("/v1/completions", f"Content-Length: {length}")
    with contextlib.suppress(OSError):
        connection.sendall(start)
        piece = b" " * MEBIBYTE
        for _ in range(count // MEBIBYTE):
            connection.sendall(piece)


def first_line(connection):
    connection.settimeout(0.2)
    with contextlib.suppress(OSError):
        return connection.recv(4096).split(b"\r\n")[0]
    return b""


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_unfinished_bodies_stay_within_the_budget(framing):
    with Server("--max-body-memory", "256MiB") as server, contextlib.ExitStack() as stack:
        assert server.post("/v1/completions", COMPLETION).status == 200
        before = server.resident_bytes()
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20)) for _ in range(90)]
        threads = [
            threading.Thread(target=send_part, args=(connection, 24 * MEBIBYTE + 1, 24 * MEBIBYTE, framing))
            for connection in connections]
        for thread in threads:
            thread.start()
        peak, slowest = 0, 0
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, server.resident_bytes())
            start = time.monotonic()
            reply = server.post("/v1/completions", COMPLETION)
            assert reply.status == 200, reply.body
            slowest = max(slowest, time.monotonic() - start)
        peak = max(peak, server.resident_bytes())
        print(f"{framing}: grew by {(peak - before) / MEBIBYTE:.0f} MiB at most; the slowest request beside took {slowest:.1f} s")
        assert peak - before < 256 * MEBIBYTE + SLACK
        answers = [first_line(connection) for connection in connections]
        assert set(answers) <= {b"", b"HTTP/1.1 503 Service Unavailable"}
        assert answers.count(b"HTTP/1.1 503 Service Unavailable") >= 70
        # What is left has the memory, and gives it back.
        assert 1 <= answers.count(b"") <= 11
        stack.close()
        large = {**COMPLETION, "user": "x" * (20 * MEBIBYTE)}
        eventually(lambda: server.post("/v1/completions", large).status == 200)


def test_a_body_without_room_gets_an_error_of_the_api(tmp_path):
    with Server("--max-body-memory", "32MiB") as server, contextlib.ExitStack() as stack:
        hog = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
        send_part(hog, 30 * MEBIBYTE, 29 * MEBIBYTE, "length")
        def refused():
            reply = server.post("/v1/completions", {**COMPLETION, "user": "x" * (5 * MEBIBYTE)})
            if reply.status == 503:
                assert reply.headers["Retry-After"] == "1"
                assert reply.json["error"]["code"] == "server_overloaded" and "bodies" in reply.json["error"]["message"]
            return reply.status == 503
        eventually(refused)
        assert server.post("/v1/completions", COMPLETION).status == 200, "small ones are served"


def test_the_budget_must_hold_a_body():
    server = Server("--max-body-memory", "16MiB")
    assert server.process.wait(20) != 0
    assert "--max-body-memory" in server.log_text() and "33554432" in server.log_text()


@pytest.mark.parametrize("sent", [b"", b"x"], ids=["nothing", "a byte a second"])
def test_a_body_that_trickles_is_ended(server, sent):
    with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
        connection.sendall(head("/v1/completions", "Content-Length: 100000"))
        start, reply = time.monotonic(), b""
        while time.monotonic() - start < 20 and not reply:
            connection.sendall(sent)
            with contextlib.suppress(TimeoutError):
                reply = connection.recv(4096)
        assert reply.startswith(b"HTTP/1.1 408 ") and b'"request_timeout"' in reply
        assert 9 < time.monotonic() - start < 15


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "identity, br", "gzip, gzip, gzip"])
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/messages", "/tokenize"])
def test_an_unknown_encoding_is_refused_by_name(server, path, encoding):
    reply = server.request("POST", path, gzip.compress(json.dumps(COMPLETION).encode()), {"Content-Encoding": encoding})
    assert reply.status == 415
    assert reply.headers["Accept-Encoding"] == "gzip, deflate, identity"
    assert encoding in reply.json["error"]["message"] and "Content-Encoding" in reply.json["error"]["message"]


def bare_deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


COMPRESSIONS = {
    "gzip": gzip.compress, "x-gzip": gzip.compress, "GZIP": gzip.compress, "deflate": zlib.compress,
    "Deflate": bare_deflate, "identity, gzip": gzip.compress, "deflate, gzip": lambda data: gzip.compress(zlib.compress(data)),
}


@pytest.mark.parametrize("encoding", COMPRESSIONS)
def test_a_compressed_body_is_the_body(server, encoding):
    body = json.dumps(COMPLETION | {"temperature": 0}).encode()
    plain = server.request("POST", "/v1/completions", body)
    reply = server.request("POST", "/v1/completions", COMPRESSIONS[encoding](body), {"Content-Encoding": encoding})
    assert reply.status == 200 and reply.json["choices"] == plain.json["choices"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/tokenize"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_broken_compressed_body_is_told(server, path, encoding):
    data = COMPRESSIONS[encoding](json.dumps(COMPLETION).encode())
    for body, word in [(data[:-3], "ends before"), (b"", "ends before"), (data + b"x", "not valid"), (b"\7" * 9, "not valid")]:
        reply = server.request("POST", path, body, {"Content-Encoding": encoding})
        assert reply.status == 400, body
        assert word in reply.json["error"]["message"] and encoding in reply.json["error"]["message"]


def test_a_body_that_decodes_to_gigabytes_is_refused_within_its_bound():
    with Server("--max-body-memory", "64MiB") as server:
        assert server.post("/v1/completions", COMPLETION).status == 200
        before = server.resident_bytes()
        compressor, zeros = zlib.compressobj(9, wbits=31), bytes(16 * MEBIBYTE)
        bomb = b"".join(compressor.compress(zeros) for _ in range(64)) + compressor.flush()
        nested = gzip.compress(bomb)
        assert len(nested) < 100_000
        for body, encoding in [(bomb, "gzip"), (nested, "gzip, gzip")]:
            start = time.monotonic()
            reply = server.request("POST", "/v1/completions", body, {"Content-Encoding": encoding})
            assert reply.status == 413 and "33554432" in reply.json["error"]["message"]
            assert time.monotonic() - start < 10
            assert server.resident_bytes() < before + 64 * MEBIBYTE + SLACK
        # Between a body's bound and that of its JSON.
        body = gzip.compress(json.dumps(COMPLETION | {"prompt": "a" * (30 << 20)}).encode())
        assert server.request("POST", "/v1/completions", body, {"Content-Encoding": "gzip"}).status in (400, 413)
        assert server.post("/v1/completions", COMPLETION).status == 200


@pytest.mark.parametrize("encoding", ["identity", "Identity", "identity, identity"])
def test_an_encoding_that_changes_nothing_is_taken(server, encoding):
    assert server.request("POST", "/v1/completions", COMPLETION, {"Content-Encoding": encoding}).status == 200


def test_a_refused_body_is_not_read(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head("/v1/completions", "Content-Encoding: br", "Content-Length: 30000000"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 415 "), "answered before the body has come"
