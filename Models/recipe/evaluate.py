"""Asks served models the prompts of the evaluation, and writes what was right by group.

    python3 Models/recipe/evaluate.py .build/model --model bf16=.build/model/bf16 --model fp8=.build/model/fp8

Starts `trinity serve` for each model, one after the other, asks at temperature 0, and runs `trinity needle` with 100 prompts a length.
Writes `evaluation-NAME.json` and `needle-NAME.json` for each model; what is there already is not asked again. With
`--prompts confirmation`, it asks the other prompts that `make_data.py` writes, and writes `confirmation-NAME.json`. A mix of data
that was chosen by the first prompts may look better with them than it is. Needs Python's standard library only.
"""

import argparse
import concurrent.futures
import json
import pathlib
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

from language import _parse

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
NEEDLE_LENGTHS = "512,1024,2048,4096,8192,16384"
NEEDLE_DEPTHS = "0,11,22,33,44,56,67,78,89,100"
MOST_TOKENS = 400
AT_ONCE = 16
# Characters of a question that the results keep.
LONGEST_QUESTION = 300


# MARK: Checks


def pattern(template):
    """A sentence pattern as a regular expression."""

    def expression(parts):
        texts = {
            str: re.escape,
            tuple: lambda part: ".+",
            list: lambda part: "(?:" + "|".join(map(expression, part)) + ")",
        }
        return "".join(texts[type(part)](part) for part in parts)

    return expression(_parse(template))


def is_story(text, wanted):
    """A story has some sentences, ends with a mark, does not repeat itself, and is about what was asked for."""
    sentences = re.split(r"(?<=[.!?])\s+", text)
    return (
        len(sentences) >= 5
        and text[-1:] in '.!?"'
        and len(set(sentences)) >= 0.8 * len(sentences)
        and wanted.lower() in text.lower()
    )


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def has(text, value):
    """Whether a value occurs as whole words: 57 is not in 157."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


CHECKS = {
    "exact": lambda text, value: text == value.strip(),
    "last number": lambda text, value: re.findall(r"-?\d+", text)[-1:] == [value],
    "last line": lambda text, value: text.split("\n")[-1] == value,
    "last line contains": lambda text, value: has(text.split("\n")[-1], value),
    "contains": has,
    "contains any": lambda text, value: any(has(text, part) for part in value),
    "contains all": lambda text, value: all(has(text, part) for part in value),
    "one of": lambda text, value: text in value,
    # A pattern may end with a space before an empty choice.
    "pattern": lambda text, value: any(re.fullmatch(pattern(value), text + end) for end in ("", " ")),
    "story": is_story,
    "json": lambda text, value: parsed(text) == json.loads(value),
    "json keys": lambda text, value: list(parsed(text) or {}) == value,
}


def judged(message, check, asked):
    """What was right in a reply: the parts of the group, and whether each is. A reply that repeats what was asked is wrong where a
    value only has to occur in it."""
    kind, value = check
    if kind != "call":
        text = (message.get("content") or "").strip()
        repeats = "contains" in kind and asked.strip() in text
        return {"": not repeats and CHECKS[kind](text, value)}
    calls = message.get("tool_calls") or []
    call = calls[0]["function"] if len(calls) == 1 else {}
    arguments = parsed(call.get("arguments") or "")
    return {
        "valid": isinstance(arguments, dict),
        "name": call.get("name") == value["name"],
        "exact": call.get("name") == value["name"] and arguments == value["arguments"],
    }


# MARK: The server


class Server:
    """`trinity serve` on a free port."""

    def __init__(self, binary, folder, log, options=()):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [
            binary,
            "serve",
            "--model",
            folder,
            "--port",
            str(self.port),
            "--served-model-name",
            "tiny",
            *options,
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self):
        try:
            for _ in range(1200):
                try:
                    urllib.request.urlopen(self.url + "/ready").read()
                    return self
                except OSError:
                    assert self.process.poll() is None, "the server ended; see its log"
                    time.sleep(0.05)
            raise AssertionError("the server is not ready")
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait()

    def post(self, path, body):
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        return json.loads(urllib.request.urlopen(request, timeout=600).read())

    def message(self, prompt):
        """The reply of the model; `None` for an error of the server."""
        body = {
            "model": "tiny",
            "messages": as_request(prompt["messages"]),
            "temperature": 0,
            "max_tokens": MOST_TOKENS,
        }
        body |= {name: prompt[name] for name in ("tools", "chat_template_kwargs") if name in prompt}
        try:
            return self.post("/v1/chat/completions", body)["choices"][0]["message"]
        except urllib.error.HTTPError as error:
            print(f"{error}: {error.read()[:300]!r}", flush=True)
            return None


def as_request(messages):
    """Messages as the API takes them: arguments of calls are text, and calls have names."""
    result = []
    for message in messages:
        message = dict(message)
        if "tool_calls" in message:
            message["tool_calls"] = [
                {
                    "id": f"call_{number}",
                    "type": "function",
                    "function": {
                        "name": call["function"]["name"],
                        "arguments": json.dumps(call["function"]["arguments"], ensure_ascii=False),
                    },
                }
                for number, call in enumerate(message["tool_calls"])
            ]
        if message["role"] == "tool":
            message["tool_call_id"] = "call_0"
        result.append(message)
    return result


def evaluate(server, prompts):
    """Right and asked by group, and the wrong replies."""
    groups, wrong = {}, []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for prompt, message in zip(prompts, pool.map(server.message, prompts)):
            asked = prompt["messages"][prompt["asks"]]["content"]
            for part, is_right in judged(message or {}, prompt["check"], asked).items():
                group = groups.setdefault(f"{prompt['group']} {part}".strip(), [0, 0])
                group[0] += bool(is_right)
                group[1] += 1
                if not is_right:
                    question = prompt["messages"][-1]["content"][-LONGEST_QUESTION:]
                    wrong.append(
                        {"group": prompt["group"], "question": question, "check": prompt["check"], "reply": message}
                    )
    return {"groups": groups, "wrong": wrong}


def needle(binary, url, result, samples):
    """Runs `trinity needle`; its result is there only if all was asked."""
    partial = result.with_suffix(".partial")
    options = ["--lengths", NEEDLE_LENGTHS, "--depths", NEEDLE_DEPTHS, "--samples", samples, "--digits", 4]
    options += ["--max-tokens", 64, "--json", partial, "--svg", result.with_suffix(".svg")]
    subprocess.run([str(part) for part in [binary, "needle", url, *options]], check=True)
    partial.replace(result)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="has the prompts in data, and gets the results")
    parser.add_argument("--model", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--binary", type=pathlib.Path, default=REPOSITORY / ".build/release/trinity")
    parser.add_argument("--prompts", choices=["evaluation", "confirmation"], default="evaluation", help="which prompts")
    parser.add_argument("--count", type=int, default=200, help="prompts of a group")
    parser.add_argument("--context", type=int, default=32768, help="tokens of a sequence that the server accepts")
    parser.add_argument("--needle-samples", type=int, default=10, help="prompts of each length and depth; 0: none")
    arguments = parser.parse_args()
    prompts, counts = [], {}
    for line in (arguments.folder / f"data/{arguments.prompts}.jsonl").open(encoding="utf-8"):
        prompt = json.loads(line)
        counts[prompt["group"]] = counts.get(prompt["group"], 0) + 1
        if counts[prompt["group"]] <= arguments.count:
            prompts.append(prompt)
    options = ["--max-model-len", str(arguments.context)]
    for model in arguments.model:
        name, folder = model.split("=", 1)
        results = arguments.folder / f"{arguments.prompts}-{name}.json"
        needles = arguments.folder / f"needle-{name}.json"
        log = open(arguments.folder / f"serve-{arguments.prompts}-{name}.log", "w")
        with log, Server(arguments.binary, folder, log, options) as server:
            if not results.exists():
                found = evaluate(server, prompts)
                partial = results.with_suffix(".partial")
                partial.write_text(json.dumps(found, ensure_ascii=False, indent=1))
                partial.replace(results)
            if not needles.exists() and arguments.needle_samples > 0:
                needle(arguments.binary, server.url, needles, arguments.needle_samples)
        for group, (right, asked) in json.loads(results.read_text())["groups"].items():
            print(f"{name}  {group:42s} {right:4d} of {asked:3d}  {100 * right / asked:5.1f} %")


if __name__ == "__main__":
    main()
