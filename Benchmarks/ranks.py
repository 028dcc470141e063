"""Two ranks against one process on this machine: python3 Benchmarks/ranks.py MODEL [--binary FILE] [--before FILE]

Needs a binary of `make build MPI=1`, mpirun and two idle cores. Starts one process with two threads, two ranks with one thread each,
one process with one thread, and with `--before` two ranks of an earlier binary. They run in turn in each round; a server without
work uses no CPU time. Prints the median rates,
and their ratios as the median of the rounds' ratios. One step alone passes through both ranks one after another. Compared with one
thread, the rest of its time is that of the ring.
"""

import argparse
import contextlib
import platform
import signal
import statistics
import time

from quiet import Watch
from served import BINARY, Served, prompt

ROUNDS = 7
PROMPTS, PROMPT_TOKENS = 8, 512
# A prompt that ranks compute in one step. Longer ones are divided so that all ranks compute.
STEP_TOKENS = 64
SEQUENCES, TOKENS = 16, 128
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "2"]

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--binary", default=str(BINARY))
parser.add_argument("--before", help="an earlier binary, of which two ranks run in the same rounds")
parser.add_argument("--rounds", type=int, default=ROUNDS)
parser.add_argument("--stage-layers", help="the option of the ranks")
arguments = parser.parse_args()
seeds = iter(range(10**9))


def prompts(count, tokens):
    return [prompt(next(seeds), tokens) for _ in range(count)]


def prefill(server, count, tokens=PROMPT_TOKENS):
    ids = prompts(count, tokens)
    begin = time.monotonic()
    return count * tokens / (max(map(max, server.streams(ids, 1))) - begin)


def decode(server, count):
    """Tokens per second while all sequences decode."""
    times = server.streams(prompts(count, 16), TOKENS)
    begin, end = max(map(min, times)), min(map(max, times))
    return sum(begin < at <= end for own in times for at in own) / (end - begin)


TOGETHER = {
    f"prefill of {PROMPTS} prompts": lambda server: prefill(server, PROMPTS),
    f"decode of {SEQUENCES} sequences": lambda server: decode(server, SEQUENCES),
    "prefill of one prompt": lambda server: prefill(server, 1),
}
# One step at a time.
ALONE = {
    f"prefill of {STEP_TOKENS} tokens": lambda server: prefill(server, 1, STEP_TOKENS),
    "decode of one sequence": lambda server: decode(server, 1),
}
TASKS = TOGETHER | ALONE


def cpu():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())


def ratio(task, one, other):
    return statistics.median(a / b for a, b in zip(rates[task, one], rates[task, other]))


rates = {}
with Watch() as watch, contextlib.ExitStack() as stack:
    options = ["--no-enable-prefix-caching", "--threads"]
    stages = ["--stage-layers", arguments.stage_layers] if arguments.stage_layers else []

    def two_ranks(binary):
        return Served(arguments.model, *options, "1", *stages, command=[*MPIRUN, binary], end=signal.SIGUSR1)

    servers = {
        "two threads": Served(arguments.model, *options, "2", command=[arguments.binary]),
        "two ranks": two_ranks(arguments.binary),
        "one thread": Served(arguments.model, *options, "1", command=[arguments.binary]),
    }
    if arguments.before:
        servers["ranks before"] = two_ranks(arguments.before)
    for server in servers.values():
        stack.enter_context(server)
    for turn in range(arguments.rounds + 1):
        for task, measure in TASKS.items():
            for name, server in servers.items():
                rate = measure(server)
                if turn > 0:  # the first round warms up
                    rates.setdefault((task, name), []).append(rate)
    metrics = servers["two ranks"].request("GET", "/metrics").read().decode()
    busy = {
        rank: servers["two ranks"].metric("trinity_rank_compute_seconds_total", f'rank="{rank}"') for rank in (0, 1)}

print(f"{cpu()}; others used {watch.others:.2f} CPUs")
print(f"{'tokens/s':26}" + "".join(f"{name:>14}" for name in servers))
for task in TASKS:
    print(f"{task:26}" + "".join(f"{statistics.median(rates[task, name]):14.1f}" for name in servers))
for ranks in [name for name in servers if "ranks" in name]:
    for task in TOGETHER:
        print(f"{task}: {ranks} reach {ratio(task, ranks, 'two threads'):.2f} of two threads")
    for task in ALONE:
        print(f"{task}: the ring of {ranks} takes {1 - ratio(task, ranks, 'one thread'):.1%} of the time")
print(f"compute time of rank 0 of two ranks: {busy[0]:.1f} s, of rank 1: {busy[1]:.1f} s")
for line in metrics.splitlines():
    if line.startswith("trinity_rank_info"):
        print(line)
