import os
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
# Frameworks ask their makers for models, prices and news; these tests reach no other machine.
os.environ |= {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_AGENTS_DISABLE_TRACING": "1", "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1", "LITELLM_TELEMETRY": "False", "HAYSTACK_TELEMETRY_ENABLED": "False", "DO_NOT_TRACK": "1",
    "OPENAI_API_KEY": "none"}

from loopback_namespace import can_make_namespaces, enter_loopback_namespace  # noqa: E402  (the path above)
from trinity_server import Server, copy_with_context  # noqa: E402

# Before any thread starts: all that is started from here on has a loopback and nothing else.
if can_make_namespaces():
    enter_loopback_namespace()

MODEL = "trinity-tiny"


@pytest.fixture(scope="session")
def server():
    with Server("--max-model-len", 2048) as running:
        yield running


@pytest.fixture(scope="session")
def base_url(server):
    return server.url + "/v1"


@pytest.fixture(scope="session")
def long_server(tmp_path_factory):
    """For programs whose instructions are long: some of them are 4,000 tokens of this model's small vocabulary."""
    with Server("--model", copy_with_context(tmp_path_factory.mktemp("long") / MODEL, 8_192)) as running:
        yield running


@pytest.fixture(autouse=True)
def no_request_is_refused(request):
    """A framework may hide a refusal: it tries again in another way. `refusals(count)` marks a test that expects some."""
    name = next((name for name in ("server", "long_server") if name in request.fixturenames), None)
    if name is None:
        yield
        return
    server = request.getfixturevalue(name)
    before = refused(server)
    yield
    marker = request.node.get_closest_marker("refusals")
    expected = marker.args[0] if marker else 0
    found = {labels: count - before.get(labels, 0) for labels, count in refused(server).items()}
    assert sum(found.values()) == expected, {labels: count for labels, count in found.items() if count}


def refused(server):
    return {
        labels: value for (name, labels), value in server.samples().items()
        if name == "http_requests_total" and dict(labels)["status"] in ("4xx", "5xx")}
