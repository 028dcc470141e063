"""`trinity chat` and `trinity complete`, as somebody types."""

import signal
import subprocess
import time

from trinity_server import BINARY, REPOSITORY


def run(*arguments, text=""):
    return subprocess.run([REPOSITORY / BINARY, *arguments], input=text, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)


def test_a_conversation():
    result = run("chat", "--temperature", "0", "--threads", "1", text="What is 12 + 30?\n/history\n")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "12 + 30 = 42.\nuser: What is 12 + 30?\nassistant: 12 + 30 = 42.\n\n"


def test_a_text_goes_on_repeatably():
    arguments = ("complete", "--max-tokens", "12", "--seed", "7", "--threads", "1")
    first, second = run(*arguments, "Once upon a time"), run(*arguments, text="Once upon a time")
    assert first.returncode == 0 and first.stdout == second.stdout and len(first.stdout) > 10


def test_what_is_wrong_is_told():
    result = run("complete", "x", "--temperature", "3")
    assert result.returncode == 1 and "temperature" in result.stderr
    assert run("chat", "--model", "/nonexistent").returncode != 0
    assert run("chat", "--threads", "none").returncode == 64


def test_an_interrupt_ends_the_reply_and_not_the_chat():
    chat = subprocess.Popen(
        [REPOSITORY / BINARY, "chat", "--threads", "1", "--seed", "1", "--temperature", "2"], cwd=REPOSITORY,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True)
    chat.stdin.write("Tell me a story of a thousand words.\n")
    chat.stdin.flush()
    time.sleep(3)
    chat.send_signal(signal.SIGINT)
    output, _ = chat.communicate("/history\n", timeout=60)
    # Whether it was still talking or waiting for the next line.
    assert chat.returncode in (0, 130)
    assert chat.returncode == 130 or "user: Tell me a story" in output
