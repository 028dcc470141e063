#!/usr/bin/env python3
"""Compares whole training steps of `trinity train` with PyTorch: python3 Benchmarks/training.py [options]

    make build
    python3 -m venv torch && torch/bin/pip install torch safetensors numpy
    python3 Benchmarks/training.py --python torch/bin/python

Both train the same model from the same weights on the same batches, in turn, in processes of their own: 8192 tokens a step, in
micro-batches of 2048, every row one document. Prints, for each precision and length of a row, the median time of a step without
the first ones, the ratio of each round, the peak memory of both processes, and how far the losses of the last step are apart.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--model", type=pathlib.Path, default=HERE.parent / "Models/trinity-tiny", help="folder with config.json")
parser.add_argument("--binary", default=HERE.parent / ".build/release/trinity")
parser.add_argument("--python", default=sys.executable, help="a Python with torch and safetensors")
parser.add_argument("--lengths", default="128,256,1024")
parser.add_argument("--precisions", default="bf16,exact")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--steps", type=int, default=6, help="of a run; the first two are not counted")
parser.add_argument("--threads", default="2")
parser.add_argument("--micro", type=int, default=2048, help="tokens of a micro-batch")
parser.add_argument("--step", type=int, default=8192, help="tokens of a step")
parser.add_argument("--prefix", default="", help="a command that runs each process, such as 'chrt -f 10'")
parser.add_argument("--only", choices=("trinity", "torch"))


def write_safetensors(path, tensors):
    """`tensors`: name -> (type, shape, bytes)"""
    header, offset = {}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)


def write_batches(path, options, length, vocabulary):
    """Random tokens; every row is one document."""
    numbers, tensors = random.Random(length), {}
    rows = options.micro // length
    for step in range(options.steps):
        for micro in range(options.step // options.micro):
            ids = [numbers.randrange(vocabulary) for _ in range(rows * length)]
            name = f"step{step}.micro{micro}."
            tensors[name + "ids"] = ("U16", [rows, length], struct.pack(f"<{len(ids)}H", *ids))
            tensors[name + "document"] = ("I8", [rows, length], bytes(rows * length))
            tensors[name + "weight"] = ("U8", [rows, length], b"\1" * (rows * length))
    write_safetensors(path, tensors)


def run(command, log=None):
    """The steps that a process prints or logs, and its peak memory in MiB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    lines = process.stdout.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    if log:
        lines = log.read_text().splitlines()
    return [json.loads(line) for line in lines], usage.ru_maxrss / 1024


def main():
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="training-"))
    prefix = options.prefix.split()
    config = json.loads((options.model / "config.json").read_text())
    config.pop("quantization_config", None)
    (folder / "config").mkdir()
    (folder / "config/config.json").write_text(json.dumps(config))
    for length in map(int, options.lengths.split(",")):
        write_batches(folder / f"batches{length}.safetensors", options, length, config["vocab_size"])

    def recipe(name, **members):
        path = folder / f"{name}.json"
        path.write_text(json.dumps({"hyperparameters": {"steps": options.steps}, **members}))
        return path

    # The weights: those of a run with a learning rate of zero are the initial ones.
    numbers = {"steps": 1, "muon_lr": 0, "adamw_lr": {kind: 0 for kind in ("embed", "head", "router", "norm", "post")},
               "auxfree": {"gamma": 0}}
    first = f"batches{options.lengths.split(',')[0]}.safetensors"
    path = recipe("initial", initial="config", seed=1, batches=first)
    path.write_text(json.dumps({**json.loads(path.read_text()), "hyperparameters": numbers}))
    subprocess.run([options.binary, "train", path, "--out", folder / "initial", "--precision", "exact"],
                   check=True, stdout=subprocess.DEVNULL)

    print(f"{'precision':9} {'row':>5} {'trinity':>15} {'torch':>15} {'ratio':>20} {'GFLOP/s':>8} {'peak':>5} "
          f"{'memory, MiB':>13} {'loss':>15}")
    for precision in options.precisions.split(","):
        for length in map(int, options.lengths.split(",")):
            path = recipe(f"recipe{length}", initial="initial", batches=f"batches{length}.safetensors")
            times, memory, losses, ratios, rates = {"trinity": [], "torch": []}, {}, {}, [], []
            for _ in range(options.rounds):
                medians = {}
                for side in ("trinity", "torch"):
                    if options.only not in (None, side):
                        continue
                    if side == "trinity":
                        out = folder / "out"
                        shutil.rmtree(out, ignore_errors=True)
                        command = [options.binary, "train", path, "--out", out, "--precision", precision,
                                   "--threads", options.threads]
                    else:
                        command = [options.python, HERE / "training_torch.py", path, precision, options.threads]
                    log = out / "log.jsonl" if side == "trinity" else None
                    steps, memory[side] = run(prefix + list(map(str, command)), log)
                    losses[side] = steps[-1]["cross_entropy"]
                    medians[side] = statistics.median(step["seconds"] for step in steps[2:])
                    times[side].append(medians[side])
                    if side == "trinity":
                        last = steps[-1]
                        rates.append((medians[side], last["gflops"] * last["seconds"],
                                      last["gflops"] / last["share_of_peak"],
                                      {name: value for name, value in last.items() if name.startswith("seconds_")}))
                if len(medians) == 2:
                    ratios.append(medians["torch"] / medians["trinity"])

            def rate(side):
                if not times[side]:
                    return "-"
                median = statistics.median(times[side])
                return f"{options.step / median:.0f} tok/s"

            ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "-"
            if rates:
                median = statistics.median(rate[0] for rate in rates)
                gflops, peak = rates[0][1] / median, statistics.median(rate[2] for rate in rates)
                speed = f"{gflops:8.0f} {100 * gflops / peak:4.0f}%"
            else:
                speed = f"{'-':>8} {'-':>5}"
            both = " ".join(f"{memory.get(side, 0):.0f}" for side in ("trinity", "torch"))
            loss = " ".join(f"{losses.get(side, 0):.4f}" for side in ("trinity", "torch"))
            print(f"{precision:9} {length:5} {rate('trinity'):>15} {rate('torch'):>15} {ratio:>20} {speed} {both:>13} {loss:>15}",
                  flush=True)
            if rates and options.only == "trinity":
                print("   ", {name: round(value, 4) for name, value in rates[-1][3].items()}, flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
