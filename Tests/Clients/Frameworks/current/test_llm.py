"""Simon Willison's llm with an entry of extra-openai-models.yaml and no plugin: answers, a schema, a tool, a continued chat."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

LLM = pathlib.Path(sys.executable).parent / "llm"


@pytest.fixture
def ask(base_url, tmp_path):
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([
        {"model_id": "chat", "model_name": "trinity-tiny", "api_base": base_url, "supports_schema": True, "supports_tools": True},
        {"model_id": "plain", "model_name": "trinity-tiny", "api_base": base_url, "completion": True}]))

    def run(*arguments):
        result = subprocess.run(
            [LLM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, cwd=tmp_path,
            env=os.environ | {"LLM_USER_PATH": str(tmp_path), "HOME": str(tmp_path)})
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout.strip()

    return run


@pytest.mark.parametrize("stream", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_an_answer(ask, stream):
    assert ask("-m", "chat", *stream, "-o", "temperature", "0", "What is 12 + 30?").endswith("12 + 30 = 42.")


def test_a_completion(ask):
    assert ask("-m", "plain", "-o", "max_tokens", "10", "Once upon a time")


def test_a_schema_binds_the_answer(ask):
    reply = json.loads(ask("-m", "chat", "--schema", "name, age int", "Tom is 7 years old."))
    assert isinstance(reply["name"], str) and isinstance(reply["age"], int)


def test_a_tool_is_called(ask):
    code = "def get_weather(city: str) -> str:\n    'Get the weather of a city'\n    return 'rainy'\n"
    assert "rain" in ask("-m", "chat", "-o", "temperature", "0", "--functions", code, "What is the weather in Paris?")


def test_a_chat_goes_on(ask):
    assert ask("-m", "chat", "My name is Tom.")
    assert ask("-m", "chat", "-c", "What is my name?")
