"""The model card, from what a run has left in its folder."""

import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
# Rows of the reference curve.
CURVE_ROWS = 20


def table(head, rows):
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows])


def parameters(path):
    """All, and those that a token uses."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    total = active = 0
    config = json.loads((path.parent / "config.json").read_text())
    share = config["num_experts_per_tok"] / config["num_experts"]
    for name, tensor in header.items():
        if name == "__metadata__" or name.endswith(("_scale", "expert_bias")):
            continue
        count = 1
        for dimension in tensor["shape"]:
            count *= dimension
        total += count
        active += int(count * share) if ".mlp.experts." in name else count
    return total, active


def curve(path, recipe):
    """The held-out loss by tokens."""
    tokens_before = []
    for stage in recipe["stages"]:
        documents = stage["documents"]
        positions = documents["length"] * documents["rows"] * documents["micro_batches"]
        steps = -(-stage["hyperparameters"]["tokens"] // positions)
        tokens_before.append((steps, positions, stage["name"]))

    def place(step):
        """Positions read and the stage, after so many steps."""
        total = 0
        for steps, positions, name in tokens_before:
            if step <= steps:
                return total + step * positions, name
            total, step = total + steps * positions, step - steps
        return total, name

    losses = {}
    for line in path.open():
        report = json.loads(line)
        if "held_out_loss" in report:
            losses[report["step"]] = report["held_out_loss"]
    steps = sorted(losses)
    chosen = steps[:: max(len(steps) // CURVE_ROWS, 1)] + steps[-1:] * (len(steps) > 0)
    rows = []
    for step in dict.fromkeys(chosen):
        positions, name = place(step)
        rows.append([f"{positions:,}", step, name, f"{losses[step]:.4f}"])
    return table(["tokens", "steps", "stage", "held-out loss"], rows)


def share(pair):
    return f"{pair[0]}/{pair[1]} ({100 * pair[0] / pair[1]:.0f} %)" if pair else ""


def text(folder):
    """The card of the model in `folder`."""
    recipe = json.loads((folder / "recipe.json").read_text())
    config = json.loads((folder / "fp8/config.json").read_text())
    results = {name: json.loads((folder / f"evaluation-{name}.json").read_text())["groups"] for name in ("bf16", "fp8")}
    # Other prompts, if they were asked.
    others = folder / "confirmation-fp8.json"
    results["others"] = json.loads(others.read_text())["groups"] if others.exists() else {}
    needles = {name: json.loads((folder / f"needle-{name}.json").read_text())["lengths"] for name in ("bf16", "fp8")}
    total, active = parameters(folder / "bf16/model.safetensors")
    stages = [
        [
            stage["name"],
            f"{stage['hyperparameters']['tokens']:,}",
            stage["documents"]["length"],
            stage["documents"]["packing"],
        ]
        for stage in recipe["stages"]
    ]
    return (
        (HERE / "card.md")
        .read_text()
        .format(
            parameters=total,
            active=active,
            layers=config["num_hidden_layers"],
            dense=config["intermediate_size"],
            hidden=config["hidden_size"],
            window=config["sliding_window"],
            experts=config["num_experts"],
            expert_width=config["moe_intermediate_size"],
            vocabulary=config["vocab_size"],
            megabytes=(folder / "fp8/model.safetensors").stat().st_size / 1e6,
            stages=table(["stage", "tokens", "row", "packing"], stages),
            curve=curve(folder / "run/log.jsonl", recipe),
            table=table(
                ["group", "BF16", "FP8", "FP8, other prompts"],
                [
                    [group, *(share(results[name].get(group)) for name in ("bf16", "fp8", "others"))]
                    for group in results["fp8"]
                ],
            ),
            needles=table(
                ["length", "BF16", "FP8"],
                [
                    [
                        row["length"],
                        *(
                            share((each["found"], each["samples"]) if each["samples"] else None)
                            for each in (other, row)
                        ),
                    ]
                    for other, row in zip(needles["bf16"], needles["fp8"])
                ],
            ),
        )
    )
