#!/usr/bin/env python3
"""The cost of HTTP: minimal requests compared with nginx, bodies of a megabyte, a thousand streams, ten thousand idle
connections, and slow attackers.

    make build && sudo apt-get install -y nginx-light wrk slowhttptest
    .venv/bin/python Benchmarks/connections.py [health bodies streams idle slow]

The servers that are compared alternate within one run. The client runs on the same machine and shares its CPUs.
"""

import asyncio
import json
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "Tests" / "Clients"))
import trinity_server
from static_server import nginx

trinity_server.BINARY = pathlib.Path(".build/release/trinity")
Server = trinity_server.Server
ROUNDS = 5


def wrk(port, path="/health", seconds=4, connections=64, script=None):
    """Requests a second and the 99th percentile in milliseconds."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"]
    if script:
        command += ["-s", script]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return rate, float(value) * {"us": 1e-3, "ms": 1, "s": 1000}[unit]


def health():
    rates, tails, costs = [], [], []
    with Server() as server, nginx() as other:
        for _ in range(ROUNDS):
            theirs, their_tail = wrk(other)
            before = server.cpu_seconds()
            ours, our_tail = wrk(server.port)
            costs.append((server.cpu_seconds() - before) / (ours * 4) * 1e6)
            rates.append((ours, theirs, ours / theirs))
            tails.append((our_tail, their_tail, our_tail / their_tail))
            print(f"health: {ours:8.0f} /s, nginx {theirs:8.0f} /s, ratio {ours / theirs:.2f}; "
                  f"99 % {our_tail:.2f} ms, nginx {their_tail:.2f} ms", flush=True)
    median = lambda values: [statistics.median(column) for column in zip(*values)]
    (ours, theirs, ratio), (our_tail, their_tail, tail_ratio) = median(rates), median(tails)
    print(f"health: medians {ours:.0f} /s of {theirs:.0f} /s, ratio {ratio:.2f}; 99 % {our_tail:.2f} ms of {their_tail:.2f} ms, "
          f"ratio {tail_ratio:.2f}; {statistics.median(costs):.1f} us of CPU a request")


def bodies():
    """Sends megabytes that are read, parsed and rejected because of an unknown member: everything except the model's work."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script, Server() as server:
        script.write("""
            wrk.method = "POST"
            wrk.headers["Content-Type"] = "application/json"
            wrk.body = '{"prompt": "' .. string.rep("a", 1048576 - 32) .. '", "nonsense": 1}'
        """)
        script.flush()
        for connections in (2, 16):
            rate, tail = wrk(server.port, "/v1/completions", connections=connections, script=script.name)
            print(f"bodies: {connections} connections, {rate:.0f} MiB/s, 99 % {tail:.1f} ms, "
                  f"{server.resident_bytes() / 2**20:.0f} MiB resident", flush=True)


async def stream(port, results):
    body = json.dumps({"prompt": "Once upon a time", "max_tokens": 64, "ignore_eos": True, "stream": True}).encode()
    start = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                 + str(len(body)).encode() + b"\r\n\r\n" + body)
    status = await reader.readline()
    events, first = 0, None
    async for line in reader:
        if line.startswith(b"data: {"):
            first = first or time.monotonic() - start
            events += 1
        if line.startswith(b"data: [DONE]"):
            break
    writer.close()
    results.append((status.split()[1], first, time.monotonic() - start, events))


def streams():
    for count in (64, 1000):
        options = ("--compute", "fast", "--max-model-len", 256, "--max-num-seqs", count, "--max-num-batched-tokens", 1024)
        with Server(*options) as server:
            results, tokens = [], lambda: server.metric("vllm:generation_tokens_total")

            async def everybody():
                await asyncio.gather(*(stream(server.port, results) for _ in range(count)))

            before, start = server.resident_bytes(), time.monotonic()
            asyncio.run(everybody())
            seconds = time.monotonic() - start
            assert len(results) == count and {status for status, *_ in results} == {b"200"}
            assert tokens() == 64 * count
            firsts = sorted(first for _, first, _, _ in results)
            print(f"streams: {count} at once, {64 * count / seconds:.0f} tokens/s in {seconds:.1f} s; first token 50 % "
                  f"{firsts[count // 2]:.2f} s, 99 % {firsts[count * 99 // 100]:.2f} s; "
                  f"{(server.resident_bytes() - before) / count / 1024:.0f} KiB more resident a stream", flush=True)


def idle():
    count = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Server("--max-connections", count + 100) as server:
        connections = []
        for number in range(count):
            # Measured after the first thousand, which use up the memory that loading the model left free.
            if number == 1000:
                before = server.resident_bytes()
            connection = socket.create_connection(("127.0.0.1", server.port))
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            connections.append(connection)
        # The resident memory, and the CPU time of ten seconds.
        grown, cpu = server.resident_bytes() - before, server.cpu_seconds()
        time.sleep(10)
        cpu = server.cpu_seconds() - cpu
        latency = time.monotonic()
        assert server.get("/health").status == 200
        latency = time.monotonic() - latency
        print(f"idle: {count} connections, {grown / (count - 1000) / 1024:.1f} KiB each, {cpu:.2f} s of CPU in 10 s, one more request "
              f"{latency * 1000:.1f} ms", flush=True)
        for connection in connections:
            connection.close()


def latencies(server, seconds):
    """Latencies of consecutive completions of four tokens."""
    found, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        start = time.monotonic()
        assert server.post("/v1/completions", {"prompt": "a", "max_tokens": 4, "ignore_eos": True}).status == 200
        found.append((time.monotonic() - start) * 1000)
    return sorted(found)


def slow():
    attacks = {
        "slow headers": ["-H", "-i", "5"],
        "slow bodies": ["-B", "-i", "5", "-s", "1048576", "-t", "POST"],
        "slow reads": ["-X", "-w", "1", "-y", "8", "-n", "5", "-z", "1", "-k", "3"],
    }
    for count in (900, 4000):
        for name, options in attacks.items():
            with Server() as server:
                alone = latencies(server, 5)
                url = f"{server.url}/{'v1/completions' if name == 'slow bodies' else 'metrics'}"
                attack = subprocess.Popen(
                    ["slowhttptest", *options, "-c", str(count), "-r", "500", "-l", "20", "-u", url],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(6)
                attacked = latencies(server, 10)
                attack.wait()
                print(f"slow: {count} connections of {name}: completions 50 % {statistics.median(attacked):.1f} ms, 99 % "
                      f"{attacked[len(attacked) * 99 // 100]:.1f} ms; before 50 % {statistics.median(alone):.1f} ms, 99 % "
                      f"{alone[len(alone) * 99 // 100]:.1f} ms", flush=True)


def main():
    parts = {part.__name__: part for part in (health, bodies, streams, idle, slow)}
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
