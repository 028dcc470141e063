"""Loads two servers, one of them with TLS, with clients of every kind: they stream, finish and leave, send garbage, stop in the
midst of a request or a handshake, and read slowly. Then checks that nothing was left behind.

Passes when every third of the run ends with nothing running, waiting or held, with the connections of the clients closed, and
with metrics whose sums agree, and when the last third did not need more memory than the second. The seed is printed, so that a
failing run can be had again.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import random
import ssl
import time

import metric_sums
from trinity_server import REPOSITORY, SecureServer, Server, eventually

PROMPTS = ["Once upon a time", "Dear Anna,\n\n", "The capital of France is", "Counting: 1, 2, 3, 4,"]
# What an allocator may keep more than before without a leak.
ALLOWED_GROWTH = 4 * 2**20
# Requests of the fuzzers' corpus: broken ones, and good ones to break.
SAMPLES = sorted((REPOSITORY / "Tests" / "Fuzzing" / "Corpus" / "httpRequest").iterdir())


class Visitor:
    """A client that does one thing after another, as its seed says."""

    def __init__(self, server, seed, counts):
        self.server, self.counts, self.choose = server, counts, random.Random(seed)
        self.context = server.context() if isinstance(server, SecureServer) else None

    @contextlib.asynccontextmanager
    async def connection(self, secure=True):
        """Without `secure`, bytes go past TLS. It ends by a reset now and then."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.server.port, ssl=self.context if secure else None)
        try:
            yield reader, writer
        finally:
            if self.choose.random() < 0.3:
                writer.transport.abort()
            else:
                writer.close()
                with contextlib.suppress(OSError, asyncio.TimeoutError):
                    await asyncio.wait_for(writer.wait_closed(), 5)

    def request(self, **members):
        body = dict(
            prompt=self.choose.choice(PROMPTS) * self.choose.randint(1, 20), max_tokens=self.choose.randint(1, 64),
            temperature=self.choose.choice([0, 1]), seed=self.choose.randrange(1000), n=self.choose.choice([1, 1, 1, 3]),
            **members)
        body = json.dumps(body).encode()
        return (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                + str(len(body)).encode() + b"\r\n\r\n" + body)

    async def whole(self):
        async with self.connection() as (reader, writer):
            for _ in range(self.choose.randint(1, 4)):
                writer.write(self.request())
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
                json.loads(await reader.readexactly(int(fields[b"Content-Length"])))
                assert head.split()[1] in (b"200", b"503"), head
                self.counts["finished" if head.split()[1] == b"200" else "refused"] += 1

    async def stream(self):
        leaves_after = self.choose.choice([None, None, 0, 1, 10])
        async with self.connection() as (reader, writer):
            writer.write(self.request(stream=True))
            seen = 0
            async for line in reader:
                if line.startswith(b"HTTP/1.1 503"):
                    self.counts["refused"] += 1
                    return
                if line.startswith(b"data: [DONE]"):
                    self.counts["finished"] += 1
                    return
                if line.startswith(b"data: "):
                    assert b'"error"' not in line, line
                    if seen == leaves_after:
                        self.counts["left"] += 1
                        return
                    seen += 1
        raise AssertionError("a stream ended without [DONE]")

    async def slow_reader(self):
        async with self.connection() as (reader, writer):
            writer.write(self.request(stream=True, ignore_eos=True, logprobs=5))
            for _ in range(self.choose.randint(10, 100)):
                if not await reader.read(1):
                    break
                await asyncio.sleep(0.05)
            self.counts["read slowly"] += 1

    async def garbage(self):
        data = bytearray(self.choose.choice(SAMPLES).read_bytes() or self.choose.randbytes(100))
        for _ in range(self.choose.randint(0, 4)):
            data[self.choose.randrange(len(data))] = self.choose.randrange(256)
        async with self.connection(secure=self.choose.random() < 0.7) as (reader, writer):
            for start in range(0, len(data), 1000):
                writer.write(data[start:start + 1000])
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(reader.read(1000), 0.2)
            self.counts["sent garbage"] += 1

    async def half(self):
        """Stops in the midst of a request, or of a handshake."""
        data = self.request()
        async with self.connection(secure=self.choose.random() < 0.7) as (_, writer):
            writer.write(data[:self.choose.randrange(len(data))])
            await asyncio.sleep(self.choose.random() * 3)
            self.counts["stopped halfway"] += 1

    async def scrape(self):
        async with self.connection() as (reader, writer):
            path = self.choose.choice(["/metrics", "/", "/health", "/v1/models", "/nowhere"])
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            assert (await reader.read()).startswith(b"HTTP/1.1 ")
            self.counts["looked"] += 1

    async def visit(self):
        kinds = [self.whole, self.stream, self.slow_reader, self.garbage, self.half, self.scrape]
        kind, = self.choose.choices(kinds, [3, 6, 1, 2, 1, 1])
        try:
            await asyncio.wait_for(kind(), 120)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError) as error:
            # Whoever breaks the rules is cut off; nobody else is.
            assert kind in (self.garbage, self.half, self.slow_reader), (kind, error)
            self.counts["cut off"] += 1


async def load(servers, seconds, requests, clients, choose, counts):
    """For so long, or until so many visits were made."""
    deadline, left = time.monotonic() + seconds, requests

    async def visits(server, seed):
        nonlocal left
        visitor = Visitor(server, seed, counts)
        while time.monotonic() < deadline and left > 0:
            left -= 1
            await visitor.visit()

    await asyncio.gather(*(visits(servers[number % 2], choose.random()) for number in range(clients)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--requests", type=int, help="how many in all, however long it takes")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    # A third of either.
    seconds, requests = (options.seconds / 3, float("inf")) if options.requests is None else (
        float("inf"), options.requests // 3 + 1)
    length = f"{options.seconds:g} s" if options.requests is None else f"{options.requests} requests"
    print(f"soak: {length}, {options.clients} clients, seed {options.seed}", flush=True)

    choose = random.Random(options.seed)
    counts = collections.Counter()
    memory = []
    limits = ("--max-num-seqs", 16, "--max-num-queued-seqs", 8)
    with Server(*limits) as plain, SecureServer(*limits) as secure:
        servers = plain, secure
        # One request, for what is opened or made by the first.
        for server in servers:
            assert server.post("/v1/completions", {"prompt": "a", "max_tokens": 1}).status == 200
        # And for the end of its connection.
        time.sleep(1)
        before = [server.open_files() for server in servers]
        for third in range(3):
            asyncio.run(load(servers, seconds, requests, options.clients, choose, counts))
            for server in servers:
                eventually(server.is_idle, 30)
            # Connections linger for a few seconds, and a scrape is one itself.
            eventually(lambda: [server.open_files() for server in servers] == before, 90)
            for server in servers:
                samples = server.samples()
                metric_sums.check(samples)
                metric_sums.check_nothing_held(samples)
            memory.append([server.resident_bytes() for server in servers])
            resident = ", ".join(f"{bytes / 2**20:.1f}" for bytes in memory[-1])
            print(f"soak: third {third + 1}: {dict(counts)}; {resident} MiB resident, {before} files open", flush=True)
    kinds = {"finished", "left", "refused", "read slowly", "sent garbage", "stopped halfway", "looked"}
    assert options.requests or kinds <= counts.keys(), f"the load had no {kinds - counts.keys()}"
    for second, last in zip(memory[1], memory[2]):
        assert last <= second + ALLOWED_GROWTH, f"memory grew from {second} to {last} bytes"
    print("3 passed, 0 failed")


if __name__ == "__main__":
    main()
