#!/usr/bin/env python3
"""Compares the tokenizer with Hugging Face's on the same texts and files, alternating in one run."""

import argparse
import json
import os
import pathlib
import statistics
import tempfile
import time

import probe
import texts

KINDS = ["trinity_like", "llama3_like"]
# These have no pre-tokenizer to measure; they use the small vocabularies of the fixtures.
WHOLE_TEXT_KINDS = ["llama2_spm_like", "gemma_like"]
TEXTS = [texts.prose, texts.code, texts.scripts, texts.unseen]


def timed(action):
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def rate(seconds, size):
    return size / seconds / 1e6


def compare_encoding(ours, folder, rounds):
    from tokenizers import Tokenizer
    print("\n| tokenizer | text | ours, MB/s | reference, MB/s | ratio | first pass, ratio |\n|---|---|---|---|---|---|")
    for kind in KINDS + WHOLE_TEXT_KINDS:
        path = folder / f"{kind}.json"
        if kind in KINDS:
            path.write_text(json.dumps(texts.trained(kind, 48_000), ensure_ascii=False))
        else:
            path = probe.FIXTURES / kind / "tokenizer.json"
        for make in TEXTS:
            text = make()
            file = folder / f"{make.__name__}.txt"
            file.write_text(text)
            # New tokenizers for each text: neither has cached any of it.
            ours("load", path=str(path))
            reference = Tokenizer.from_file(str(path))
            ids = ours("encode", text=text[:20_000])["ids"]
            assert ids == reference.encode(text[:20_000], add_special_tokens=False).ids, (kind, make.__name__)
            ours("load", path=str(path))
            reference = Tokenizer.from_file(str(path))
            mine, theirs = [], []
            for _ in range(rounds):
                answer = ours("encode", file=str(file), quiet=True)
                mine.append(answer["seconds"])
                seconds, encoding = timed(lambda: reference.encode(text, add_special_tokens=False))
                theirs.append(seconds)
                assert answer["count"] == len(encoding.ids), (kind, make.__name__)
            size = len(text.encode())
            left, right = statistics.median(mine), statistics.median(theirs)
            print(f"| {kind} | {make.__name__} | {rate(left, size):.1f} | {rate(right, size):.2f} | {right / left:.1f} | "
                  f"{theirs[0] / mine[0]:.1f} |", flush=True)


def compare_decoding(ours, folder, rounds):
    from tokenizers import Tokenizer
    path = folder / f"{KINDS[0]}.json"
    ours("load", path=str(path))
    reference = Tokenizer.from_file(str(path))
    ids = ours("encode", text=texts.prose())["ids"]
    mine, streams, theirs = [], [], []
    for _ in range(rounds):
        answer = ours("decode", ids=ids)
        mine.append(answer["seconds"])
        streams.append(answer["stream_seconds"])
        theirs.append(timed(lambda: reference.decode(ids, skip_special_tokens=False))[0])
    left, stream, right = (len(ids) / statistics.median(times) / 1e6 for times in (mine, streams, theirs))
    print(f"\nDecoding, million tokens/s: {left:.1f}, as a stream {stream:.1f}, reference {right:.1f}")


def measure_runs(ours, folder):
    print("\n| tokenizer | 1 MB of | seconds |\n|---|---|---|")
    paths = [folder / f"{KINDS[0]}.json", *(probe.FIXTURES / kind / "tokenizer.json" for kind in
             ["trinity_like", "trinity_zerowidth", "llama3_like", "llama2_spm_like", "gemma_like", "flags_torture"])]
    for path in paths:
        ours("load", path=str(path))
        for name, unit in [("a letter", "a"), ("a digit", "1"), ("spaces", " "), ("an unknown letter", "\U0001D11E")]:
            text = unit * (texts.MEGABYTE // len(unit.encode()))
            kind = path.stem if path.parent == folder else path.parent.name + " (fixture)"
            print(f"| {kind} | {name} | {ours('encode', text=text, quiet=True)['seconds']:.3f} |", flush=True)


def compare_loading(ours, folder, rounds):
    from tokenizers import Tokenizer
    path = folder / "synthetic.json"
    path.write_text(json.dumps(texts.synthetic(200_000), ensure_ascii=False, indent=2))
    ours("load", path=str(path))
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(ours("load", path=str(path))["seconds"])
        theirs.append(timed(lambda: Tokenizer.from_file(str(path)))[0])
    left, right = statistics.median(mine), statistics.median(theirs)
    print(f"\nLoading 200,000 tokens, {path.stat().st_size / 1e6:.1f} MB: {left:.3f} s, reference {right:.3f} s, "
          f"ratio {right / left:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["encode", "decode", "runs", "load"])
    arguments = parser.parse_args()
    probe.use_reference()
    print("load average before:", *os.getloadavg())
    ours = probe.Probe()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        if arguments.only in (None, "load"):
            compare_loading(ours, folder, arguments.rounds)
        if arguments.only in (None, "encode", "decode", "runs"):
            compare_encoding(ours, folder, arguments.rounds)
            compare_decoding(ours, folder, arguments.rounds)
            measure_runs(ours, folder)
    print("load average after:", *os.getloadavg())
