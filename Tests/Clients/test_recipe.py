"""The generators of the default model's data."""

import json
import struct
import subprocess
import sys

import pytest
from trinity_server import REPOSITORY

RECIPE = REPOSITORY / "Models" / "recipe"
sys.path.insert(0, str(RECIPE))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same small data, written by one process and by three."""
    folders = []
    for processes in (1, 3):
        folders.append(tmp_path_factory.mktemp("data"))
        subprocess.run(
            [sys.executable, RECIPE / "make_data.py", folders[-1], "--scale", "0.003", "--processes", str(processes)],
            check=True, timeout=120)
    return folders


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_data_does_not_depend_on_the_processes(folders):
    names = {path.name for path in folders[0].iterdir()}
    assert names == {f"{name}.jsonl" for name in ("pretraining", "extension", "tuning", "heldout", "evaluation")}
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_no_question_of_the_evaluation_is_trained(folders):
    trained = "\n".join(
        message["content"] for stage in ("pretraining", "extension", "tuning") for line in lines(folders[0] / f"{stage}.jsonl")
        for message in line.get("messages", []) if message["role"] == "user")
    prompts = lines(folders[0] / "evaluation.jsonl")
    assert len(prompts) > 5000
    for prompt in prompts:
        text = prompt["messages"][prompt["asks"]]["content"]
        # Whole messages; `2 + 2` is a part of `12 + 25`.
        assert f"\n{text}\n" not in trained, text


def test_the_answers_of_the_generators_pass_their_own_checks():
    import evaluate
    import evaluation
    import language

    language.R.seed(1)
    for group, make in evaluation.TURNS.items():
        for _ in range(100):
            made = make()
            turn = made[0] if isinstance(made, list) else made
            if turn.check[0] == "none":
                continue
            for answer in filter(None, (turn.answer, turn.worked)):
                assert evaluate.judged({"content": answer}, turn.check, turn.user)[""], (group, answer, turn.check)
            # A sum such as 0 + 7 ends with its result.
            for wrong in ("no", *([turn.user] if turn.check[0].startswith("contains") else [])):
                assert not evaluate.judged({"content": wrong}, turn.check, turn.user)[""], (group, wrong, turn.check)
    assert not evaluate.judged({"content": "The price is 157."}, ("contains", "57"), "How much?")[""]


def test_sums_and_sorts_are_written_out_rightly():
    import language
    import lists
    import sums

    assert sums.subtraction(302, 118) == (
        "ones: 2 - 8 < 0, 12 - 8 = 4, put 4, borrow 1\ntens: 0 - 1 - 1 < 0, 10 - 1 - 1 = 8, put 8, borrow 1\n"
        "hundreds: 3 - 1 - 1 = 1, put 1\nresult: 184")
    assert lists.selection(["t", "a", "m"], ["tree", "ant", "map"]) == (
        "t tree, a ant, m map\nt, a, m: a ant\nt, m: m map\nt: t tree")
    language.R.seed(2)
    for _ in range(300):
        for write, value in ((sums.addition, lambda a, b: a + b), (sums.subtraction, lambda a, b: a - b)):
            a, b = sorted((language.number(4), language.number(3)), reverse=True)
            steps = write(a, b).split("\n")
            digits = [line.split("put ")[1][0] for line in steps[:-1]]
            assert int("".join(reversed(digits))) == value(a, b) and steps[-1] == f"result: {value(a, b)}"
            for line in steps[:-1]:
                for equation in line.split(": ")[1].split(", "):
                    if " = " in equation:
                        assert eval(equation.replace(" = ", " == ")), line
        turn = lists.sort_words()
        assert turn.answer.split(", ") == sorted(turn.user.split(": ")[1].split(", "))


def test_numbers_are_rounded_to_bfloat16_as_ieee_754_says():
    import make_model

    # Two numbers that are halfway between neighbours go to the even one.
    for number, bits in ((1.0, 0x3F80), (-2.5, 0xC020), (1.00390625, 0x3F80), (1.01171875, 0x3F82), (1.004, 0x3F81), (0.0, 0)):
        assert make_model.bfloat16(struct.pack("<f", number)) == struct.pack("<H", bits), number


def test_a_scaled_recipe_has_schedules_that_fit_its_steps():
    import make_model

    recipe = make_model.scaled(json.loads((RECIPE / "recipe.json").read_text()), 0.002)
    for stage in recipe["stages"]:
        documents, numbers = stage["documents"], stage["hyperparameters"]
        steps = -(-numbers["tokens"] // (documents["length"] * documents["rows"] * documents["micro_batches"]))
        assert 0 < numbers["schedule"]["warmup"] + numbers["schedule"]["decay"] <= steps or steps == 1, stage
