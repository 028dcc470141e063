"""Starts, watches and stops one server process for a test."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from prometheus_client.parser import text_string_to_metric_families

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = REPOSITORY / "Tests" / "Fixtures"
# A trained model that stays the same when the default model is trained again.
CHAT_MODEL = FIXTURES / "model" / "trinity-tiny"
TLS_FILES = FIXTURES / "tls"
# Taken out of the environment: the server would warn of a variable that is no option of its own.
BINARY = pathlib.Path(os.environ.pop("TRINITY_BINARY", ".build/debug/trinity"))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def copy_with_context(folder, tokens):
    """The chat model in a new folder, with a longer context: its rotary positions go on beyond what it was trained for."""
    shutil.copytree(CHAT_MODEL, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": tokens}))
    return folder


def eventually(condition, seconds=10):
    """Waits until `condition()` holds; for numbers that the server publishes a step late."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


class Reply:
    """A whole reply to a plain HTTP request."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """The data of each server-sent event, as text."""
        lines = self.body.decode().split("\n")
        return [line.removeprefix("data: ") for line in lines if line.startswith("data:")]


class Server:
    """One `trinity serve` on a free port of its own, of the chat model unless the arguments have another; its log goes to a file
    that failures show, or to `log`."""

    def __init__(self, *arguments, environment=None, log=None):
        self.port = free_port()
        self.log = tempfile.NamedTemporaryFile(prefix="trinity-", suffix=".log")
        # References are results of exact arithmetic.
        compute = [] if "--compute" in arguments else ["--compute", "exact"]
        model = [] if "--model" in arguments else ["--model", CHAT_MODEL]
        command = [REPOSITORY / BINARY, "serve", "--port", str(self.port), *model, *compute, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=os.environ | (environment or {}), stdin=subprocess.DEVNULL,
            stdout=log or self.log, stderr=subprocess.STDOUT)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def request(self, method, path, body=None, headers=None):
        """One request on a connection of its own; `body` is bytes, or a value sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, headers)
            return Reply(connection.getresponse())

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body):
        return self.request("POST", path, body)

    def wait_until_ready(self, seconds=60):
        """Before it is ready the server may refuse connections for a moment, then answers 503 with Retry-After."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log_text()}"
            with contextlib.suppress(ConnectionRefusedError):
                reply = self.get("/ready")
                if reply.status == 200:
                    return self
                assert reply.status == 503 and int(reply.headers["Retry-After"]) > 0
            time.sleep(0.05)
        raise AssertionError(f"the server was not ready in {seconds} s:\n{self.log_text()}")

    def samples(self):
        """The metrics as {(name, labels without model and engine): value}."""
        families = text_string_to_metric_families(self.get("/metrics").body.decode())
        return {
            (sample.name, tuple(sorted((k, v) for k, v in sample.labels.items() if k not in ("model_name", "engine")))):
                sample.value
            for family in families for sample in family.samples
        }

    def metric(self, name):
        """The sum of the samples of this name."""
        return sum(value for (sample, _), value in self.samples().items() if sample == name)

    def is_idle(self):
        samples = self.samples()
        names = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
        return all(samples[(name, ())] == 0 for name in names)

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def cpu_seconds(self):
        """What it has used, to a hundredth."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self):
        return len(list(pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds=60):
        """The exit code; a server that does not end in time is killed, which is a failure."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        self.process.kill()
        self.process.wait()
        raise AssertionError(f"the server did not end in {seconds} s:\n{self.log_text()}")

    def log_text(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")[-10_000:]

    def __enter__(self):
        return self.wait_until_ready()

    def __exit__(self, kind, error, traceback):
        if self.process.poll() is None:
            self.terminate()
        code = self.wait()
        if error is None:
            assert code == 0, f"the server ended with {code}:\n{self.log_text()}"


class SecureServer(Server):
    """A server that speaks HTTPS with the certificate of the tests."""

    client_files = ()

    def __init__(self, *arguments, certificate=TLS_FILES / "server.pem", key=TLS_FILES / "server.key", **options):
        super().__init__("--ssl-certfile", certificate, "--ssl-keyfile", key, *arguments, **options)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def context(self):
        context = ssl.create_default_context(cafile=TLS_FILES / "ca.pem")
        for name in self.client_files:
            context.load_cert_chain(TLS_FILES / f"{name}.pem", TLS_FILES / f"{name}.key")
        return context

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=120, context=self.context())

    def subject(self):
        """The common name of the certificate that a new connection meets."""
        with contextlib.closing(self.connection()) as connection:
            connection.connect()
            return connection.sock.getpeercert()["subject"][0][0][1]
