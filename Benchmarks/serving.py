"""The decode rate of streaming clients as a share of the engine's: python3 Benchmarks/serving.py MODEL [options]

Needs .build/release/trinity. Clients stream from `trinity serve` before and after `trinity bench` measures decode without HTTP
and sampling; the server is idle meanwhile and uses memory but no CPU. A rate counts the tokens that arrive while all
clients are decoding; both decode after a prompt of 128 tokens. Prints medians and their ratio.
"""

import argparse
import json
import statistics
import subprocess
import threading

from served import BINARY, Served, prompt

CONTEXT = 128

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--clients", default="1,8", help="numbers of streaming clients: of 1, 4, 8, 16 and 32")
parser.add_argument("--rounds", type=int, default=2, help="measurements before the engine benchmark, and as many after it")
parser.add_argument("--tokens", type=int, default=64, help="tokens that each client asks for")
parser.add_argument("--sampling", type=json.loads, default={}, help="members of the request, as JSON")
parser.add_argument("--threads", default="2")
parser.add_argument("--quantization", default="auto", help="auto or fp8, as of serve and bench")
arguments = parser.parse_args()
CLIENTS = [int(number) for number in arguments.clients.split(",")]
OPTIONS = ["--threads", arguments.threads, "--quantization", arguments.quantization]


def client(server, seed, arrivals):
    events = server.stream(prompt(seed, CONTEXT), arguments.tokens, seed=seed, **arguments.sampling)
    status, reply = next(events)
    assert status == 200, reply
    arrivals.extend(events)


def served_rate(server, clients):
    arrivals = [[] for _ in range(clients)]
    threads = [threading.Thread(target=client, args=(server, seed, arrivals[seed])) for seed in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    begin = max(events[0][0] for events in arrivals)
    end = min(events[-1][0] for events in arrivals)
    return sum(count for events in arrivals for at, count in events if begin < at <= end) / (end - begin)


served = {clients: [] for clients in CLIENTS}
with Served(arguments.model, "--max-model-len", "4096", "--max-num-seqs", str(max(CLIENTS)), "--no-enable-prefix-caching", *OPTIONS) as server:
    served_rate(server, 1)  # The first request touches memory for the first time.
    for half in range(2):
        for _ in range(arguments.rounds):
            for clients in CLIENTS:
                served[clients].append(served_rate(server, clients))
        if half == 0:
            bench = json.loads(subprocess.check_output(
                [BINARY, "bench", "--model", arguments.model, "--json", *OPTIONS], stderr=subprocess.DEVNULL))
print(f"read bandwidth {bench['ceiling']['read_gb_s']:.1f} GB/s")
for clients in CLIENTS:
    engine = next(row["tok_s"] for row in bench["decode"] if (row["sequences"], row["context"]) == (clients, CONTEXT))
    rate = statistics.median(served[clients])
    each = " ".join(f"{value:.1f}" for value in served[clients])
    print(f"{clients} clients: {rate:.1f} tok/s served ({each}), {engine:.1f} engine alone, {rate / engine:.0%}")
