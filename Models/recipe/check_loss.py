"""Compares the trainer's held-out losses with the server's log-probabilities, for the documents that are texts.

    python3 Models/recipe/check_loss.py .build/model

The trainer's checkpoint is served in float32. The loss of a document is the mean over its tokens but the first.
"""

import argparse
import json
import pathlib

from evaluate import REPOSITORY, Server

# Documents that are compared, and the largest difference.
COUNT = 50
TOLERANCE = 1e-4
# In the folder, if they agree.
RESULT = "loss.txt"


def losses(path):
    """Of each held-out document, by the last report of the trainer."""
    reports = [report for report in map(json.loads, path.open()) if "held_out_loss" in report]
    return reports[-1]["held_out_documents"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path, default=REPOSITORY / ".build/release/trinity")
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in (arguments.folder / "data/heldout.jsonl").open(encoding="utf-8")]
    run, worst = arguments.folder / "run", 0.0
    end = json.loads((run / "config.json").read_text())["eos_token_id"]
    texts = [
        (line["text"], loss) for line, loss in zip(lines, losses(run / "log.jsonl"), strict=True) if "text" in line
    ]
    assert texts, "none of the held-out documents is a text"
    options = ["--compute", "exact", "--kv-cache-dtype", "f32"]
    with open(arguments.folder / "serve-run.log", "w") as log, Server(arguments.binary, run, log, options) as server:
        for text, loss in texts[:COUNT]:
            ids = server.post("/tokenize", {"prompt": text})["tokens"] + [end]
            body = {"model": "tiny", "prompt": ids, "max_tokens": 1, "prompt_logprobs": 0}
            entries = server.post("/v1/completions", body)["choices"][0]["prompt_logprobs"]
            logprobs = [entry[str(token)]["logprob"] for token, entry in zip(ids[1:], entries[1:], strict=True)]
            worst = max(worst, abs(loss + sum(logprobs) / len(logprobs)))
    line = f"{len(texts[:COUNT])} texts: the losses differ by at most {worst:.2e}"
    print(line)
    assert worst < TOLERANCE
    (arguments.folder / RESULT).write_text(line + "\n")


if __name__ == "__main__":
    main()
