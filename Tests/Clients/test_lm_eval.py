"""lm-eval on small local tasks, with the server's tokenizer and with the model folder's own."""

import json
import os
import subprocess
import sys

import pytest
from trinity_server import CHAT_MODEL

QUESTIONS = [
    {"question": "Once upon a time, there was a little", "choices": [" girl", " xylophone"], "answer": 0},
    {"question": "They went to the park to", "choices": [" play", " quantum"], "answer": 0},
    {"question": "The dog was very", "choices": [" 17", " happy"], "answer": 1},
]
DATA = "dataset_path: json\ndataset_kwargs: {{ data_files: {{ test: {path} }} }}\ntest_split: test\n"
CHOICE = """task: local_choice
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list: [{ metric: acc, aggregation: mean, higher_is_better: true }]
"""
CONTINUE = """task: local_continue
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: ""
generation_kwargs: { until: ["\\n", "."], max_gen_toks: 12 }
metric_list: [{ metric: exact_match, aggregation: mean, higher_is_better: true }]
"""


def evaluate(server, folder, name, tokenizer):
    arguments = f"model=trinity-tiny,base_url={server.url}/v1/completions,num_concurrent=2,max_length=512{tokenizer}"
    command = [sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args", arguments]
    return run_tasks(command, folder, name, "local_choice,local_continue")


def run_tasks(command, folder, name, names):
    """Results by task, and the replies by first question and kind of task."""
    command = [*command, "--tasks", names, "--include_path", folder, "--output_path", folder / name, "--log_samples"]
    # Nothing is to be fetched: what is not there is an error.
    offline = {variable: "1" for variable in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"]}
    run = subprocess.run(
        list(map(str, command)),
        env=os.environ | offline | {"HF_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
    )
    assert run.returncode == 0, run.stderr
    [results] = (folder / name).rglob("results_*.json")
    samples = {}
    for file in (folder / name).rglob("samples_*.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        samples[lines[0]["doc"]["question"], "choice" in file.name] = [line["resps"] for line in lines]
    return json.loads(results.read_text())["results"], samples


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm-eval")
    (folder / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in QUESTIONS))
    for name, task in [("choice", CHOICE), ("continue", CONTINUE)]:
        (folder / f"{name}.yaml").write_text(DATA.format(path=folder / "questions.jsonl") + task)
    return folder


def test_both_tokenizers_come_to_the_same(server, tasks):
    remote, remote_samples = evaluate(server, tasks, "remote", "")
    local, local_samples = evaluate(
        server, tasks, "local", f",tokenizer_backend=huggingface,tokenizer={CHAT_MODEL}"
    )
    assert remote["local_choice"]["acc,none"] == 1
    assert remote == local
    # Log-probabilities, whether they are the greedy choice's, and texts, all to the last digit.
    assert remote_samples == local_samples and len(remote_samples) == 2


def test_chats_are_asked_for_the_same_questions(server, tasks):
    """Chats have no log-probabilities of the prompt: what is generated is judged."""
    run = [sys.executable, "-m", "lm_eval", "--model", "local-chat-completions", "--apply_chat_template"]
    run += ["--model_args", f"model=trinity-tiny,base_url={server.url}/v1/chat/completions,num_concurrent=2"]
    _, samples = run_tasks(run, tasks, "chat", "local_continue")
    [replies] = samples.values()
    assert len(replies) == len(QUESTIONS) and all(isinstance(reply, str) for [[reply]] in replies)
