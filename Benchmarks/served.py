"""A server to measure, and clients with little overhead: shared by the benchmarks that use HTTP."""

import contextlib
import http.client
import json
import pathlib
import random
import re
import selectors
import signal
import socket
import subprocess
import time

TOKEN_IDS = re.compile(rb'[,{]"token_ids":\[([0-9,]+)\]')
BINARY = pathlib.Path(__file__).resolve().parent.parent / ".build/release/trinity"


class Served:
    """`trinity serve` of a model under the name m, ready, on its own port; stops at the end of the `with` block.

    `command` is what comes before `serve`, and `end` the signal that stops it.
    """

    def __init__(self, model, *options, command=(BINARY,), end=signal.SIGTERM):
        self.end = end
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.process = subprocess.Popen(
            [*command, "serve", "--model", model, "--served-model-name", "m", "--port", str(self.port), "--log-level",
             "error", *options])
        while self.process.poll() is None:
            try:
                if self.request("GET", "/ready").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit("the server does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(self.end)
        self.process.wait()

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        return connection.getresponse()

    def stream(self, prompt, tokens, **members):
        """Yields the status and its headers, then for each event the time and its number of tokens.

        The request has return_token_ids because random weights rarely generate complete UTF-8 characters.
        """
        with self.send(prompt, tokens, **members) as connection:
            data = connection.recv(65536)
            status = int(data.split(b" ", 2)[1])
            yield status, data
            seen = 0
            while status == 200:
                *events, rest = data.split(b"\n\n")
                for count in map(tokens_in, events):
                    if count:
                        seen += count
                        yield time.monotonic(), count
                more = connection.recv(65536)
                if not more:
                    assert seen == tokens, f"{seen} of {tokens} tokens"
                    return
                data = rest + more

    def streams(self, prompts, tokens):
        """Streams replies to all prompts at once, read by one thread. Returns the times of the tokens of each reply."""
        times = [[] for _ in prompts]
        rests = [b""] * len(prompts)
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
            for index, prompt in enumerate(prompts):
                connection = stack.enter_context(self.send(prompt, tokens))
                selector.register(connection, selectors.EVENT_READ, index)
            while selector.get_map():
                for key, _ in selector.select():
                    more = key.fileobj.recv(65536)
                    if not more:
                        selector.unregister(key.fileobj)
                        assert len(times[key.data]) == tokens, f"{len(times[key.data])} of {tokens} tokens"
                    *events, rests[key.data] = (rests[key.data] + more).split(b"\n\n")
                    times[key.data] += [time.monotonic()] * sum(map(tokens_in, events))
        return times

    def send(self, prompt, tokens, **members):
        """Sends a request for a streamed reply, on a connection of its own."""
        body = json.dumps({
            "model": "m", "prompt": prompt, "max_tokens": tokens, "ignore_eos": True, "stream": True, "temperature": 0,
            "return_token_ids": True, **members})
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall((
            "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        return connection

    def record(self, prompt, tokens, begin, firsts, gaps):
        """Streams a reply; appends the time from `begin` to its first token, and the times between its events."""
        events = self.stream(prompt, tokens)
        assert next(events)[0] == 200
        last = None
        for at, _ in events:
            if last is None:
                firsts.append(at - begin)
            else:
                gaps.append(at - last)
            last = at

    def metric(self, name, label=""):
        """The value of the first sample of `name` that has `label`."""
        text = self.request("GET", "/metrics").read().decode()
        return float(re.search(rf"^{name}(?:{{[^}}]*{label}[^}}]*}})? (\S+)$", text, re.MULTILINE)[1])

    def resident_bytes(self):
        return self.metric("process_resident_memory_bytes")


def tokens_in(event):
    """The number of tokens of an event. Little is parsed, since clients share the server's CPUs."""
    ids = TOKEN_IDS.search(event)
    return ids[1].count(b",") + 1 if ids else 0


def served_settings(setting):
    """The options for a value of --performance-mode, or else of --max-inter-token-latency."""
    modes = ("balanced", "interactivity", "throughput")
    return ["--performance-mode" if setting in modes else "--max-inter-token-latency", setting]


def prompt(seed, length, vocabulary=250):
    """Random token ids."""
    return random.Random(seed).choices(range(10, vocabulary), k=length)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")
