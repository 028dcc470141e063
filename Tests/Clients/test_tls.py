"""HTTPS, as clients meet it: openai's, and Python's own ssl where a case needs more control."""

import contextlib
import http.client
import shutil
import signal
import socket
import ssl
import subprocess
import time

import httpx
import openai
import pytest
from trinity_server import BINARY, REPOSITORY, TLS_FILES as FILES, SecureServer, Server, eventually

MODEL = "trinity-tiny"

@pytest.fixture(scope="module")
def server():
    with SecureServer() as server:
        yield server


def test_the_openai_client_streams_over_https(server):
    http_client = httpx.Client(verify=server.context())
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", http_client=http_client, max_retries=0)
    whole = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=30, temperature=0)
    stream = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=30, temperature=0, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == whole.choices[0].text != ""


def test_large_bodies_go_both_ways(server):
    prompt = [1] * 100_000  # 300 kB of JSON in, some of it back in the error and more by echo
    reply = server.post("/tokenize", {"prompt": "word " * 200_000})
    assert reply.status == 200 and reply.json["count"] > 200_000
    assert server.post("/v1/completions", {"prompt": prompt, "max_tokens": 1}).status == 400


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_and_the_protocol_is_named(server, version):
    context = server.context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    session = None
    for reused in (False, True):
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as secure:
                assert secure.selected_alpn_protocol() == "http/1.1"
                secure.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                reply = b"".join(iter(lambda: secure.recv(65536), b""))
                assert reply.startswith(b"HTTP/1.1 200 ")
                assert secure.session_reused == reused
                session = secure.session


def test_plain_http_and_garbage_harm_nobody(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/health")
        reply = connection.getresponse()
        assert reply.status == 400 and b"https://" in reply.read()
    for bytes_ in (b"\x00" * 1000, b"\xff" * 100_000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            with contextlib.suppress(OSError):
                plain.sendall(bytes_)
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(65536):
                    pass
    assert server.get("/health").status == 200


def test_clients_need_a_certificate_where_one_is_asked_for():
    server = SecureServer("--ssl-ca-certs", FILES / "ca.pem")
    server.client_files = ("client",)
    with server:
        assert server.get("/health").status == 200
        for files in ((), ("intruder",)):
            server.client_files = files
            with pytest.raises((ssl.SSLError, ConnectionError)):
                server.get("/health")
        server.client_files = ("client",)


def test_a_renewed_certificate_is_taken_over(tmp_path):
    certificate, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    shutil.copy(FILES / "server.pem", certificate)
    shutil.copy(FILES / "server.key", key)
    with SecureServer(certificate=certificate, key=key) as server:
        assert server.subject() == "server"
        with contextlib.closing(server.connection()) as old:
            old.request("GET", "/health")
            assert old.getresponse().read()
            # Not together yet: what was there stays.
            shutil.copy(FILES / "renewed.pem", certificate)
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: "TLS certificate not reloaded" in server.log_text())
            assert server.subject() == "server"
            shutil.copy(FILES / "renewed.key", key)
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: server.subject() == "renewed")
            old.request("GET", "/health")
            assert old.getresponse().status == 200
        # Without a signal too, after a few seconds.
        shutil.copy(FILES / "server.key", key)
        shutil.copy(FILES / "server.pem", certificate)
        eventually(lambda: server.subject() == "server", seconds=15)


def certificate(folder, name, begin, end):
    """A self-signed certificate that is valid from `begin` to `end`, in seconds from now; its end in Unix time."""
    now = int(time.time())
    dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(now + seconds)) for seconds in (begin, end)]
    subprocess.run(
        ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
         "-keyout", folder / "tls.key", "-out", folder / "tls.csr"], check=True, capture_output=True)
    (folder / "index").write_text("")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n"
        "[p]\ncommonName=supplied\n")
    subprocess.run(
        ["openssl", "ca", "-batch", "-selfsign", "-config", "ca.cnf", "-in", "tls.csr", "-keyfile", "tls.key",
         "-startdate", dates[0], "-enddate", dates[1], "-notext", "-out", "tls.pem"],
        check=True, capture_output=True, cwd=folder)
    return now + end


def test_the_dates_of_a_certificate_are_told_at_start_and_on_reload(tmp_path):
    day = 86400
    certificate(tmp_path, "expired", -2 * day, -day)
    server = SecureServer(certificate=tmp_path / "tls.pem", key=tmp_path / "tls.key")
    # Its own clients refuse it; it serves others all the same.
    server.context = lambda: ssl._create_unverified_context()
    with server:
        assert "TLS certificate expired" in server.log_text() and str(tmp_path / "tls.pem") in server.log_text()
        for name, begin, end, message in [
            ("early", day, 30 * day, "TLS certificate not yet valid"),
            ("ending", -day, 13 * day, "TLS certificate expires within 14 days"),
        ]:
            end = certificate(tmp_path, name, begin, end)
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda: message in server.log_text())
            assert server.metric("trinity_tls_certificate_not_after_seconds") == end
        certificate(tmp_path, "good", -day, 30 * day)
        count = server.log_text().count("TLS certificate reloaded")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: server.log_text().count("TLS certificate reloaded") > count)
        assert "TLS certificate" not in server.log_text().rsplit("TLS certificate reloaded", 1)[1]


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (("--ssl-certfile", FILES / "server.pem"), "--ssl-keyfile"),
        (("--ssl-certfile", FILES / "server.pem", "--ssl-keyfile", FILES / "client.key"), "is not the key of"),
        (("--ssl-ca-certs", FILES / "ca.pem"), "requires --ssl-certfile"),
        (("--ssl-certfile", "/nowhere", "--ssl-keyfile", "/nowhere"), "/nowhere"),
    ],
)
def test_unusable_files_are_errors_at_start(arguments, reason):
    run = subprocess.run([REPOSITORY / BINARY, "serve", *arguments], capture_output=True, text=True, timeout=30)
    assert run.returncode == 64 and reason in run.stderr
