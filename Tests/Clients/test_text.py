"""What programs without a tokenizer of their own ask for, as lm-eval and vLLM's clients do."""

import json
import subprocess

from trinity_server import BINARY, CHAT_MODEL, FIXTURES, REPOSITORY

SCRIPT = REPOSITORY / BINARY


def test_a_remote_tokenizer(server):
    info = server.get("/tokenizer_info").json
    assert info["eos_token"] == "<|im_end|>" and info["chat_template"]
    end = server.post("/tokenize", {"prompt": info["eos_token"], "add_special_tokens": False}).json["tokens"]
    assert len(end) == 1
    text = "Who is Ruby?\n naïve 🦊"
    tokens = server.post("/tokenize", {"prompt": text, "add_special_tokens": False}).json["tokens"]
    assert server.post("/detokenize", {"tokens": tokens}).json["prompt"] == text


def test_a_rendered_chat_completes_like_the_chat(server, client):
    messages = [{"role": "user", "content": "Hello <|im_end|>"}]
    rendered = server.post("/v1/chat/completions/render", {"messages": messages}).json
    chat = client.chat.completions.create(model="trinity-tiny", messages=messages, temperature=0, max_tokens=8)
    plain = client.completions.create(model="trinity-tiny", prompt=rendered["token_ids"], temperature=0, max_tokens=8)
    assert chat.choices[0].message.content == plain.choices[0].text
    assert chat.usage.prompt_tokens == rendered["count"]


def script(*arguments, lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    run = subprocess.run([SCRIPT, *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.split("\n")[:-1]]


def test_render_answers_every_vector():
    file = json.loads((FIXTURES / "text/chat_templates/templates.json").read_text())
    for template in file["templates"]:
        path = FIXTURES / "text/chat_templates" / (template["template_name"] + ".jinja")
        answers = script("render", "--template", path, "--now", file["now"],
                         lines=[case["context"] for case in template["cases"]])
        for answer, case in zip(answers, template["cases"], strict=True):
            assert answer.get("text") == case.get("text")
            if case.get("error_type") == "TemplateError":
                assert (answer["error_type"], answer["error"]) == ("TemplateError", case["error"])


def test_tokenize_answers_every_vector():
    folder = FIXTURES / "text/tokenizers/llama3_like"
    cases = json.loads((folder / "vectors.json").read_text())["cases"]
    answers = script("tokenize", "--tokenizer", folder, lines=[{"text": case["text"]} for case in cases])
    assert [answer["ids"] for answer in answers] == [case["ids"] for case in cases]


def test_a_script_answers_each_line_at_once():
    with subprocess.Popen([SCRIPT, "tokenize", "--tokenizer", CHAT_MODEL], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for line in ['{"text": "a"}', "nonsense", '{"ids": [5]}']:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_a_script_that_cannot_load_fails():
    for arguments in [("tokenize", "--tokenizer", "/nonexistent"), ("render", "--template", "/nonexistent")]:
        run = subprocess.run([SCRIPT, *arguments], input="", capture_output=True, text=True, timeout=60)
        assert run.returncode != 0 and "nonexistent" in run.stderr
