"""What `/metrics` says: that Prometheus takes it, and that its sums hold whatever clients do."""

import concurrent.futures
import contextlib
import json
import random
import shutil
import subprocess
import time

import pytest

import metric_sums
from trinity_server import Server


@pytest.fixture(scope="module")
def server():
    with Server("--max-num-seqs", 4, "--max-num-queued-seqs", 6, "--metrics-compat") as server:
        yield server


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_prometheus_has_nothing_to_say_but_of_names_that_vllm_gave(server):
    assert server.post("/v1/completions", {"prompt": "a", "max_tokens": 3}).status == 200
    text = server.get("/metrics").body
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    lines = (lint.stdout + lint.stderr).decode().splitlines()
    # vLLM's prefix, which its dashboards ask for, in every name...
    names = {line.split()[2] for line in text.decode().splitlines() if line.startswith("# TYPE vllm:")}
    expected = {f"{name} metric names should not contain ':'" for name in names if f"\n{name}" in text.decode()}
    # ...and one of its histograms that is named like a counter.
    expected.add('vllm:iteration_tokens_total non-counter metrics should not have "_total" suffix')
    assert set(lines) == expected


def outcome(server, seed):
    """One request of a client that does as it likes; how many choices were accepted, if that is certain."""
    chance = random.Random(seed)
    body = {"prompt": "once upon a time " * chance.randint(1, 40), "max_tokens": chance.randint(1, 60), "seed": seed}
    kind = chance.choice(["whole", "several", "leaves", "leaves at once", "late", "wrong", "unsatisfiable"])
    if kind == "several":
        body["n"] = chance.randint(2, 3)
    if kind == "late":
        body |= {"timeout": 0.02, "max_tokens": 400, "ignore_eos": True}
    if kind == "wrong":
        body["temperature"] = -1
    if kind == "unsatisfiable":
        body |= {"logit_bias": {"5": -100}, "allowed_token_ids": [5], "max_tokens": 2}
    if kind.startswith("leaves"):
        body |= {"stream": True, "max_tokens": 400, "ignore_eos": True}
        with contextlib.closing(server.connection()) as connection:
            connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
            if kind == "leaves":
                response = connection.getresponse()
                if response.status != 200:
                    return 0
                response.readline()
                return 1
        return None
    status = server.post("/v1/completions", body).status
    assert status in {"wrong": [400, 503], "late": [200, 503, 504], "unsatisfiable": [200, 400, 500, 503]}.get(kind, [200, 503])
    return body.get("n", 1) if status == 200 else 0 if status in (400, 503) else None


def test_each_accepted_choice_ends_once_and_is_counted_once(server):
    before = server.samples()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda seed: outcome(server, seed), range(200)))
    deadline = time.monotonic() + 60
    while not server.is_idle() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.is_idle()

    after = server.samples()
    change = {key: after[key] - before.get(key, 0) for key in after}
    counts = metric_sums.check(change)
    certain = sum(count for count in outcomes if count)
    uncertain = sum(count is None for count in outcomes)
    assert certain <= counts["accepted"] <= certain + uncertain
    assert counts["abort"] > 0 and counts["length"] > 0 and counts["rejections"] > 0 and counts["wasted"] > 0
    metric_sums.check_nothing_held(after)
