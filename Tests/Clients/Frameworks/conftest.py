import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
# Frameworks ask their makers for models, prices and news; these tests reach no other machine.
os.environ |= {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_AGENTS_DISABLE_TRACING": "1", "HF_HUB_OFFLINE": "1",
    "LITELLM_TELEMETRY": "False", "OPENAI_API_KEY": "none"}

from trinity_server import Server  # noqa: E402  (the path above)


@pytest.fixture(scope="session")
def server():
    with Server("--max-model-len", 2048) as running:
        yield running


@pytest.fixture(scope="session")
def base_url(server):
    return server.url + "/v1"
