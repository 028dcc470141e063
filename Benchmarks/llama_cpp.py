#!/usr/bin/env python3
"""Compares Trinity with llama.cpp, alternating on one machine: python3 Benchmarks/llama_cpp.py MODEL [options]

    make build
    .build/release/trinity synth --shape small --out small-fp8
    python3 Benchmarks/llama_cpp.py small-fp8 --types q8_0,q4_0,q4_k_m --rounds 3

MODEL may also be a GGUF file, which both then run; Trinity once with `--compute fast` and once with `int8`:

    .build/release/trinity synth --shape nano --format q4_k_m --out nano-q4
    python3 Benchmarks/llama_cpp.py nano-q4/model-Q4_K_M.gguf --only engine --realtime

The first run fetches and builds llama.cpp (some minutes) and writes GGUF twins of a checkpoint, both into Benchmarks/.llama.cpp.
Each round measures every side once: the engines alone, then through both servers. A measurement waits for a quiet machine and is
repeated if others used the CPUs meanwhile; `--realtime` does not wait, and gives both sides a priority above all others (chrt,
which needs root), for a machine that is never quiet. Prints one table of medians with ranges, and how much better Trinity is than each type:
of rates and of times, a ratio above 1 is in favour of Trinity. Requests a second need wrk.
"""

import argparse
import http.client
import json
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time

import llama_source
import quiet
from served import BINARY, percentile, prompt

CLIENTS = (1, 8, 32)
PROMPT, REPLY, LONG = 128, 64, 4096
SEQUENCES = (1, 4, 8, 16, 32)
CONTEXT = 128

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("--types", default="q8_0", help="of llama.cpp's weights, with commas between them")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--threads", default="2")
parser.add_argument("--only", choices=("engine", "server"), help="measure only this part")
parser.add_argument("--realtime", action="store_true", help="measure at once, with real-time priority")
parser.add_argument("--json", action="store_true", help="also print the values of all rounds as a line of JSON")


class Side:
    """A server under comparison; measurements are dictionaries from a row's name to a value."""

    def measure_server(self):
        values = {}
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        begin = time.monotonic()
        process = subprocess.Popen([*map(str, [*PRIORITY, *self.server_command()])], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not self.is_ready():
                if process.poll() is not None:
                    raise SystemExit(f"{self.name} did not start: {self.server_command()}")
                time.sleep(0.005)
            values["ready, s"] = time.monotonic() - begin
            self.generate(0, PROMPT, 4)  # The first request touches memory for the first time.
            for clients in CLIENTS:
                values |= self.load(clients)
            values |= self.interrupted_stream()
            values |= self.health()
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            values["peak memory, MiB"] = int(status.split("VmHWM:")[1].split()[0]) / 1024
        finally:
            process.terminate()
            process.wait()
        return values

    def is_ready(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.request("GET", self.ready_path)
            return connection.getresponse().status == 200
        except OSError:
            return False

    def generate(self, seed, prompt_tokens, tokens):
        """Streams a reply; the times of sending it and of its events."""
        body = json.dumps(self.request(prompt(seed, prompt_tokens), tokens)).encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=1800) as connection:
            times = [time.monotonic()]
            connection.sendall(
                f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            data = connection.recv(65536)
            if data.split(b" ", 2)[1] != b"200":
                raise SystemExit(f"{self.name} answered {data!r}")
            # Little is parsed, since clients share the server's CPUs: an event that carries tokens has text.
            while data:
                times += [time.monotonic()] * data.count(self.event)
                data = connection.recv(65536)
        if len(times) == 1:
            raise SystemExit(f"{self.name} sent no tokens")
        return times

    def load(self, clients):
        results = [None] * clients

        def client(number):
            results[number] = self.generate(1000 * clients + number, PROMPT, REPLY)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed = time.monotonic() - begin
        gaps = [after - before for times in results for before, after in zip(times[1:], times[2:])]
        name = f"{clients} client{'s' * (clients > 1)}: "
        return {
            name + "tok/s": clients * REPLY / elapsed,
            name + "first token, ms": statistics.median(times[1] - times[0] for times in results) * 1000,
            name + "between tokens p50, ms": percentile(gaps, 0.5) * 1000,
            name + "between tokens p99, ms": percentile(gaps, 0.99) * 1000,
        }

    def interrupted_stream(self):
        """A stream, and a long prompt that arrives during it."""
        longs, done = [], threading.Event()

        def client():
            time.sleep(0.3)
            while not done.is_set():
                times = self.generate(7 + len(longs), LONG, 1)
                longs.append(times[1] - times[0])
                return

        thread = threading.Thread(target=client)
        thread.start()
        times = self.generate(5, PROMPT, 400)
        done.set()
        thread.join()
        gaps = [after - before for before, after in zip(times[1:], times[2:])]
        return {
            "a stream's longest gap beside a prompt of 4096, ms": max(gaps) * 1000,
            "first token of that prompt, ms": longs[0] * 1000,
        }

    def health(self):
        if not shutil.which("wrk"):
            return {}
        values = {}
        for connections in (1, 64):
            command = ["wrk", "-t1", f"-c{connections}", "-d2s", f"http://127.0.0.1:{self.port}/health"]
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            values[f"/health, {connections} connection{'s' * (connections > 1)}, /s"] = float(
                text.split("Requests/sec:")[1].split()[0])
        return values


class Trinity(Side):
    ready_path = "/ready"
    path = "/v1/completions"
    event = b'"token_ids":['

    def __init__(self, model, threads, name, *options):
        self.name = f"Trinity, {name}"
        self.options = ["--model", model, "--threads", threads, *options]

    def measure_engine(self):
        command = [*PRIORITY, BINARY, "bench", "--json", "--contexts", "1024", *self.options]
        result = json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL))
        values = {f"prefill {row['tokens']}, tok/s": row["tok_s"] for row in result["prefill"] if row["tokens"] >= 512}
        values |= {
            f"decode {row['sequences']}, tok/s": row["tok_s"] for row in result["decode"] if row["context"] == CONTEXT}
        values["reads, GB/s"] = result["ceiling"]["read_gb_s"]
        values["bf16 peak, GFLOP/s"] = result["ceiling"]["bf16_gflop_s"]
        return values

    def server_command(self):
        return [
            BINARY, "serve", "--port", self.port, "--max-model-len", 8192, "--max-num-seqs", 32,
            "--no-enable-prefix-caching", "--log-level", "error", *self.options]

    def request(self, tokens, count):
        return {
            "prompt": tokens, "max_tokens": count, "ignore_eos": True, "stream": True, "temperature": 0,
            "return_token_ids": True}


class Llama(Side):
    ready_path = "/health"
    path = "/completion"
    event = b'"stop":false'

    def __init__(self, file, name, threads):
        self.name = f"llama.cpp {name}"
        self.options = ["-m", file, "-t", threads, "-lm", "none"]

    def measure_engine(self):
        command = [*PRIORITY, llama_source.tool("llama-bench"), *self.options, "-p", "512,2048", "-n", "0", "-r", "1", "-o", "json"]
        rows = json.loads(subprocess.check_output([*map(str, command)], stderr=subprocess.DEVNULL))
        values = {f"prefill {row['n_prompt']}, tok/s": row["avg_ts"] for row in rows}
        command = [
            *PRIORITY, llama_source.tool("llama-batched-bench"), *self.options, "-npp", CONTEXT, "-ntg", 32, "-npl",
            ",".join(map(str, SEQUENCES)), "-c", max(SEQUENCES) * (CONTEXT + 32), "--output-format", "jsonl"]
        process = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
        for line in (process.stdout + process.stderr).splitlines():
            if line.startswith("{"):
                row = json.loads(line)
                values[f"decode {row['pl']}, tok/s"] = row["speed_tg"]
        return values

    def server_command(self):
        return [
            llama_source.tool("llama-server"), *self.options, "--host", "127.0.0.1", "--port", self.port, "-np",
            max(CLIENTS), "-kvu", "-c", 16384]

    def request(self, tokens, count):
        return {
            "prompt": tokens, "n_predict": count, "ignore_eos": True, "stream": True, "temperature": 0,
            "cache_prompt": False}


def twin(model, kind):
    """The checkpoint's GGUF twin; written the first time."""
    folder = llama_source.FOLDER
    tool = llama_source.tool("llama-quantize")
    base = folder / f"{model.resolve().name}-q8_0.gguf"
    checkpoint = max(path.stat().st_mtime for path in model.iterdir())
    target = folder / f"{model.resolve().name}-{kind}.gguf"
    for path, command in (
        (base, [llama_source.PYTHON, pathlib.Path(__file__).with_name("gguf_twin.py"), model]),
        (target, [tool, "--allow-requantize", base]),
    ):
        if path.exists() and path.stat().st_mtime > checkpoint:
            continue
        print(f"writing {path}", file=sys.stderr)
        part = path.with_suffix(".part")
        arguments = [*map(str, command), str(part), *([kind.upper()] if path != base else [])]
        result = subprocess.run(arguments, capture_output=True, text=True)
        if result.returncode != 0:
            raise SystemExit(f"{arguments}: {result.stderr[-2000:]}")
        part.rename(path)
    return target


def cpu():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    field = lambda name: text.split(f"{name}\t")[1].split(":", 1)[1].split("\n")[0].strip()
    return f"{field('model name')}, family {field('cpu family')} model {field('model')}"


def engines():
    """Trinity's and llama.cpp's, in this order."""
    model, threads = arguments.model, arguments.threads
    files = list(model.glob("*.gguf"))
    if len(files) == 1:
        model = files[0]
    if model.suffix == ".gguf":
        return [
            Trinity(model, threads, "fast"), Trinity(model, threads, "int8", "--compute", "int8"),
            Llama(model, model.stem, threads)]
    sides = [Trinity(model, threads, "fp8", "--quantization", "fp8")]
    return sides + [Llama(twin(model, kind), kind.upper(), threads) for kind in arguments.types.split(",")]


def show(sides, rounds):
    """The ratios are of each of Trinity's sides to each of the others."""
    pairs = [(a, b) for a in sides for b in sides if isinstance(a, Trinity) and isinstance(b, Llama)]
    print(f"\n{cpu()}, {arguments.threads} threads; {arguments.model.name}; {arguments.rounds} rounds; llama-cpp-python "
          f"{llama_source.VERSION} (llama.cpp {llama_source.COMMIT}), native build; {time.strftime('%Y-%m-%d')}\n")
    print("| | " + " | ".join(side.name for side in sides) + " | " + " | ".join(
        f"{a.name.split()[1]} to {b.name.split()[1]}" for a, b in pairs) + " |")
    print("|---" * (1 + len(sides) + len(pairs)) + "|")
    for row in dict.fromkeys(name for values in rounds[sides[0]] for name in values):
        cells, medians = [], {}
        for side in sides:
            values = [each[row] for each in rounds[side] if row in each]
            medians[side] = statistics.median(values) if values else None
            digits = 0 if values and min(values) >= 100 else 1
            cells.append(f"{medians[side]:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})" if values else "")
        higher_is_better = row.endswith("/s")
        for a, b in ((medians[a], medians[b]) for a, b in pairs):
            cells.append("" if b is None else f"{a / b if higher_is_better else b / a:.2f}")
        print(f"| {row} | " + " | ".join(cells) + " |")


arguments = parser.parse_args()
PRIORITY = ["chrt", "-f", "10"] if arguments.realtime else []
sides = engines()
rounds = {side: [] for side in sides}
disturbance = 0
for number in range(arguments.rounds):
    for side in sides if number % 2 == 0 else reversed(sides):
        values = {}
        for part in ("engine", "server"):
            if arguments.only in (None, part):
                print(f"round {number + 1}: {side.name}, {part}", file=sys.stderr)
                measurement = getattr(side, f"measure_{part}")
                result, others = (measurement(), 0) if arguments.realtime else quiet.measure(measurement)
                values |= result
                disturbance = max(disturbance, others)
        rounds[side].append(values)
show(sides, rounds)
print(
    "\nWith real-time priority beside other work." if arguments.realtime
    else f"\nOthers used at most {disturbance:.2f} of a CPU during a measurement.")
if arguments.json:
    print(json.dumps({side.name: rounds[side] for side in sides}))
