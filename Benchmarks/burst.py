"""Clients that all come at once: python3 Benchmarks/burst.py MODEL [--settings balanced,100ms] [--clients 8,32]

Needs .build/release/trinity. Each client sends one prompt of 128 tokens, unlike all others, and streams 64 tokens. For each setting,
taken in turn, prints the median time until all are answered, of the first tokens, and of the gaps between tokens.
"""

import argparse
import statistics
import threading
import time

from served import Served, percentile, prompt, served_settings

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--settings", default="balanced,interactivity,throughput,100ms",
                    help="values of --performance-mode or --max-inter-token-latency, with commas between them")
parser.add_argument("--clients", default="8,32", help="numbers, with commas between them")
parser.add_argument("--prompt", type=int, default=128, help="tokens")
parser.add_argument("--tokens", type=int, default=64, help="tokens that each client asks for")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--threads", default="2")
parser.add_argument("--quantization", default="auto", help="auto or fp8")
arguments = parser.parse_args()


def client(server, seed, begin, firsts, gaps):
    server.record(prompt(seed, arguments.prompt), arguments.tokens, begin, firsts, gaps)


def burst(server, clients, seed):
    firsts, gaps = [], []
    begin = time.monotonic()
    threads = [
        threading.Thread(target=client, args=(server, seed * 1000 + number, begin, firsts, gaps))
        for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [time.monotonic() - begin, statistics.mean(firsts), percentile(gaps, 0.5), percentile(gaps, 0.99), max(gaps)]


settings = arguments.settings.split(",")
numbers = [int(number) for number in arguments.clients.split(",")]
results = {(setting, number): [] for setting in settings for number in numbers}
for run in range(arguments.runs):
    for setting in settings:
        with Served(arguments.model, "--threads", arguments.threads, "--max-model-len", "1024", "--no-enable-prefix-caching",
                    "--quantization", arguments.quantization, *served_settings(setting)) as server:
            # A first burst touches memory that nobody has touched, and teaches what steps cost.
            burst(server, 8, 1000 + run)
            for number in numbers:
                results[setting, number].append(burst(server, number, run))
for (setting, number), rows in results.items():
    total, first, gap, gap99, longest = (statistics.median(column) for column in zip(*rows))
    print(f"{setting}, {number} clients: {total:.2f} s ({number * arguments.tokens / total:.0f} tok/s), first token {first:.2f} s, "
          f"between tokens p50 {gap * 1000:.1f} p99 {gap99 * 1000:.1f} max {longest * 1000:.1f} ms")
