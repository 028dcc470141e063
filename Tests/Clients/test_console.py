"""`trinity chat` and `trinity complete`, as somebody types."""

import signal
import subprocess

import pytest
from trinity_server import BINARY, CHAT_MODEL, REPOSITORY


def run(*arguments, text=""):
    return subprocess.run([REPOSITORY / BINARY, *arguments], input=text, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)


def test_a_conversation():
    result = run("chat", "--model", CHAT_MODEL, "--temperature", "0", "--threads", "1", text="What is 12 + 30?\n/history\n")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "12 + 30 = 42.\nuser: What is 12 + 30?\nassistant: 12 + 30 = 42.\n\n"


def test_a_text_goes_on_repeatably():
    arguments = ("complete", "--model", CHAT_MODEL, "--max-tokens", "12", "--seed", "7", "--threads", "1")
    first, second = run(*arguments, "Once upon a time"), run(*arguments, text="Once upon a time")
    assert first.returncode == 0 and first.stdout == second.stdout and len(first.stdout) > 10


def test_what_is_wrong_is_told():
    result = run("complete", "x", "--temperature", "3")
    assert result.returncode == 1 and "temperature" in result.stderr
    assert run("chat", "--model", "/nonexistent").returncode != 0
    # Before the first message.
    for option, value in [("--reasoning-effort", "zzz"), ("--temperature", "-1")]:
        result = run("chat", "--model", CHAT_MODEL, "--threads", "1", option, value)
        assert result.returncode == 1 and option[2:].replace("-", "_") in result.stderr and not result.stdout, result.stderr
    assert run("chat", "--threads", "none").returncode == 64


@pytest.mark.parametrize(
    "arguments",
    [
        ("complete", "--model", CHAT_MODEL, "--max-tokens", "1", "x"),
        ("bench", "--model", CHAT_MODEL, "--quick", "--contexts", "16"),
        ("evaluate", CHAT_MODEL, "--reference", CHAT_MODEL, "--text", "README.md", "--context", "16", "--windows", "1"),
        ("train", "deploy/recipes/first-run/recipe.json", "--dry-run", "--flops", "100"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_more_threads_than_cpus_are_reduced(arguments):
    result = run(*arguments, "--threads", "1000")
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("--threads 1000 reduced to") == 1, result.stderr


# Several times, since what an interrupted call left behind once kept the chat from ending, mostly.
@pytest.mark.parametrize("attempt", range(4))
def test_an_interrupt_ends_the_reply_and_not_the_chat(attempt):
    # A reply of several hundred characters.
    arguments = ["chat", "--model", CHAT_MODEL, "--threads", "1", "--seed", "5", "--temperature", "1.5"]
    question = "Tell me a story.\n"
    whole = run(*arguments, text=question).stdout.strip()
    chat = subprocess.Popen(
        [REPOSITORY / BINARY, *arguments], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    chat.stdin.write(question)
    chat.stdin.flush()
    assert chat.stdout.read(1) == whole[0]
    chat.send_signal(signal.SIGINT)
    try:
        output, _ = chat.communicate("/history\n", timeout=60)
    finally:
        chat.kill()
    assert chat.returncode == 0
    beginning = output.split("user: Tell me a story.\nassistant: ")[1].strip()
    assert whole.startswith(beginning) and len(beginning) < len(whole)


def test_an_interrupt_between_replies_ends_the_chat():
    chat = subprocess.Popen(
        [REPOSITORY / BINARY, "chat", "--model", CHAT_MODEL, "--threads", "1", "--temperature", "0"], cwd=REPOSITORY,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with chat:
        chat.stdin.write("What is 12 + 30?\n/history\n")
        chat.stdin.flush()
        assert [chat.stdout.readline() for _ in range(3)][-1].startswith("assistant: ")
        chat.send_signal(signal.SIGINT)
        assert chat.wait(20) == 130
