"""Makes the default model, in .build/model: data, training, checkpoints in BF16 and FP8, evaluation and model card.

    python3 Models/recipe/make_model.py              what is done already is not done again
    python3 Models/recipe/make_model.py --scale 0.01 --folder /tmp/model    a hundredth of the training, to try it out
    python3 Models/recipe/make_model.py --install    also puts the FP8 checkpoint and its card into Models/trinity-tiny

An interrupted run goes on where it was: each step has a result, and `trinity train` has checkpoints. Needs Python's standard library
and `.build/release/trinity`.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import time

import card
import check_loss

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
MODEL = REPOSITORY / "Models/trinity-tiny"
TOKENIZER = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
]
# The largest sizes that the model may have, in bytes.
LARGEST = 12_000_000


def step(title, result, body):
    """Does `body`, unless its result is there."""
    if result.exists():
        print(f"{title}: done", flush=True)
        return
    start = time.monotonic()
    print(f"{title}: ...", flush=True)
    body()
    if not result.exists():
        sys.exit(f"{title} was interrupted; the same command goes on")
    print(f"{title}: {time.monotonic() - start:.0f} s", flush=True)


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


def scaled(recipe, scale):
    """The recipe with a fraction of its tokens, and of the steps of its schedules."""
    for stage in recipe["stages"]:
        numbers, documents = stage["hyperparameters"], stage["documents"]
        positions = documents["length"] * documents["rows"] * documents["micro_batches"]
        numbers["tokens"] = max(int(numbers["tokens"] * scale), positions)
        steps = math.ceil(numbers["tokens"] / positions)
        schedule = numbers["schedule"]
        schedule["warmup"] = min(schedule["warmup"], steps // 5)
        schedule["decay"] = min(int(schedule["decay"] * scale), steps - schedule["warmup"])
    recipe["checkpoint_interval"] = recipe["held_out"]["interval"] = max(int(200 * scale), 20)
    return recipe


def prepare(folder, scale):
    """The initial folder, which has no weights, and the recipe."""
    initial = folder / "initial"
    initial.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER:
        shutil.copy(MODEL / name, initial / name)
    shutil.copy(HERE / "config.json", initial / "config.json")
    recipe = json.loads((HERE / "recipe.json").read_text())
    if scale != 1:
        recipe = scaled(recipe, scale)
    text = json.dumps(recipe, indent=4) + "\n"
    path = folder / "recipe.json"
    if path.exists() and path.read_text() != text:
        sys.exit(f"{path} is that of another run; remove {folder} or choose another --folder")
    path.write_text(text)


def quantize(binary, source, target, *options):
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    run(binary, "quantize", source, partial, *options)
    partial.replace(target)


def size(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


def install(folder):
    """The model of the repository. The tokenizer's files are there already."""
    assert size(folder / "fp8") <= LARGEST, f"the model has {size(folder / 'fp8')} bytes, more than {LARGEST}"
    for name in ("model.safetensors", "config.json"):
        shutil.copy(folder / "fp8" / name, MODEL / name)
    shutil.copy(folder / "MODEL_CARD.md", MODEL / "MODEL_CARD.md")


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=REPOSITORY / ".build/model")
    parser.add_argument("--binary", type=pathlib.Path, default=REPOSITORY / ".build/release/trinity")
    parser.add_argument("--scale", type=float, default=1.0, help="the fraction of the data and of the training")
    parser.add_argument("--count", type=int, default=200, help="prompts of a group of the evaluation")
    parser.add_argument(
        "--needle-samples", type=positive, default=10, help="of trinity needle, for each length and depth"
    )
    parser.add_argument("--install", action="store_true", help="replace Models/trinity-tiny")
    arguments = parser.parse_args()
    folder, binary = arguments.folder.resolve(), arguments.binary.resolve()
    prepare(folder, arguments.scale)
    data = [
        sys.executable,
        HERE / "make_data.py",
        folder / "data",
        "--scale",
        arguments.scale,
        "--processes",
        os.cpu_count(),
    ]
    # Written last. Folders of earlier versions have no prompts for the confirmation.
    prompts = [folder / f"data/{name}.jsonl" for name in ("confirmation", "evaluation")]
    step("data", next((path for path in prompts if not path.exists()), prompts[-1]), lambda: run(*data))
    run_folder = folder / "run"
    train = [binary, "train", folder / "recipe.json", "--out", run_folder, "--plot"]
    # The last file of a finished run.
    step("training", run_folder / "config.json", lambda: run(*train))
    check = [sys.executable, HERE / "check_loss.py", folder, "--binary", binary]
    step("comparison with the server's losses", folder / check_loss.RESULT, lambda: run(*check))
    step("bf16", folder / "bf16", lambda: quantize(binary, run_folder, folder / "bf16", "--weights", "bf16"))
    fp8 = ["--weights", "fp8", "--round-others"]
    step("fp8", folder / "fp8", lambda: quantize(binary, run_folder, folder / "fp8", *fp8))
    models = [f"--model={name}={folder / name}" for name in ("bf16", "fp8")]
    evaluate = [sys.executable, HERE / "evaluate.py", folder, "--binary", binary, "--count", arguments.count]
    needles = ["--needle-samples", arguments.needle_samples]
    step("evaluation", folder / "needle-fp8.json", lambda: run(*evaluate, *models, *needles))
    others = ["--prompts", "confirmation", "--needle-samples", 0]
    step("confirmation", folder / "confirmation-fp8.json", lambda: run(*evaluate, models[-1], *others))
    (folder / "MODEL_CARD.md").write_text(card.text(folder))
    print(f"{folder}/fp8: {size(folder / 'fp8') / 1e6:.2f} MB; card: {folder}/MODEL_CARD.md")
    if arguments.install:
        install(folder)


if __name__ == "__main__":
    main()
