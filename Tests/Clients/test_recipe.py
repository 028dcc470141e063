"""The generators of the default model's data."""

import collections
import json
import re
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
    kinds = ("pretraining", "extension", "tuning", "practice", "review", "heldout", "evaluation", "confirmation")
    assert names == {f"{name}.jsonl" for name in kinds}
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_no_question_of_the_evaluation_is_trained(folders):
    import conversations

    # Words alone: another mark or case is no other question.
    trained = {
        conversations.normalized(message["content"])
        for stage in ("pretraining", "extension", "tuning", "practice", "review") for line in lines(folders[0] / f"{stage}.jsonl")
        for message in line.get("messages", []) if message["role"] == "user"}
    assert len(trained) > 100
    for name in ("evaluation", "confirmation"):
        prompts = lines(folders[0] / f"{name}.jsonl")
        assert len(prompts) > 5000
        for prompt in prompts:
            text = prompt["messages"][prompt["asks"]]["content"]
            assert conversations.normalized(text) not in trained, text


def test_two_evaluations_have_the_same_groups_and_other_prompts(folders):
    prompts = [lines(folders[0] / f"{name}.jsonl") for name in ("evaluation", "confirmation")]
    groups = [{prompt["group"] for prompt in part} for part in prompts]
    assert groups[0] == groups[1] and len(groups[0]) > 40
    for group in ("table", "reading", "needle in 300 tokens", "tool with many rows: call"):
        texts = [{prompt["messages"][-1]["content"] for prompt in part if prompt["group"] == group} for part in prompts]
        assert len(texts[0] & texts[1]) < 10, group


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


def test_the_answer_of_a_tool_may_have_all_of_its_result():
    import evaluate

    prompt = {
        "group": "tools", "check": ["contains", "05:03"], "asks": 0,
        "messages": [{"role": "user", "content": "What time is it in Bern?"}, {"role": "tool", "content": "05:03"}]}

    class Server:
        reply = "It is 05:03 in Bern."

        def message(self, prompt):
            return {"content": self.reply}

    assert evaluate.evaluate(Server(), [prompt])["groups"] == {"tools": [1, 1]}
    Server.reply = "What time is it in Bern? 05:03"
    assert evaluate.evaluate(Server(), [prompt])["groups"] == {"tools": [0, 1]}


def test_an_answer_from_a_table_quotes_its_row():
    import evaluate
    import language
    import lookups

    language.R.seed(3)
    columns = list(lookups.COLUMNS)
    for _ in range(300):
        rows = lookups.rows_of(6, columns[:4])
        text, quotes = lookups.written(rows)
        turn = lookups.row_turn(rows, quotes)
        assert turn.worked == f"{turn.reasoning}\n\n{turn.answer}"
        head, _, line = turn.reasoning.rpartition("\n")
        assert line in text and text.startswith(head)
        _, value = turn.check
        assert value in line
        # The quote alone is no answer.
        wrong = f"{turn.reasoning}\n\nI do not know."
        assert not evaluate.judged({"content": wrong}, turn.check, turn.user)[""]


def test_the_practice_quotes_what_answers_the_question():
    import evaluate
    import language
    import practice

    language.R.seed(5)
    untold = read = by_value = 0
    for _ in range(300):
        for turns in (practice.table(3), practice.reading(5)):
            text = turns[0].user
            assert len({turn.user for turn in turns}) == len(turns)
            for turn in filter(lambda turn: turn.worked, turns):
                assert evaluate.judged({"content": turn.worked}, turn.check, turn.user)[""], turn
                quote = turn.reasoning.removeprefix("The text says: ")
                if turn.answer == "The text does not say.":
                    untold += 1
                    assert quote.removesuffix(" ...") not in re.sub(r"\S+ \S+ went to the \w+ in the morning", "", text), turn
                elif quote != turn.reasoning:
                    read += practice.is_backwards(turn.user.split("\n")[-1])
                    assert quote in text, turn
                elif turn.check[1] == turn.answer.split()[0]:
                    by_value += 1
                    # Each row with its value, up to the one that was asked for.
                    asked, *lines = quote.split("\n")
                    asked = asked.removesuffix("?")
                    rows = [line.removesuffix(f": {asked}") for line in lines]
                    assert asked in turn.user and [row for row, line in zip(rows, lines) if row != line] == rows[-1:], turn
                    assert all(row.rsplit(f": {asked.split()[0]} ", 1)[0] in text for row in rows), turn
    assert min(untold, read, by_value) > 100, (untold, read, by_value)


def test_tools_of_the_practice_are_told_apart_by_what_they_list():
    import language
    import practice

    language.R.seed(6)
    found = 0
    for _ in range(200):
        line = practice.tools_of_rows()
        names = [tool.get("function", tool)["name"] for tool in line["tools"]]
        assert len({name.split("_", 1)[-1] for name in names}) == len(names)
        for message in line["messages"]:
            if message.get("reasoning_content", "").startswith("I look for a tool: "):
                found += 1
                read = message["reasoning_content"].split(": ")[1].split(", ")
                assert read == names[: len(read)] and read[-1] == message["tool_calls"][0]["function"]["name"]
    assert found > 50
    # In the last stage, the thought does not name the tool.
    for _ in range(50):
        for message in practice.calls_of_rows()["messages"]:
            for call in message.get("tool_calls", []) if "reasoning_content" in message else []:
                is_listing = call["function"]["arguments"] == {}
                assert not is_listing or call["function"]["name"] not in message["reasoning_content"]


def test_needles_are_hidden_in_numbered_lines():
    import language
    import practice
    import words

    language.R.seed(7)
    patterns = set()
    for _ in range(100):
        first, second, *_ = practice.numbered_lines(100)
        pattern = re.sub(r"\d+", "#", first)
        assert re.sub(r"\d+", "#", second) == pattern and first != second
        patterns.add(pattern)
    assert len(patterns) > 50
    texts = [practice.needles()["messages"][0]["content"] for _ in range(100)]
    sentences = [collections.Counter(re.split(r"(?<=\.)\s", re.sub(r"\d+", "#", text))) for text in texts]
    assert sum(max(counts.values()) > 10 for counts in sentences) > 20
    assert sum(any(f" of {city} is " in text or f" for {city} is" in text for city in words.CITIES) for text in texts) > 2


def test_the_words_before_questions_vary_and_are_not_those_of_the_evaluation():
    import conversations
    import language

    language.R.seed(4)
    found = [conversations.beginning() for _ in range(5000)]
    kept = set(map(conversations.normalized, conversations.KEPT_BEGINNINGS))
    assert len(set(found)) > 2000
    assert all(text.endswith(" ") and conversations.normalized(text) not in kept for text in found)


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


def test_a_scaled_recipe_has_schedules_that_fit_its_steps():
    import make_model

    for scale in (0.0001, 0.002, 0.01, 0.5):
        recipe = make_model.scaled(json.loads((RECIPE / "recipe.json").read_text()), scale)
        for stage in recipe["stages"]:
            documents, numbers = stage["documents"], stage["hyperparameters"]
            steps = -(-numbers["tokens"] // (documents["length"] * documents["rows"] * documents["micro_batches"]))
            warmup, decay = numbers["schedule"]["warmup"], numbers["schedule"]["decay"]
            assert min(warmup, decay) >= 0 and warmup + decay <= steps, (scale, stage)
            assert decay > 0 or scale < 0.01, (scale, stage)


def test_a_model_is_trained_when_its_folder_is_whole(tmp_path, monkeypatch):
    import make_model

    # A run that was killed before its last file.
    (tmp_path / "model/run").mkdir(parents=True)
    (tmp_path / "model/run/model.safetensors").write_text("")
    (tmp_path / "model/data").mkdir()
    (tmp_path / "model/data/evaluation.jsonl").write_text("")
    commands = []
    monkeypatch.setattr(make_model, "run", lambda *command: commands.append([str(part) for part in command]))
    monkeypatch.setattr(sys, "argv", ["make_model.py", "--folder", str(tmp_path / "model"), "--binary", "trinity"])
    # A folder of an earlier version has no prompts for the confirmation.
    with pytest.raises(SystemExit, match="data was interrupted"):
        make_model.main()
    assert len(commands) == 1 and commands.pop()[1].endswith("make_data.py")
    (tmp_path / "model/data/confirmation.jsonl").write_text("")
    with pytest.raises(SystemExit, match="training was interrupted"):
        make_model.main()
    assert len(commands) == 1 and commands[0][1] == "train"


def test_a_server_that_does_not_start_leaves_no_process(tmp_path, monkeypatch):
    import evaluate

    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    server = evaluate.Server(program, tmp_path, subprocess.DEVNULL)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate.urllib.request, "urlopen", interrupt)
    with pytest.raises(KeyboardInterrupt):
        server.__enter__()
    assert server.process.poll() is not None
