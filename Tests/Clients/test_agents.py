"""The real Codex and Claude Code against the chat model with a longer context, on a network that is a loopback only.

What each test shows: no request of the program is refused, and it prints the model's answer.
"""

import importlib.util
import json
import os
import pathlib
import subprocess

import pytest
from loopback_namespace import LoopbackNamespace, can_make_namespaces
from recording_proxy import RecordingProxy
from trinity_server import Server, copy_with_context

MODEL = "trinity-tiny"
# The agents' own instructions are some 17,000 tokens of this model's small vocabulary.
CONTEXT = 65_536

pytestmark = pytest.mark.skipif(
    not can_make_namespaces(), reason="a network namespace needs root, and the agents are not run on an open network")


def program(package, path):
    """The program that a Python package carries; the tests of it are skipped where the package cannot be had."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        pytest.skip(f"{package} is not installed: no package for this platform")
    return pathlib.Path(spec.submodule_search_locations[0]) / path


@pytest.fixture(scope="module")
def network():
    with LoopbackNamespace() as namespace:
        yield namespace


@pytest.fixture(scope="module")
def long_server(network, tmp_path_factory):
    """The chat model with room for the agents' instructions."""
    server = network.run(Server, "--model", copy_with_context(tmp_path_factory.mktemp("long") / MODEL, CONTEXT))
    network.run(server.wait_until_ready)
    yield server
    network.run(server.__exit__, None, None, None)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    return tmp_path


class Agent:
    """One of the programs, with a home and a working folder of its own."""

    def __init__(self, network, server, home):
        self.network, self.server, self.home = network, server, home
        self.exchanges = []

    def run(self, *arguments, edit=None):
        """What it prints. Every request that it made on the way must have been served."""
        return self.network.run(self._run, arguments, edit)

    def _run(self, arguments, edit):
        with RecordingProxy(self.server.port, edit) as proxy:
            result = subprocess.run(
                [self.binary, *self.arguments(proxy.url), *arguments], cwd=self.home / "work",
                env={"PATH": os.environ["PATH"], "HOME": str(self.home / "home"), **self.environment(proxy.url)},
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
        self.exchanges = proxy.exchanges
        report = f"{result.stdout}\n{result.stderr}"
        assert result.returncode == 0, report
        refused = [(each.path, each.status, each.body[:500]) for each in self.exchanges if each.status != 200]
        assert not refused and self.exchanges, f"{refused}\n{report}"
        return result.stdout


class Codex(Agent):
    @property
    def binary(self):
        return program("codex_cli_bin", "bin/codex")

    def arguments(self, url):
        provider = f'{{name = "Trinity", base_url = "{url}/v1", wire_api = "responses"}}'
        return [
            "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
            "-c", f'model="{MODEL}"', "-c", 'model_provider="trinity"', "-c", f"model_providers.trinity={provider}"]

    def environment(self, url):
        return {"CODEX_HOME": str(self.home / "home")}


class ClaudeCode(Agent):
    @property
    def binary(self):
        return program("claude_agent_sdk", "_bundled/claude")

    def arguments(self, url):
        return ["--print", "--model", MODEL, "--permission-mode", "acceptEdits", "--allowedTools=Bash(echo:*)"]

    def environment(self, url):
        return {
            "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            # Small requests of its own, such as a session's title, go to the same model.
            "ANTHROPIC_SMALL_FAST_MODEL": MODEL, "ANTHROPIC_DEFAULT_HAIKU_MODEL": MODEL, "IS_SANDBOX": "1"}


@pytest.fixture
def codex(network, long_server, home):
    return Codex(network, long_server, home)


@pytest.fixture
def claude(network, long_server, home):
    return ClaudeCode(network, long_server, home)


def call_once(body, name, arguments, *, schema, tool_choice, is_result):
    """Makes the model's first answer a call of this tool with these arguments: a model this small would not think of it."""
    if any(is_result(item) for item in body.get("input", body.get("messages"))):
        return
    for tool in body["tools"]:
        if tool.get("name") == name:
            tool[schema] = {
                "type": "object", "properties": {key: {"const": value} for key, value in arguments.items()},
                "required": list(arguments), "additionalProperties": False}
            tool["strict"] = True
    body["tool_choice"] = tool_choice


def test_codex_gets_an_answer(codex):
    assert codex.run("Say hello").strip()


def test_codex_runs_a_command_for_the_model_and_tells_it_the_output(codex):
    def edit(path, body):
        call_once(
            body, "exec_command", {"cmd": "echo trinity-was-here"}, schema="parameters",
            tool_choice={"type": "function", "name": "exec_command"},
            is_result=lambda item: item["type"] == "function_call_output")

    assert codex.run("Run the command", edit=edit).strip()
    outputs = [
        item["output"] for item in codex.exchanges[-1].sent["input"] if item["type"] == "function_call_output"]
    assert len(outputs) == 1 and "trinity-was-here" in json.dumps(outputs)


def test_codex_resumes_a_session(codex):
    codex.run("Say hello")
    first = codex.exchanges[0].sent["input"]
    assert codex.run("resume", "--last", "And again").strip()
    second = codex.exchanges[0].sent["input"]
    assert len(second) > len(first)
    assert any(item.get("role") == "assistant" for item in second)


def test_claude_code_gets_an_answer(claude):
    assert claude.run("Say hello").strip()


def test_claude_code_runs_a_command_for_the_model_and_tells_it_the_output(claude):
    def is_result(message):
        return isinstance(message["content"], list) and any(
            block["type"] == "tool_result" for block in message["content"])

    def edit(path, body):
        if body.get("tools"):
            call_once(
                body, "Bash", {"command": "echo trinity-was-here", "description": "Greets"}, schema="input_schema",
                tool_choice={"type": "tool", "name": "Bash"}, is_result=is_result)

    assert claude.run("Run the command", edit=edit).strip()
    results = [message for message in claude.exchanges[-1].sent["messages"] if is_result(message)]
    assert len(results) == 1 and "trinity-was-here" in json.dumps(results)


def test_claude_code_resumes_a_session(claude):
    claude.run("Say hello")
    first = claude.exchanges[0].sent["messages"]
    assert claude.run("--continue", "And again").strip()
    second = claude.exchanges[0].sent["messages"]
    assert len(second) > len(first)
    assert any(message["role"] == "assistant" for message in second)


def test_a_header_that_changes_with_every_session_is_not_part_of_the_prompt(claude):
    """Its first system block names the build and the session; in the prompt it would defeat the prefix cache."""
    claude.run("Say hello")
    before = claude.network.run(claude.server.metric, "vllm:prefix_cache_hits_total")
    claude.run("Say hello")
    system = claude.exchanges[0].sent["system"]
    assert system[0]["text"].startswith("x-anthropic-billing-header:")
    assert claude.network.run(claude.server.metric, "vllm:prefix_cache_hits_total") - before > 10_000
