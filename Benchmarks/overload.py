"""Ten times more requests than the server can process, for a minute: python3 Benchmarks/overload.py MODEL

Needs .build/release/trinity. First measures full load without a queue, then sends ten times as many requests per second as
completed then. Prints the latency of accepted requests compared with that of full load, the latency of rejections, and the
memory of the server before and after. At the end, measures a prompt of 4096 tokens that is sent a second time.
"""

import argparse
import threading
import time

from served import Served, percentile, prompt

TOKENS = 64
PLACES = 8

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--seconds", type=float, default=60)
parser.add_argument("--threads", default="2")
arguments = parser.parse_args()


def visit(server, seed, accepted, refused):
    """Sends one request and returns its outcome with times in seconds."""
    sent = time.monotonic()
    events = server.stream(prompt(seed, 64), TOKENS)
    status, reply = next(events)
    if status != 200:
        assert status == 503 and b"retry-after: " in reply.lower(), reply
        refused.append(time.monotonic() - sent)
        return
    times = [at for at, _ in events]
    accepted.append((times[0] - sent, times[-1] - times[0]))


def report(name, accepted):
    firsts, rests = zip(*accepted)
    print(f"{name}: {len(accepted)} accepted, first token p50 {percentile(firsts, 0.5) * 1000:.0f} "
          f"p99 {percentile(firsts, 0.99) * 1000:.0f} ms, the other {TOKENS - 1} p50 {percentile(rests, 0.5) * 1000:.0f} "
          f"p99 {percentile(rests, 0.99) * 1000:.0f} ms")


with Served(arguments.model, "--threads", arguments.threads, "--max-model-len", "8192", "--max-num-seqs", str(PLACES),
            "--max-num-queued-seqs", str(PLACES), "--max-queue-wait", "30s", "--kv-cache-memory-bytes", "128MiB") as server:
    full, nobody = [], []
    deadline = time.monotonic() + min(arguments.seconds / 4, 10)

    def regular(number):
        turn = 0
        while time.monotonic() < deadline:
            turn += 1
            visit(server, number * 1000 + turn, full, nobody)

    begin = time.monotonic()
    threads = [threading.Thread(target=regular, args=(number,)) for number in range(PLACES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(full) / (time.monotonic() - begin)
    report(f"full load, {rate:.1f} requests/s", full)
    before = server.resident_bytes()

    accepted, refused, threads = [], [], []
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < arguments.seconds:
        if len(threads) < elapsed * rate * 10:
            threads.append(threading.Thread(target=visit, args=(server, 10**6 + len(threads), accepted, refused)))
            threads[-1].start()
        else:
            time.sleep(0.001)
    most = server.metric("vllm:num_requests_waiting")
    for thread in threads:
        thread.join()
    report(f"overload, {len(threads) / arguments.seconds:.1f} requests/s", accepted)
    print(f"{len(refused)} rejected with 503 and Retry-After, p50 {percentile(refused, 0.5) * 1000:.1f} "
          f"p99 {percentile(refused, 0.99) * 1000:.1f} ms; {most:.0f} waiting at the end")
    print(f"resident {before / 2**20:.0f} MiB before, {server.resident_bytes() / 2**20:.0f} MiB after")

    for name in ["first", "second"]:
        sent = time.monotonic()
        events = server.stream(prompt(1, 4096), 1)
        next(events)
        print(f"a prompt of 4096 tokens, the {name} time: {(next(events)[0] - sent) * 1000:.0f} ms to the first token")
