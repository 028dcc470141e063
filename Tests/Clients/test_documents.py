"""The examples of the README and of docs/api.md, run as a reader would, against a server on a port of its own."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from trinity_server import BINARY, REPOSITORY

DOCUMENTS = ["README.md", "docs/api.md"]
# Where the documents say that the server is.
PUBLISHED = "http://127.0.0.1:8000"


def blocks(language):
    """Each code block of the language, named by its document and the heading above it."""
    for document in DOCUMENTS:
        text = (REPOSITORY / document).read_text()
        for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            heading = re.findall(r"^#+ (.*)$", text[:match.start()], re.MULTILINE)[-1]
            yield pytest.param(match[1], id=f"{document}: {heading}")


def commands(prefix):
    """The commands of the shell blocks that begin with the prefix; lines belong together while a quote is open."""
    for block in blocks("sh"):
        command = ""
        for line in block.values[0].splitlines():
            command += line + "\n"
            try:
                words = shlex.split(command, comments=True)
            except ValueError:  # a quote is open
                continue
            if words and not command.rstrip().endswith("\\"):
                if words[0] == prefix:
                    yield pytest.param(words, id=f"{block.id}: {' '.join(words[1:3])}")
                command = ""


def run(command, server):
    command = [word.replace(PUBLISHED, server.url) for word in command]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=REPOSITORY)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


@pytest.mark.parametrize("program", list(blocks("python")))
def test_a_program_of_the_documents_prints_an_answer(server, program):
    assert PUBLISHED in program
    assert run([sys.executable, "-c", program], server).strip()


@pytest.mark.parametrize("command", list(commands("curl")))
def test_a_curl_of_the_documents_is_answered(server, command):
    output = run([*command, "--silent", "--show-error", "--fail-with-body"], server)
    assert '"choices":[{' in output


def test_the_first_request_of_the_readme_is_answered_as_it_says(server):
    """The same question by curl and by the Python client has the capital of Japan in its answer."""
    readme = [block for block in blocks("python") if block.id.startswith("README.md")]
    curl = [command for command in commands("curl") if command.id.startswith("README.md")]
    assert len(readme) == len(curl) == 1
    assert "Tokyo" in run([sys.executable, "-c", readme[0].values[0]], server)
    assert "Tokyo" in run([*curl[0].values[0], "--silent"], server)


def test_commands_of_the_documents_are_found():
    """The README's make targets exist, and so do the options of `trinity serve` in it."""
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = [words.values[0][1] for words in commands("make")]
    assert {"serve", "test", "build"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    served = list(commands(".build/release/trinity"))
    assert served
    for command in served:
        arguments = command.values[0][1:]
        assert arguments[0] == "serve"
        # `config` checks the options as `serve` would.
        outcome = subprocess.run(
            [REPOSITORY / BINARY, "config", *arguments[1:]], capture_output=True, text=True, timeout=30,
            env={name: value for name, value in os.environ.items() if not name.startswith("TRINITY_")})
        assert outcome.returncode == 0, outcome.stderr


def test_the_versions_of_programs_in_the_documents_are_those_that_are_tested():
    pins = {}
    for file in (REPOSITORY / "Tests/Clients").rglob("requirements.txt"):
        for name, version in re.findall(r"^([\w-]+)(?:\[.*\])?[~=]=(.+)$", file.read_text(), re.MULTILINE):
            pins.setdefault(name, set()).add(version)
    rows = re.findall(r"^\| ([^|]+) \| ([\d., ]+) \|", (REPOSITORY / "docs/clients.md").read_text(), re.MULTILINE)
    packages = {
        "haystack": "haystack-ai", "aider": "aider-chat", "Semantic Kernel": "semantic-kernel", "pydantic-ai": "pydantic-ai-slim",
        "llama-index (`llms-openai-like`)": "llama-index-llms-openai-like",
        "llama-index (`embeddings-openai-like`)": "llama-index-embeddings-openai-like"}
    assert len(rows) > 20
    for program, versions in rows:
        name = re.sub(r" \(Python\).*| as a proxy", "", program)
        assert set(versions.split(", ")) <= pins[packages.get(name, name)], program
    named = {packages.get(name, name) for name in (re.sub(r" \(Python\).*| as a proxy", "", row[0]) for row in rows)}
    tools = {"prometheus-client", "pytest"}
    frameworks = {
        name for file in (REPOSITORY / "Tests/Clients/Frameworks").rglob("requirements.txt")
        for name in re.findall(r"^([\w-]+)(?:\[.*\])?[~=]=", file.read_text(), re.MULTILINE)}
    assert frameworks - tools == named - {"lm-eval"}
