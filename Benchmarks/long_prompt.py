#!/usr/bin/env python3
"""The time before the prefill of a long prompt begins: reading the body, rendering the chat, tokenizing, admission.

    make build
    .venv/bin/python Benchmarks/long_prompt.py [--tokens 131000] [--rounds 5] [--streams 0] [NAME=BINARY ...]

Writes a small model with a vocabulary of 48,000 learned tokens, and sends texts of about that many tokens, whose prefill is
cancelled once its first step has been reported. The time is from the body's last byte to that report, without the time of the step.
The binaries alternate. With --streams, so many other clients of the same server decode meanwhile. Needs the package tokenizers.
"""

import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile
import threading
import time

import served
import texts

SHAPE = {
    "model_type": "afmoe", "vocab_size": 48_128, "hidden_size": 128, "intermediate_size": 256, "moe_intermediate_size": 64,
    "num_hidden_layers": 2, "num_dense_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 64,
    "num_experts": 4, "num_experts_per_tok": 1, "sliding_window": 2048, "route_scale": 1.0, "max_position_embeddings": 262_144}
PROGRESS = re.compile(rb'"prompt_progress":\{[^}]*"time_ms":(\d+)')


def write_model(binary, kind, folder):
    """A model whose tokenizer has the components of the fixture `kind`, and the special tokens of the Trinity family."""
    shape = folder / "shape.json"
    shape.write_text(json.dumps(SHAPE))
    model = folder / kind
    subprocess.run([binary, "synth", "--shape", shape, "--out", model], check=True, stdout=subprocess.DEVNULL)
    file = texts.trained(kind, 48_000)
    synthetic = json.loads((model / "tokenizer.json").read_text())
    count = len(file["model"]["vocab"])
    file["added_tokens"] = [{**token, "id": count + number} for number, token in enumerate(synthetic["added_tokens"])]
    (model / "tokenizer.json").write_text(json.dumps(file, ensure_ascii=False))
    return model


def start_of_prefill(port, path, body):
    """Milliseconds from the body's last byte to the start of the first step."""
    data = json.dumps(body).encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall((f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {len(data)}\r\n\r\n").encode() + data[:-1])
        # The rest of the body has been read by then.
        time.sleep(0.05)
        begin = time.perf_counter()
        connection.sendall(data[-1:])
        reply = b""
        while not (progress := PROGRESS.search(reply)):
            more = connection.recv(65536)
            assert more and b" 200 " in (reply + more).split(b"\r\n", 1)[0], reply + more
            reply += more
        return (time.perf_counter() - begin) * 1000 - int(progress[1])


def decode(server, seed):
    """Streams until the server ends."""
    try:
        while True:
            for _ in server.stream(served.prompt(seed, 16), 4000):
                pass
    except (OSError, AssertionError, IndexError):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=131_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=0, help="clients that decode meanwhile")
    parser.add_argument("--kinds", default="trinity_like,llama3_like")
    parser.add_argument("binaries", nargs="*", default=[f"now={served.BINARY}"])
    options = parser.parse_args()
    binaries = {name: str(pathlib.Path(path).resolve()) for name, path in (text.split("=", 1) for text in options.binaries)}
    from tokenizers import Tokenizer
    print("load average before:", *os.getloadavg())
    with tempfile.TemporaryDirectory() as temporary:
        for kind in options.kinds.split(","):
            folder = pathlib.Path(temporary, kind + "-files")
            folder.mkdir()
            model = write_model(next(iter(binaries.values())), kind, folder)
            tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
            measure(binaries, kind, model, tokenizer, options)
    print("load average after:", *os.getloadavg())


def measure(binaries, kind, model, tokenizer, options):
    servers = {}
    for name, binary in binaries.items():
        served.BINARY = binary
        servers[name] = served.Served(model, "--max-model-len", "140000", "--no-enable-prefix-caching")
        for seed in range(options.streams):
            threading.Thread(target=decode, args=(servers[name], seed), daemon=True).start()
    try:
        for make in (texts.prose, texts.code, texts.scripts):
            text = make()
            encoding = tokenizer.encode(text, add_special_tokens=False)
            # The offsets count characters.
            text = text[:encoding.offsets[min(options.tokens, len(encoding.ids)) - 1][1]]
            tokens = min(options.tokens, len(encoding.ids))
            for path, prompt in (("/v1/completions", {"prompt": text}),
                                 ("/v1/chat/completions", {"messages": [{"role": "user", "content": text}]})):
                body = {"model": "m", "max_tokens": 1, "stream": True, "return_progress": True, **prompt}
                times = {name: [] for name in servers}
                for _ in range(options.rounds + 1):
                    for name, server in servers.items():
                        times[name].append(start_of_prefill(server.port, path, body))
                for name, values in times.items():
                    print(f"{kind}, {make.__name__}, {tokens} tokens, {len(text.encode())} bytes, {path}: {name}, first "
                          f"{values[0]:.0f} ms, then {statistics.median(values[1:]):.0f} ms ({min(values[1:]):.0f} to "
                          f"{max(values[1:]):.0f})", flush=True)
    finally:
        for server in servers.values():
            server.__exit__()


if __name__ == "__main__":
    main()
