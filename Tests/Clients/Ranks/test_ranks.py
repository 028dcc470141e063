"""One model over several processes: the same bits, and an end of all when one is lost."""

import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import signal
import time

import pytest
from rank_server import RankServer, Stream
from trinity_server import CHAT_MODEL, Server, eventually

pytestmark = pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not installed")

REQUESTS = [
    {
        "prompt": "The quick brown fox " * (number % 3 * 8 + 1) + str(number), "max_tokens": 12, "logprobs": 5,
        "temperature": 0.8 if number % 2 else 0, "seed": number, "echo": number == 5, "ignore_eos": True,
        "presence_penalty": 0.5 if number % 3 == 2 else 0}
    for number in range(10)]


def replies(server):
    def ask(request):
        reply = server.post("/v1/completions", request)
        assert reply.status == 200, reply.body
        return [(choice["text"], choice["logprobs"]) for choice in reply.json["choices"]]

    with concurrent.futures.ThreadPoolExecutor(max_workers=len(REQUESTS)) as threads:
        return list(threads.map(ask, REQUESTS))


@pytest.fixture(scope="module")
def expected():
    with Server("--threads", "1", "--kv-cache-memory-bytes", "64MiB") as server:
        return replies(server)


@contextlib.contextmanager
def started(ranks, *arguments, **options):
    server = RankServer(ranks, *arguments, **options)
    try:
        yield server.wait_until_ready(120)
    finally:
        server.stop_whatever_happened()


@pytest.mark.quick
def test_one_rank_is_a_server_like_any_other(expected):
    with started(1) as server:
        assert replies(server) == expected
        os.kill(server.rank_processes()[0], signal.SIGTERM)
        assert server.wait(20) == 0, server.log_text()


@pytest.mark.parametrize(("ranks", "arguments"), [
    pytest.param(2, [], marks=pytest.mark.quick),
    pytest.param(4, ["--max-num-batched-tokens", "64"], marks=pytest.mark.quick),
    (3, ["--spec-method", "ngram", "--threads", "2"])])
def test_any_number_of_ranks_computes_the_same_bits(ranks, arguments, expected):
    with started(ranks, *arguments) as server, server:
        assert replies(server) == expected
        # After a rest.
        time.sleep(0.3)
        assert replies(server) == expected
        samples = server.samples()
        assert samples[("trinity_ranks", ())] == ranks
        assert all(
            samples[("trinity_rank_compute_seconds_total", (("rank", str(rank)),))] > 0 for rank in range(ranks))
        assert f"rank={ranks - 1}" in server.log_text()


@pytest.mark.parametrize("rank", [0, pytest.param(1, marks=pytest.mark.quick), 2])
def test_a_killed_rank_ends_every_stream_and_every_process(rank):
    with started(3) as server:
        streams = [Stream(server) for _ in range(3)]
        for stream in streams:
            assert stream.first.wait(30)
        begin = time.monotonic()
        os.kill(server.rank_processes()[rank], signal.SIGKILL)
        for stream in streams:
            stream.join(10)
            assert stream.ended - begin < 5
            # Nobody is left to write an error if rank 0 itself is killed.
            assert stream.has_error or rank == 0, stream.events[-1]
        eventually(server.is_gone, seconds=10 - (time.monotonic() - begin))
        assert server.process.returncode not in (0, None)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_rank_that_stops_ends_everything_after_the_timeout(rank):
    with started(3, "--rank-timeout", "2s") as server:
        stream = Stream(server)
        assert stream.first.wait(30)
        begin = time.monotonic()
        os.kill(server.rank_processes()[rank], signal.SIGSTOP)
        stream.join(15)
        assert 1.5 < stream.ended - begin < 12
        # Nobody can write an error if rank 0 itself has stopped.
        assert rank == 0 or stream.ended - begin < 7 and stream.has_error
        eventually(server.is_gone, seconds=12 - (time.monotonic() - begin))
        assert server.process.returncode == 70, server.log_text()
        assert f"rank {rank} has not answered for 2.0 s" in server.log_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_lost_while_all_rest_ends_every_process(rank, number):
    with started(3, "--rank-timeout", "2s") as server:
        replies(server)
        time.sleep(0.5)
        begin = time.monotonic()
        os.kill(server.rank_processes()[rank], number)
        eventually(server.is_gone, seconds=12)
        assert number == signal.SIGKILL or time.monotonic() - begin > 1.5
        assert server.process.returncode not in (0, None)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_rank_that_is_lost_while_the_server_drains_ends_the_stream_with_an_error(number):
    with started(3, "--rank-timeout", "2s") as server:
        stream = Stream(server)
        assert stream.first.wait(30)
        server.process.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        os.kill(server.rank_processes()[1], number)
        stream.join(15)
        assert stream.has_error, stream.events[-1:]
        eventually(server.is_gone, seconds=10)
        assert server.process.returncode not in (0, None)


def test_a_rank_that_has_stopped_does_not_hold_up_the_end():
    with started(2) as server:
        time.sleep(0.3)
        os.kill(server.rank_processes()[1], signal.SIGSTOP)
        server.process.send_signal(signal.SIGUSR1)
        eventually(server.is_gone, seconds=15)
        assert server.process.returncode == 70, server.log_text()
        assert "not all ranks have ended" in server.log_text()


@pytest.mark.quick
def test_sigusr1_drains_all_ranks():
    with started(3) as server:
        stream = Stream(server, tokens=200)
        assert stream.first.wait(30)
        server.process.send_signal(signal.SIGUSR1)
        stream.join(60)
        assert stream.events[-1] == "[DONE]" and not stream.has_error
        assert server.wait(20) == 0, server.log_text()
        assert not server.rank_processes()


def test_sigterm_ends_all_ranks_at_once():
    with started(2) as server:
        stream = Stream(server)
        assert stream.first.wait(30)
        begin = time.monotonic()
        server.terminate()
        stream.join(10)
        assert stream.ended - begin < 5 and stream.has_error, stream.events[-1:]
        eventually(server.is_gone, seconds=10)


def test_sigterm_to_rank_0_ends_all_and_to_another_rank_is_ignored():
    with started(2) as server:
        stream = Stream(server, tokens=100)
        assert stream.first.wait(30)
        os.kill(server.rank_processes()[1], signal.SIGTERM)
        stream.join(60)
        assert stream.events[-1] == "[DONE]" and not stream.has_error
        stream = Stream(server)
        assert stream.first.wait(30)
        os.kill(server.rank_processes()[0], signal.SIGTERM)
        stream.join(10)
        assert stream.has_error, stream.events[-1:]
        eventually(server.is_gone, seconds=10)
        assert server.process.returncode == 0, server.log_text()


def test_sigusr1_while_the_model_loads_ends_all_ranks():
    server = RankServer(2)
    try:
        eventually(lambda: "listening on" in server.log_text(), seconds=30)
        server.process.send_signal(signal.SIGUSR1)
        eventually(server.is_gone, seconds=10)
    finally:
        server.stop_whatever_happened()


@pytest.mark.parametrize(("options", "difference"), [
    (["--kv-cache-dtype", "bf16"], "--kv-cache-dtype is f32 on"),
    (["--max-num-batched-tokens", "128"], "--max-num-batched-tokens is 512 on")])
def test_ranks_that_differ_end_with_the_list_of_differences(options, difference):
    server = RankServer(2, others=options)
    try:
        assert server.wait(60) == 78, server.log_text()
        assert difference in server.log_text() and "(rank 2)" in server.log_text()
    finally:
        server.stop_whatever_happened()


@pytest.mark.quick
def test_another_model_is_a_difference(tmp_path):
    folder = tmp_path / "trinity-tiny"
    shutil.copytree(CHAT_MODEL, folder)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"rope_theta": 10000', '"rope_theta": 20000'))
    assert (folder / "config.json").read_text() != config
    server = RankServer(1, others=["--model", folder])
    try:
        assert server.wait(60) == 78, server.log_text()
        assert "config.json is" in server.log_text()
    finally:
        server.stop_whatever_happened()


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.quick
def test_idle_ranks_use_no_cpu():
    with started(3) as server, server:
        replies(server)
        time.sleep(0.5)
        ranks = server.rank_processes()
        before = {rank: cpu_seconds(process) for rank, process in ranks.items()}
        time.sleep(5)
        for rank, process in ranks.items():
            assert cpu_seconds(process) - before[rank] <= 0.05, f"rank {rank}"
