"""The process: its arguments, models without a tokenizer, and how it ends."""

import contextlib
import json
import os
import signal
import subprocess
import threading

import openai
import pytest
from trinity_server import BINARY, CHAT_MODEL, FIXTURES, REPOSITORY, Server


def run(*arguments):
    return subprocess.run(
        [REPOSITORY / BINARY, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=30)


def test_the_version_is_the_one_that_the_api_tells():
    with Server() as server:
        assert server.get("/version").json["version"] == run("--version").stdout.strip()


def test_the_help_names_every_option():
    outcome = run("serve", "--help")
    assert outcome.returncode == 0
    for option in ("model", "host", "port", "served-model-name", "threads", "max-model-len", "max-num-seqs",
                   "max-num-batched-tokens", "max-num-queued-seqs", "kv-cache-memory-bytes", "kv-cache-dtype", "compute",
                   "kernels", "quantization", "log-level", "log-format", "shutdown-timeout"):
        assert f"--{option} " in outcome.stdout


@pytest.mark.parametrize(("arguments", "named", "code"), [
    (["--compute", "slow"], "compute", 64), (["--model", "/nowhere"], "/nowhere", 1),
    (["--port", "99999"], "port", 64), (["--kv-cache-dtype", "f8"], "kv-cache-dtype", 64),
], ids=lambda value: value if isinstance(value, str) else None)
def test_an_argument_that_cannot_be_served_is_refused_by_name(arguments, named, code):
    outcome = run("serve", *arguments)
    assert outcome.returncode == code
    assert named in outcome.stderr + outcome.stdout


def test_a_bad_value_comes_with_the_usage_of_the_command():
    assert "trinity serve --help" in run("serve", "--port", "http").stderr


def test_a_model_without_a_tokenizer_is_served_for_ids():
    goldens = json.loads((FIXTURES / "model" / "a_base" / "goldens.json").read_text())["prompts"]
    with Server("--model", FIXTURES / "model" / "a_base", "--served-model-name", "ids") as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
        completion = client.completions.create(
            model="ids", prompt=[golden["prompt_ids"] for golden in goldens], temperature=0, max_tokens=48, logprobs=1,
            extra_body={"return_token_ids": True, "ignore_eos": True})
        for choice, golden in zip(completion.choices, goldens, strict=True):
            assert choice.token_ids == golden["greedy_ids"]
            assert choice.prompt_token_ids == golden["prompt_ids"]
            assert choice.logprobs.tokens == [f"token_id:{id}" for id in golden["greedy_ids"]]
        with pytest.raises(openai.BadRequestError):
            client.completions.create(model="ids", prompt="Hello!")
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="ids", messages=[{"role": "user", "content": "Hello!"}])


def test_a_termination_lets_streams_finish_and_refuses_new_requests():
    with Server(environment={"TRINITY_MAX_MODEL_LEN": "1024", "TRINITY_PORT": "1"}) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120)
        arguments = dict(model="trinity-tiny", prompt="Once upon a time", temperature=0)
        stream = client.completions.create(
            **arguments, max_tokens=1000, stream=True, stream_options={"include_usage": True},
            extra_body={"ignore_eos": True})
        next(iter(stream))
        server.terminate()
        with pytest.raises(openai.InternalServerError) as refusal:
            while True:  # the signal may take a moment to arrive
                client.completions.create(**arguments, max_tokens=1)
        assert refusal.value.status_code == 503
        assert server.get("/ready").status == 503
        chunks = list(stream)
        assert chunks[-1].usage.completion_tokens == 1000
        assert chunks[-2].choices[0].finish_reason == "length"
        assert server.wait() == 0


def test_a_server_that_is_still_loading_ends_at_once():
    process = subprocess.Popen(
        [REPOSITORY / BINARY, "serve", "--port", "0"], cwd=REPOSITORY, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True)
    with process:
        first = process.stderr.readline()
        process.terminate()
        process.stderr.read()
    assert "listening" in first
    assert process.returncode == 0


def test_a_log_that_nobody_reads_does_not_end_the_server():
    reader, writer = os.pipe()
    with Server(log=writer) as server:
        os.close(writer)
        os.close(reader)
        for _ in range(3):  # each writes a line
            assert server.get("/nothing").status == 404


def test_an_idle_server_ends_at_once():
    with Server() as server:
        server.terminate()
        assert server.wait(5) == 0


def test_a_stray_signal_does_not_end_the_server():
    with Server() as server:
        strays = [signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM,
                  signal.SIGPROF, signal.SIGIO, signal.SIGPWR, signal.SIGSTKFLT, signal.SIGXFSZ, signal.SIGRTMIN,
                  signal.SIGRTMAX]
        for stray in strays:
            server.process.send_signal(stray)
            assert server.get("/health").status == 200, stray


def test_a_process_with_little_address_space_leaves_at_its_end():
    # OpenBLAS's thread never gets its memory, and the end of that library would wait for it.
    outcome = subprocess.run(
        ["bash", "-c", 'ulimit -v 200000; exec "$@"', "bash", REPOSITORY / BINARY, "--version"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
    assert outcome.returncode == 0 and outcome.stdout


@pytest.mark.parametrize("kilobytes", [150_000, 200_000, 250_000, 300_000, 400_000, 600_000, 800_000, 900_000, 1_000_000,
                                       1_200_000, 1_500_000, 2_000_000])
def test_little_address_space_is_an_error_or_enough(kilobytes):
    code, log = serve_with_address_space(kilobytes, "--model", CHAT_MODEL)
    lines = [line for line in log.splitlines() if line.startswith("trinity: ")]
    if "ready:" in log:
        assert code == 0 and not lines, log
    else:
        assert code == 1 and len(lines) == 1, log
    # What a process needs grows with the CPUs; this much is enough for a few.
    if kilobytes >= 2_000_000 and len(os.sched_getaffinity(0)) <= 8:
        assert "ready:" in log, log
    if kilobytes < 768 << 10:
        assert "(ulimit -v) must be at least" in lines[0] and f"got {kilobytes} KiB" in lines[0], log


@pytest.mark.skipif(len(os.sched_getaffinity(0)) > 8, reason="what a process needs grows with the CPUs")
def test_the_cache_fits_the_address_space():
    # Without a limit, the cache of the default model has more than 2 GB.
    code, log = serve_with_address_space(2_000_000)
    assert code == 0 and "ready:" in log, log


def serve_with_address_space(kilobytes, *arguments):
    """Starts a server and stops it when it is ready. Returns the exit code and the log."""
    command = ["bash", "-c", f'ulimit -v {kilobytes}; exec "$@"', "bash", REPOSITORY / BINARY, "serve", "--port", "0"]
    command += arguments
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        # Killed if it says nothing, so that the log ends.
        watch = threading.Timer(10, process.kill)
        watch.start()
        log = ""
        for line in process.stderr:
            log += line
            if "ready:" in line:
                process.terminate()
        watch.cancel()
        return process.wait(5), log


@pytest.mark.parametrize("limit", range(4, 13))
def test_few_descriptors_are_an_error_and_no_crash(limit):
    outcome = subprocess.run(
        ["bash", "-c", f'ulimit -n {limit}; exec "$@"', "bash", REPOSITORY / BINARY, "serve", "--port", "0"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=5)
    assert outcome.returncode == 1 and f"must be at least 32; got {limit}" in outcome.stderr, outcome


def test_the_program_does_not_link_openblas():
    assert "openblas" not in subprocess.check_output(["ldd", REPOSITORY / BINARY], text=True)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_log_that_nobody_reads_holds_up_nothing(log_format):
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "w") as log:
            server = Server("--log-format", log_format, log=log)
        with server, contextlib.closing(server.connection()) as connection:
            for _ in range(5000):
                connection.request("GET", "/version")
                reply = connection.getresponse()
                assert reply.read() and reply.status == 200
    finally:
        os.close(reader)


def test_more_threads_than_cpus_are_lowered():
    cpus = len(os.sched_getaffinity(0))
    with Server("--threads", "1000") as server:
        assert server.get("/version").json["threads"] <= cpus
        assert "--threads 1000 reduced to" in server.log_text()
