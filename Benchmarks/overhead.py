#!/usr/bin/env python3
"""Minimal requests and the time to ready, of one or more binaries compared with nginx.

    make build && sudo apt-get install -y nginx-light wrk
    .venv/bin/python Benchmarks/overhead.py [--rounds 7] [--model DIR] [NAME=BINARY ...]

The binaries and nginx alternate within one run. The client runs on the same machine and shares its CPUs.
"""

import argparse
import contextlib
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "Tests" / "Clients"))
import trinity_server
from static_server import nginx

LOADS = [("/health", 1), ("/health", 64), ("/metrics", 64)]


@contextlib.contextmanager
def trinity(binary, *arguments):
    """Starts a server; yields its port and process."""
    port = trinity_server.free_port()
    process = subprocess.Popen(
        [binary, "serve", "--port", str(port), *arguments], cwd=REPOSITORY, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        yield port, process
    finally:
        process.terminate()
        process.wait()


def get(port, path):
    """The status and the body of one request, or None if nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            reply = b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError:
        return None
    return int(reply.split(b" ", 2)[1]), reply.partition(b"\r\n\r\n")[2]


def seconds_to_ready(binary, arguments):
    """From the start of the process until /ready is 200."""
    start = time.monotonic()
    with trinity(binary, *arguments) as (port, _):
        while (reply := get(port, "/ready")) is None or reply[0] != 200:
            time.sleep(0.001)
        return time.monotonic() - start


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk(port, path, connections):
    """Requests a second, and the median and 99th percentile in microseconds."""
    threads = min(connections, 2)
    text = subprocess.run(
        ["wrk", f"-t{threads}", f"-c{connections}", "-d1s", "--latency", f"http://127.0.0.1:{port}{path}"],
        capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text, text
    times = [re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", text).groups() for share in (50, 99)]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), *(
        float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit] for value, unit in times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", help="the model whose time to ready is measured; by default that of the repository")
    parser.add_argument("binaries", nargs="*", default=["now=.build/release/trinity"])
    options = parser.parse_args()
    binaries = {name: str(pathlib.Path(path).resolve()) for name, path in (text.split("=", 1) for text in options.binaries)}
    model = ["--model", options.model, "--max-model-len", "4096"] if options.model else []

    times = {name: [] for name in binaries}
    for _ in range(options.rounds):
        for name, binary in binaries.items():
            times[name].append(seconds_to_ready(binary, model))
    for name, values in times.items():
        print(f"ready: {name}, {statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f})", flush=True)
    if options.model:
        return

    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(trinity(binary)) for name, binary in binaries.items()}
        for port, _ in servers.values():
            while (reply := get(port, "/ready")) is None or reply[0] != 200:
                time.sleep(0.01)
        metrics = get(port, "/metrics")[1]
        servers["nginx"] = stack.enter_context(nginx(metrics)), None
        for path, connections in LOADS:
            found = {name: [] for name in servers}
            for _ in range(options.rounds):
                for name, (port, process) in servers.items():
                    before = cpu_seconds(process) if process else 0
                    rate, median, tail = wrk(port, path, connections)
                    # nginx's work is done by other processes.
                    cost = (cpu_seconds(process) - before) / rate * 1e6 if process else 0
                    found[name].append((rate, median, tail, cost))
            for name, values in found.items():
                rate, median, tail, cost = (statistics.median(column) for column in zip(*values))
                ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in zip(values, found["nginx"]))
                print(f"{path}, {connections} connections: {name}, {rate:.0f} /s, {ratio:.2f} of nginx; 50 % {median:.0f} us, "
                      f"99 % {tail:.0f} us; {cost:.1f} us of CPU a request", flush=True)


if __name__ == "__main__":
    main()
