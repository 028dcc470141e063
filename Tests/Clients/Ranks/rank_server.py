"""A server of several ranks that mpirun starts, and what a test does to it."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time

from trinity_server import BINARY, CHAT_MODEL, REPOSITORY, Server, free_port

MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
SERVE = ["--compute", "exact", "--kv-cache-memory-bytes", "64MiB"]


class RankServer(Server):
    """`mpirun -n RANKS trinity serve` of the chat model, on one host or on `RankHosts`; `others` are the options of one more rank."""

    def __init__(self, ranks, *arguments, hosts=None, others=None):
        self.hosts = hosts
        address = "10.77.0.1" if hosts else "127.0.0.1"
        self.port = free_port()
        self.log = tempfile.NamedTemporaryFile(prefix="trinity-ranks-", suffix=".log")

        def serve(options):
            defaults = {"--threads": "1", "--model": CHAT_MODEL}
            given = [part for name, value in defaults.items() if name not in options for part in (name, value)]
            command = [REPOSITORY / BINARY, "serve", "--host", address, "--port", self.port, *SERVE, *given, *options]
            return list(map(str, command))

        command = [*(hosts.mpirun if hosts else MPIRUN), "-n", str(ranks), *serve(arguments)]
        if others is not None:  # one more rank with other options
            command += [":", "-n", "1", *serve(others)]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
            env={key: value for key, value in os.environ.items() if not key.startswith("TRINITY_")})

    def connect(self):
        return self.hosts.connect(1, self.port) if self.hosts else socket.create_connection(("127.0.0.1", self.port), 120)

    def connection(self):
        connection = super().connection()
        if self.hosts:
            connection.sock = self.connect()
        return connection

    def rank_processes(self):
        """The processes of the ranks by their numbers."""
        ranks = {}
        for folder in pathlib.Path("/proc").iterdir():
            try:
                if not folder.name.isdigit() or (folder / "exe").resolve() != (REPOSITORY / BINARY).resolve():
                    continue
                environment = (folder / "environ").read_bytes().split(b"\0")
                if str(self.port).encode() not in (folder / "cmdline").read_bytes().split(b"\0"):
                    continue
            except OSError:
                continue
            for entry in environment:
                if entry.startswith(b"OMPI_COMM_WORLD_RANK="):
                    ranks[int(entry.split(b"=")[1])] = int(folder.name)
        return ranks

    def is_gone(self):
        return self.process.poll() is not None and not self.rank_processes()

    def __exit__(self, kind, error, traceback):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGUSR1)
        code = self.wait()
        if error is None:
            assert code == 0, f"mpirun ended with {code}:\n{self.log_text()}"

    def stop_whatever_happened(self):
        for process in self.rank_processes().values():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Stream:
    """A request in a thread of its own that streams until it ends; keeps when and how it ended."""

    def __init__(self, server, tokens=2000, **options):
        self.events, self.ended, self.first = [], None, threading.Event()
        body = {
            "prompt": "Once upon a time", "max_tokens": tokens, "stream": True, "ignore_eos": True, "temperature": 0,
            **options}
        self.connection = server.connect()
        data = json.dumps(body).encode()
        self.connection.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        text = b""
        while True:
            try:
                part = self.connection.recv(65536)
            except OSError:
                part = b""
            if not part:
                break
            text += part
            while b"\n\n" in text:
                event, text = text.split(b"\n\n", 1)
                self.events += [line[6:].decode() for line in event.split(b"\n") if line.startswith(b"data: ")]
                self.first.set()
        self.ended = time.monotonic()
        self.first.set()

    @property
    def has_error(self):
        return any('"error"' in event for event in self.events)

    def join(self, seconds=60):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the stream did not end"
