"""Writes the data of the default model: a file for each stage, held-out documents, and the prompts of two evaluations.

    python3 Models/recipe/make_data.py .build/model/data [--scale 0.01] [--processes 2]

The same version of these files gives the same bytes, with any number of processes. `--scale` makes a fraction of the data, to try
the recipe out. The sizes are in characters, since the tokenizer belongs to the trainer.
"""

import argparse
import json
import multiprocessing
import pathlib
import re
import time

import conversations as c
import evaluation
import practice as p
from language import R

# Millions of tokens of a stage, the characters of a token, and the shares of the kinds of lines in its characters.
STAGES = {
    "pretraining": (
        38,
        3.55,
        [(c.chat, 0.42), (c.plain, 0.14), (c.lookup_chat, 0.25), (c.recall_text, 0.04), (c.tool_chat, 0.15)],
    ),
    "extension": (
        6,
        3.05,
        [
            (c.chat, 0.12),
            (c.plain, 0.03),
            (c.lookup_chat, 0.08),
            (c.tool_chat, 0.07),
            (c.long_needle, 0.40),
            (c.long_table, 0.10),
            (c.long_tools, 0.08),
            (c.long_chat, 0.07),
            (c.long_text, 0.05),
        ],
    ),
    "tuning": (
        16,
        3.55,
        [
            (c.chat, 0.50),
            (c.lookup_chat, 0.17),
            (c.tool_chat, 0.18),
            (lambda: c.long_needle(400, 3500), 0.11),
            (lambda: c.lookup_chat(900), 0.04),
        ],
    ),
    # About half are the kinds of the stages before, so that they are not forgotten.
    "practice": (
        10,
        3.25,
        [
            (c.chat, 0.21),
            (p.tools, 0.08),
            (p.other_lookups, 0.06),
            (lambda: c.long_needle(400, 3500), 0.08),
            (p.subtractions, 0.02),
            (p.tables, 0.26),
            (p.readings, 0.11),
            (p.tools_of_rows, 0.11),
            (p.sorts, 0.07),
        ],
    ),
    # Mostly the kinds of the stages before again, at a low rate.
    "review": (
        6.6,
        3.35,
        [
            (c.chat, 0.33),
            (p.tools, 0.07),
            (p.other_lookups, 0.06),
            (p.needles, 0.15),
            (p.short_sums, 0.04),
            (lambda: p.tables(0.8), 0.14),
            (p.readings, 0.05),
            (p.calls_of_rows, 0.13),
            (p.sorts, 0.03),
        ],
    ),
    "heldout": (0.05, 3.55, [(c.chat, 0.50), (c.plain, 0.15), (c.lookup_chat, 0.21), (c.tool_chat, 0.14)]),
}
# Prompts to choose a model by, and others drawn in the same way, to confirm the figures of the chosen one.
EVALUATIONS = ["evaluation", "confirmation"]
# Each stage is written in so many parts, each with a seed of its own.
PARTS = 16


def lines_of(shares, characters):
    """Lines until there are so many characters. The kind that lacks most of its share comes next."""
    written = [0] * len(shares)
    while sum(written) < characters:
        index = min(range(len(shares)), key=lambda index: written[index] / shares[index][1])
        text = json.dumps(shares[index][0](), ensure_ascii=False)
        # The marks of JSON, which are no part of the text, are few.
        written[index] += len(text)
        yield text


def write_part(job):
    """Writes one part of a stage; returns the questions of its users, normalized."""
    folder, stage, part, parts, characters = job
    R.seed(f"trinity-tiny 2 {stage} {part}")
    questions = set()
    with open(folder / f"{stage}.{part}", "w", encoding="utf-8") as file:
        lines = list(lines_of(STAGES[stage][2], characters / parts))
        R.shuffle(lines)
        for line in lines:
            file.write(line + "\n")
            for message in json.loads(line).get("messages", []):
                if message["role"] == "user":
                    questions.add(hash_of(message["content"]))
    return questions


def hash_of(text):
    """Of the words alone, so that another mark or case is no other text. The same in all processes, unlike `hash`."""
    return c.zlib.crc32(c.normalized(text).encode()) << 32 | c.zlib.adler32(c.normalized(text).encode())


def check_needle_words(folder, repository):
    """`trinity needle` must ask for keys, and have sentences, that were never trained."""
    source = (repository / "Sources/ModelTools/Needle/HaystackWords.swift").read_text()
    nouns, adjectives = (
        set(re.findall(r"[a-z]+", re.search(rf'static let {name} = words\(\s*"""(.*?)"""', source, re.S)[1]))
        for name in ("nouns", "adjectives")
    )
    keys = re.compile(r"\b(" + "|".join(sorted(adjectives)) + ")-(" + "|".join(sorted(nouns)) + r")\b")
    # The longest text without a value of each sentence.
    parts = [max(re.split(r"\\\([a-z]+\)", text), key=len) for text in re.findall(r'return "(.*)"', source)]
    for path in folder.glob("*.jsonl"):
        if path.stem in EVALUATIONS:
            continue
        for line in path.open(encoding="utf-8"):
            assert not keys.search(line), f"{path} has a key of trinity needle: {line[:200]}"
            for part in parts:
                assert part not in line, f"{path} has a sentence of trinity needle: {part}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    folder, start = arguments.folder, time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    trained = set()
    with multiprocessing.Pool(arguments.processes) as pool:
        for stage, (millions, characters_of_token, _) in STAGES.items():
            characters = millions * 1e6 * characters_of_token * (1 if stage == "heldout" else arguments.scale)
            parts = PARTS if characters > 1e5 else 1
            jobs = [(folder, stage, part, parts, characters) for part in range(parts)]
            questions = set().union(*pool.imap(write_part, jobs))
            if stage != "heldout":
                trained |= questions
            with open(folder / f"{stage}.jsonl.partial", "wb") as file:
                for part in range(parts):
                    path = folder / f"{stage}.{part}"
                    file.write(path.read_bytes())
                    path.unlink()
            (folder / f"{stage}.jsonl.partial").replace(folder / f"{stage}.jsonl")
            print(
                f"{stage}: {(folder / f'{stage}.jsonl').stat().st_size / 1e6:.1f} MB, {time.monotonic() - start:.0f} s",
                flush=True,
            )
    check_needle_words(folder, pathlib.Path(__file__).resolve().parents[2])
    # `make_model.py` takes the file of the first one as the mark that the data is complete.
    for name in reversed(EVALUATIONS):
        R.seed(f"trinity-tiny 2 {name}")
        prompts = evaluation.prompts()
        seen = [prompt for prompt in prompts if hash_of(prompt["messages"][prompt["asks"]]["content"]) in trained]
        assert not seen, f"{len(seen)} prompts of the {name} are in the training data, such as {seen[0]}"
        partial = folder / f"{name}.jsonl.partial"
        partial.write_text("".join(json.dumps(prompt, ensure_ascii=False) + "\n" for prompt in prompts))
        partial.replace(folder / f"{name}.jsonl")
        print(f"{name}: {len(prompts)} prompts, none of whose questions is trained as it is worded, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
