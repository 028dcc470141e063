"""What a web page can make a browser send to a server without API keys (CSRF, DNS rebinding), and what must still work."""

import contextlib
import socket

import pytest
from trinity_server import Server

BODY = {"prompt": "a", "max_tokens": 1}
TEXT = b'{"prompt": "a", "max_tokens": 1}'
KEY = {"Authorization": "Bearer secret"}


def status(server, method="POST", path="/v1/completions", body=BODY, **headers):
    """The status and error code; `_` in names stands for `-`."""
    if method == "GET":
        body = None
    reply = server.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    return reply.status, reply.json["error"]["code"] if reply.status >= 400 else None


@pytest.fixture(scope="module")
def keyed():
    with Server("--api-key", "secret") as running:
        yield running


@pytest.fixture(scope="module")
def configured():
    with Server("--allowed-hosts", "llm.example.com, [fd00::1]", "--allowed-origins", "https://app.example.com") as running:
        yield running


def raw(server, *fields, body=TEXT, path="/v1/completions"):
    """The status line of a POST with exactly these fields."""
    lines = [f"POST {path} HTTP/1.1", *fields, f"Content-Length: {len(body)}", "Connection: close"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        reply = b""
        with contextlib.suppress(ConnectionResetError):
            while received := connection.recv(4096):
                reply += received
    return reply


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions", "/v1/responses", "/v1/messages", "/tokenize"])
@pytest.mark.parametrize("field", [
    None, "Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: multipart/form-data; boundary=x", "Content-Type: text/plain; application/json",
    "Content-Type: ", "Content-Type: text/plain\r\nContent-Type: application/json",
])
def test_a_body_that_a_page_can_send_unasked_is_refused(server, path, field):
    reply = raw(server, "Host: localhost", *([field] if field else []), path=path)
    assert reply.startswith(b"HTTP/1.1 415 ") and b"application/json" in reply
    if field is None:
        assert b"no Content-Type" in reply


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON",
                                          "application/vnd.api+json"])
def test_json_is_taken(server, content_type):
    assert status(server, Content_Type=content_type) == (200, None)


def test_a_key_stands_for_the_type(keyed):
    assert raw(keyed, "Host: h", "Authorization: Bearer secret").startswith(b"HTTP/1.1 200 ")
    assert raw(keyed, "Host: h").startswith(b"HTTP/1.1 401 ")
    assert raw(keyed, "Host: h", "Authorization: Bearer secret", "Content-Type: text/plain").startswith(b"HTTP/1.1 415 ")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example",
                                  "128.0.0.1", "10.0.0.1:8000", "[::2]", "[fd00::1]:80", "0.0.0.0", "evil"])
@pytest.mark.parametrize("method, path", [
    ("POST", "/v1/completions"), ("POST", "/tokenize"), ("GET", "/v1/models"), ("GET", "/"), ("GET", "/version")])
def test_a_rebound_name_is_refused(server, host, method, path):
    assert status(server, method, path, host=host) == (403, "forbidden_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:8000",
                                  "[::ffff:127.0.0.1]"])
def test_this_machines_own_names_are_known(server, host):
    assert status(server, host=host) == (200, None)


def test_the_refusal_names_the_option(server):
    message = server.request("POST", "/v1/completions", BODY, {"Host": "evil.example"}).json["error"]["message"]
    assert "evil.example" in message and "--allowed-hosts" in message
    message = server.request("POST", "/v1/completions", BODY, {"Origin": "https://evil.example"}).json["error"]["message"]
    assert "https://evil.example" in message and "--allowed-origins" in message


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_probes_are_answered_by_any_name(server, path):
    reply = server.request("GET", path, headers={"Host": "10.1.2.3:8000", "Origin": "https://evil.example"})
    assert reply.status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "http://localhost.evil.example",
                                    "http://127.0.0.1", "chrome-extension://x", "file://"])
@pytest.mark.parametrize("method, path", [
    ("POST", "/v1/completions"), ("OPTIONS", "/v1/completions"), ("GET", "/v1/models"), ("GET", "/")])
def test_a_page_of_another_origin_is_refused(server, origin, method, path):
    headers = {"Access_Control_Request_Method": "POST"} if method == "OPTIONS" else {}
    assert status(server, method, path, origin=origin, **headers) == (403, "forbidden_origin")


def test_the_servers_own_page_works(server):
    for name in ("127.0.0.1", "localhost"):
        own = f"{name}:{server.port}"
        assert status(server, host=own, origin=f"http://{own}") == (200, None)
    assert status(server, host="localhost:1", origin=f"http://localhost:{server.port}") == (403, "forbidden_origin")


def test_names_and_origins_of_the_options_are_taken(configured):
    for host in ("llm.example.com", "LLM.example.com:443", "llm.example.com.", "[fd00::1]:8000", "localhost"):
        assert status(configured, host=host) == (200, None)
    assert status(configured, host="other.example.com") == (403, "forbidden_host")
    assert status(configured, host="llm.example.com", origin="https://llm.example.com") == (200, None)
    assert status(configured, origin="https://app.example.com") == (200, None)
    assert status(configured, origin="https://other.example.com") == (403, "forbidden_origin")
    reply = configured.request("OPTIONS", "/v1/completions", headers={
        "Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"})
    assert reply.status == 204


def test_with_keys_a_name_proves_nothing(keyed):
    assert status(keyed, host="llm.example.com", **KEY) == (200, None)
    assert status(keyed, origin="https://evil.example", **KEY) == (200, None)
    assert status(keyed, host="llm.example.com") == (401, "invalid_api_key")


def test_a_server_for_others_is_known_by_any_name_unless_told():
    with Server("--host", "0.0.0.0") as running:
        assert status(running, host="llm.example.com") == (200, None)
        assert status(running, origin="https://evil.example") == (403, "forbidden_origin")
        # Without the field there is no browser.
        assert raw(running, "Content-Type: application/json", "Host:").startswith(b"HTTP/1.1 200 ")
    with Server("--host", "0.0.0.0", "--allowed-hosts", "llm.example.com") as running:
        assert status(running, host="llm.example.com") == (200, None)
        assert status(running, host="evil.example") == (403, "forbidden_host")


@pytest.mark.parametrize("names", ["", "a b", "a b/c", "llm.example.com:80", "https://a", "a,,b"])
def test_names_that_are_none_are_refused_at_the_start(names):
    server = Server("--allowed-hosts", names)
    assert server.process.wait(20) != 0
    assert "--allowed-hosts" in server.log_text()
