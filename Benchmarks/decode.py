"""Decode rates of kernel sets through the whole server, alternating: python3 Benchmarks/decode.py [model folder]

Starts .build/release/trinity once for each configuration. In each round, every server answers 1 and then 64 requests at once,
without streaming. Prints the best rate of the rounds, because other processes on the machine can only lower it.
"""

import concurrent.futures
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROUNDS = 5
TOKENS = 128
REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
MODEL = sys.argv[1] if len(sys.argv) > 1 else "Models/trinity-tiny"
CONFIGURATIONS = [("portable", "exact"), ("avx2", "exact"), ("avx512", "exact"), ("avx512", "fast")]


def start(kernels, compute):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [REPOSITORY / ".build/release/trinity", "serve", "--model", MODEL, "--served-model-name", "m", "--port", str(port),
         "--kernels", kernels, "--compute", compute], cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready").read()
            return process, port
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{kernels} {compute} does not start")


def complete(port):
    body = {"model": "m", "prompt": "Once upon a time", "max_tokens": TOKENS, "ignore_eos": True, "temperature": 0}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))["usage"]["completion_tokens"]


def rate(port, streams):
    with concurrent.futures.ThreadPoolExecutor(streams) as pool:
        begin = time.monotonic()
        tokens = sum(pool.map(lambda _: complete(port), range(streams)))
        return tokens / (time.monotonic() - begin)


servers = [start(*configuration) for configuration in CONFIGURATIONS]
best = {}
for _ in range(ROUNDS):
    for configuration, (_, port) in zip(CONFIGURATIONS, servers):
        for streams in (1, 64):
            key = (configuration, streams)
            best[key] = max(best.get(key, 0), rate(port, streams))
for process, _ in servers:
    process.terminate()
for configuration in CONFIGURATIONS:
    rates = "  ".join(f"{streams} streams {best[configuration, streams]:7.0f} tok/s" for streams in (1, 64))
    print(f"{configuration[0]:9}{configuration[1]:6} {rates}")
