"""Chats that decode while long prompts arrive: python3 Benchmarks/mixed_load.py MODEL [--settings balanced,100ms]

Needs .build/release/trinity. Eight clients stream continuously; every ten seconds one sends a prompt of 4096 tokens. The settings
alternate. Prints for each the medians of the runs' times to the first token and between two tokens of a chat.
"""

import argparse
import statistics
import threading
import time

from served import Served, percentile, prompt, served_settings

CHATS = 8
LONG = 4096
PERIOD = 10

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--settings", default="balanced,interactivity,throughput,100ms",
                    help="values of --performance-mode or --max-inter-token-latency, with commas between them")
parser.add_argument("--seconds", type=float, default=30, help="of one run")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--threads", default="2")
arguments = parser.parse_args()


def chat(server, number, deadline, firsts, gaps):
    turn = 0
    while time.monotonic() < deadline:
        turn += 1
        server.record(prompt(number * 1000 + turn, 64), 200, time.monotonic(), firsts, gaps)


def run(setting):
    firsts, gaps, longs = [], [], []
    with Served(arguments.model, "--threads", arguments.threads, "--max-model-len", "8192", "--no-enable-prefix-caching",
                *served_settings(setting)) as server:
        deadline = time.monotonic() + arguments.seconds
        threads = [
            threading.Thread(target=chat, args=(server, number, deadline, firsts, gaps)) for number in range(CHATS)]
        for thread in threads:
            thread.start()
        number = 0
        while time.monotonic() + PERIOD / 2 < deadline:
            sent = time.monotonic()
            events = server.stream(prompt(10**6 + number, LONG), 1)
            assert next(events)[0] == 200
            longs.append(next(events)[0] - sent)
            number += 1
            time.sleep(max(0, sent + PERIOD - time.monotonic()))
        for thread in threads:
            thread.join()
    return [percentile(firsts, 0.5), percentile(firsts, 0.99), percentile(gaps, 0.5), percentile(gaps, 0.99),
            max(gaps), percentile(longs, 0.5)]


settings = arguments.settings.split(",")
results = {setting: [] for setting in settings}
for _ in range(arguments.runs):
    for setting in settings:
        results[setting].append(run(setting))
for setting, rows in results.items():
    first, first99, gap, gap99, longest, long = (statistics.median(column) * 1000 for column in zip(*rows))
    print(f"{setting}: first token p50 {first:.0f} p99 {first99:.0f} ms, between tokens p50 {gap:.1f} p99 {gap99:.1f} ms "
          f"({gap99 / gap:.1f}x) longest {longest:.1f} ms, long prompt's first token p50 {long:.0f} ms")
