"""Ranks on several hosts, which are network namespaces: delays, lost packets, and a host that vanishes."""

import shutil
import time

import pytest
from rank_hosts import RankHosts, can_make_hosts
from rank_server import RankServer, Stream
from test_ranks import REQUESTS, expected, replies  # noqa: F401
from trinity_server import eventually

pytestmark = [
    pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not installed"),
    pytest.mark.skipif(not can_make_hosts(), reason="this user cannot make network namespaces"),
]


@pytest.mark.parametrize(("count", "delay", "loss"), [(2, 0.0001, 0), (3, 0.001, 0.001), (4, 0.0001, 0.001)])
def test_hosts_with_a_slow_network_compute_the_same_bits(count, delay, loss, expected):  # noqa: F811
    assert len(REQUESTS) == 10
    with RankHosts(count, delay, loss) as hosts:
        assert 2 * delay <= hosts.round_trip() < 2 * delay + 0.05
        server = RankServer(count, hosts=hosts)
        try:
            with server.wait_until_ready(120):
                assert replies(server) == expected
                for rank in range(count):
                    assert f"host{rank + 1}" in server.get("/metrics").body.decode()
        finally:
            server.stop_whatever_happened()


def test_a_host_that_vanishes_ends_every_stream():
    with RankHosts(3) as hosts:
        server = RankServer(3, hosts=hosts)
        try:
            server.wait_until_ready(120)
            streams = [Stream(server) for _ in range(2)]
            for stream in streams:
                assert stream.first.wait(30)
            begin = time.monotonic()
            hosts.cut(3)
            for stream in streams:
                stream.join(15)
                assert stream.ended - begin < 5 and stream.has_error, stream.events[-1:]
            # mpirun too, so that a supervisor starts the job again.
            eventually(server.is_gone, seconds=15 - (time.monotonic() - begin))
            assert server.process.returncode not in (0, None)
        finally:
            server.stop_whatever_happened()
