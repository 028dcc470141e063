"""Detects other processes that used the CPUs during a measurement."""

import os
import sys
import time

# The share of one CPU that others may use.
LIMIT = 0.1


def busy_seconds():
    """CPU seconds of the whole machine, stolen ones included."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    return sum(os.times()[:4])


class Watch:
    """Measures in a `with` block how much CPU others used; the block's children must have ended at its end."""

    def __enter__(self):
        self.begin = time.monotonic(), busy_seconds(), own_seconds()
        return self

    def __exit__(self, *_):
        elapsed = time.monotonic() - self.begin[0]
        others = busy_seconds() - self.begin[1] - (own_seconds() - self.begin[2])
        # Others' share of one CPU. Both counts are in ticks of 10 ms.
        self.others = max(0, others / elapsed)


def wait(seconds=2, patience=600):
    """Returns when the machine was quiet for some seconds, or after `patience` seconds with a warning."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with Watch() as watch:
            time.sleep(seconds)
        if watch.others < LIMIT:
            return
    print(f"the machine was not quiet for {patience} s; measuring all the same", file=sys.stderr)


def measure(function, tries=4):
    """The result of `function`, repeated while others used the CPUs; and their share in the try that counts, the quietest."""
    best = None
    for _ in range(tries):
        wait()
        with Watch() as watch:
            result = function()
        if best is None or watch.others < best[1]:
            best = result, watch.others
        if watch.others < LIMIT:
            break
        print(f"others used {watch.others:.2f} of a CPU; measured again", file=sys.stderr)
    return best
