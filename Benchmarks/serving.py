"""How much of the engine's own decode rate streaming clients get: python3 Benchmarks/serving.py MODEL [options]

Needs .build/release/trinity. Clients stream from `trinity serve` before and after `trinity bench` measures decode without HTTP
and sampling; the server idles meanwhile, which takes memory but no CPU. A rate counts the tokens that arrive while all
clients are decoding; both sides decode behind 128 tokens. Prints medians and their ratio.
"""

import argparse
import http.client
import json
import pathlib
import random
import socket
import statistics
import subprocess
import threading
import time

CONTEXT = 128
CLIENTS = (1, 8)
REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
BINARY = REPOSITORY / ".build/release/trinity"

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--rounds", type=int, default=2, help="measurements before the bench, and as many after it")
parser.add_argument("--tokens", type=int, default=64, help="tokens that each client asks for")
parser.add_argument("--vocabulary", type=int, default=250, help="prompts are random ids below this")
parser.add_argument("--sampling", type=json.loads, default={"temperature": 0}, help="members of the request, as JSON")
parser.add_argument("--threads", default="2")
parser.add_argument("--weights", default="auto", help="auto or fp8, as of serve and bench")
arguments = parser.parse_args()
OPTIONS = ["--threads", arguments.threads, "--weights", arguments.weights]


def start():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [BINARY, "serve", "--model", arguments.model, "--served-model-name", "m", "--port", str(port), "--max-model-len",
         "4096", "--max-sequences", "8", "--prefix-cache", "off", "--log-level", "error", *OPTIONS])
    while process.poll() is None:
        try:
            if request(port, "GET", "/ready").status == 200:
                return process, port
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server does not start")


def request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
    return connection.getresponse()


def stream(port, seed, arrivals):
    """Appends (time, tokens) of each event."""
    prompt = random.Random(seed).choices(range(10, arguments.vocabulary), k=CONTEXT)
    response = request(port, "POST", "/v1/completions", {
        "model": "m", "prompt": prompt, "max_tokens": arguments.tokens, "ignore_eos": True, "stream": True,
        "return_token_ids": True, "seed": seed, **arguments.sampling})
    assert response.status == 200, response.read()
    for line in response:
        if line.startswith(b"data: {"):
            ids = json.loads(line[6:])["choices"][0].get("token_ids") or []
            if ids:
                arrivals.append((time.monotonic(), len(ids)))
    assert sum(count for _, count in arrivals) == arguments.tokens


def served_rate(port, clients):
    arrivals = [[] for _ in range(clients)]
    threads = [threading.Thread(target=stream, args=(port, seed, arrivals[seed])) for seed in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    begin = max(events[0][0] for events in arrivals)
    end = min(events[-1][0] for events in arrivals)
    return sum(count for events in arrivals for at, count in events if begin < at <= end) / (end - begin)


process, port = start()
served = {clients: [] for clients in CLIENTS}
try:
    served_rate(port, 1)  # The first request touches memory that nobody has touched.
    for half in range(2):
        for _ in range(arguments.rounds):
            for clients in CLIENTS:
                served[clients].append(served_rate(port, clients))
        if half == 0:
            bench = json.loads(subprocess.check_output(
                [BINARY, "bench", "--model", arguments.model, "--json", *OPTIONS], stderr=subprocess.DEVNULL))
finally:
    process.terminate()
    process.wait()
print(f"read bandwidth {bench['ceiling']['read_gb_s']:.1f} GB/s")
for clients in CLIENTS:
    engine = next(row["tok_s"] for row in bench["decode"] if (row["sequences"], row["context"]) == (clients, CONTEXT))
    rate = statistics.median(served[clients])
    each = " ".join(f"{value:.1f}" for value in served[clients])
    print(f"{clients} clients: {rate:.1f} tok/s served ({each}), {engine:.1f} engine alone, {rate / engine:.0%}")
