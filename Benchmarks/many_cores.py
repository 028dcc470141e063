"""Simulates the worker pool on machines with many cores: python3 Benchmarks/many_cores.py

Prints the share of the ideal decode rate (bytes of a step divided by the read bandwidth of all cores) that one sequence reaches,
for two ways to divide a parallel region: claims of chunks from one word, which all threads also count down, and a run for each
thread, with a signal and a counter for every eight neighbours (Sources/Engine/Compute). Nothing here is measured: see ASSUMPTIONS.
"""

import heapq
import random
import statistics

ASSUMPTIONS = """
Every core reads its share of the machine's bandwidth, with speeds that differ by 3 % (standard deviation) from region to region.
A cache line moves in 30 ns between cores of one level 3 cache (eight cores) and in 120 ns between others; a line that several
cores change is changed by one at a time. A thread sees a signal 20 ns after it has the line. A region's serial work before it
takes 1 us (norms of one row, the plan of the region). A layer has six regions. Weights are FP8; activations, the KV cache and the
differences between nodes are left out. Worker 0 sees the end as soon as it has read all counters.
"""

NEAR, FAR, NOTICE, SERIAL = 30e-9, 120e-9, 20e-9, 1e-6
GROUP, PARTS = 8, 128
REGIONS = 6
# Cores and GB/s of all of them.
MACHINES = [(16, 90), (64, 400), (192, 1000)]
# Layers, bytes of the weights of a decoded token in all layers, bytes of the head.
MODELS = {"Nano": (56, 0.65e9, 0.2e9), "Mini": (32, 2.65e9, 0.41e9), "Large": (60, 12.2e9, 0.62e9)}


class Line:
    """A cache line that one core at a time changes."""

    def __init__(self):
        self.free, self.owner = 0.0, None

    def change(self, core, now):
        """When `core`, which asks at `now`, has changed it."""
        start = max(now, self.free)
        near = self.owner is not None and self.owner // GROUP == core // GROUP
        cost = 0.0 if self.owner == core else NEAR if near else FAR
        self.free, self.owner = start + cost + 2e-9, core
        return self.free


def arrivals(cores, groups):
    """When each core sees the signal of a region that begins at 0."""
    seen = []
    for core in range(cores):
        group = core // GROUP if groups else 0
        # Worker 0 writes the signals one after another; the cores that poll one line get it one after another.
        written = group * FAR / 4
        place = core % GROUP if groups else core
        seen.append(0.0 if core == 0 else written + (NEAR if group == 0 else FAR) + place * NEAR / 2 + NOTICE)
    return seen


def one_word(cores, seconds):
    """The time of a region of `seconds` on each core: 4 chunks for each thread, a half, a quarter and twice an eighth."""
    claim, count = Line(), Line()
    sizes = [0.5] * cores + [0.25] * cores + [0.125] * (2 * cores)
    speeds = [random.gauss(1, 0.03) for _ in range(cores)]
    queue = [(when, core) for core, when in enumerate(arrivals(cores, False))]
    heapq.heapify(queue)
    end, chunk = 0.0, 0
    while queue:
        now, core = heapq.heappop(queue)
        now = claim.change(core, now)
        if chunk == len(sizes):
            continue
        now += sizes[chunk] * seconds * speeds[core]
        chunk += 1
        now = count.change(core, now)
        end = max(end, now)
        heapq.heappush(queue, (now, core))
    return end + FAR


def runs(cores, seconds):
    """The same with a run for each thread."""
    words = [Line() for _ in range(cores)]
    counters = [Line() for _ in range((cores + GROUP - 1) // GROUP)]
    left = [PARTS] * cores
    speeds = [random.gauss(1, 0.03) for _ in range(cores)]
    # (time, core, distance to the run that it works on, parts that it has not counted yet)
    queue = [(when, core, 0, 0) for core, when in enumerate(arrivals(cores, True))]
    heapq.heapify(queue)
    end, done = 0.0, 0
    while queue:
        now, core, distance, uncounted = heapq.heappop(queue)
        run = (core + distance) % cores
        if left[run]:
            now = words[run].change(core, now)
        elif distance:
            now += NEAR if run // GROUP == core // GROUP else FAR
        taken = (left[run] + 1) // 2
        left[run] -= taken
        if taken:
            heapq.heappush(queue, (now + taken / PARTS * seconds * speeds[core], core, distance, uncounted + taken))
            continue
        if uncounted:
            now = counters[core // GROUP].change(core, now)
            end, done = max(end, now), done + uncounted
        if done < cores * PARTS and distance + 1 < cores:
            heapq.heappush(queue, (now, core, distance + 1, 0))
    # Worker 0 reads the counters; the misses overlap four at a time.
    return end + max(FAR, len(counters) * FAR / 4)


def share(way, cores, bandwidth, layers, layer_bytes, head_bytes):
    """The ideal time of a step divided by the simulated one."""
    region = layer_bytes / layers / REGIONS / bandwidth
    head = head_bytes / bandwidth
    time = layers * REGIONS * (statistics.mean(way(cores, region) for _ in range(40)) + SERIAL)
    time += statistics.mean(way(cores, head) for _ in range(10)) + SERIAL
    return (layer_bytes + head_bytes) / bandwidth / time


def main():
    random.seed(1)
    print(ASSUMPTIONS)
    print("| cores, GB/s | model | region, us | one word | a run for each thread |")
    print("|---|---|---|---|---|")
    for cores, gigabytes in MACHINES:
        for name, (layers, layer_bytes, head_bytes) in MODELS.items():
            bandwidth = gigabytes * 1e9
            shares = [share(way, cores, bandwidth, layers, layer_bytes, head_bytes) for way in (one_word, runs)]
            region = layer_bytes / layers / REGIONS / bandwidth * 1e6
            print(f"| {cores}, {gigabytes} | {name} | {region:.1f} | {shares[0]:.0%} | {shares[1]:.0%} |")


if __name__ == "__main__":
    main()
