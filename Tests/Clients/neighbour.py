"""Streams completions of one server, one after another, in a process of its own, so that no work of the tests' process
delays what it sees. A context manager for tests; as a program: `neighbour.py PORT`, until its input ends."""

import contextlib
import http.client
import json
import pathlib
import subprocess
import sys
import threading
import time


class Neighbour:
    """The gaps of a stream that runs all the time. Tests read `gaps` after the `with` block."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, pathlib.Path(__file__), str(self.server.port)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "streams\n"
        self.start = time.monotonic()
        return self

    def __exit__(self, *error):
        output, _ = self.process.communicate(timeout=60)
        if error[0] is None:
            assert self.process.returncode == 0
            # Seconds between two events, of those that came after the block began.
            self.gaps = [gap for end, gap in json.loads(output) if end > self.start]


def stream(port, gaps, stops):
    body = json.dumps({"prompt": "Once upon a time", "max_tokens": 1500, "ignore_eos": True, "stream": True})
    while not stops.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert response.status == 200, response.status
            last = time.monotonic()
            while not stops.is_set() and response.readline():
                now = time.monotonic()
                gaps.append((now, now - last))
                if len(gaps) == 20:
                    print("streams", flush=True)
                last = now


def main():
    stops = threading.Event()
    gaps = []
    threading.Thread(target=lambda: (sys.stdin.read(), stops.set()), daemon=True).start()
    stream(int(sys.argv[1]), gaps, stops)
    print(json.dumps(gaps))


if __name__ == "__main__":
    main()
