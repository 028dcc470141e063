"""shell-gpt: an answer that is streamed to the terminal, a shell command, and a chat that is continued."""

import os
import pathlib
import subprocess
import sys

import pytest

SGPT = pathlib.Path(sys.executable).parent / "sgpt"


@pytest.fixture
def ask(base_url, tmp_path):
    def run(*arguments):
        result = subprocess.run(
            [SGPT, "--no-cache", "--no-md", "--temperature", "0", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120, cwd=tmp_path, env=os.environ | {
                "HOME": str(tmp_path), "API_BASE_URL": base_url, "DEFAULT_MODEL": "trinity-tiny", "USE_LITELLM": "false",
                "PRETTIFY_MARKDOWN": "false", "OS_NAME": "Linux", "SHELL_NAME": "bash", "CHAT_CACHE_PATH": str(tmp_path / "chats"),
                "CACHE_PATH": str(tmp_path / "cache")})
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout.strip()

    return run


def test_an_answer(ask):
    assert ask("What is 12 + 30?")


def test_a_shell_command(ask):
    assert ask("--shell", "--no-interaction", "list files")


def test_a_chat_goes_on(ask):
    assert ask("--chat", "one", "My name is Tom.")
    assert ask("--chat", "one", "What is my name?")
    assert "What is my name?" in ask("--show-chat", "one")
