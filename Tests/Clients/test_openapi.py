"""schemathesis makes requests of openapi.yaml, good and bad, and holds the replies to it.

The requests are the same in each run. `SCHEMATHESIS_SEED=2 python -m pytest Tests/Clients/test_openapi.py` makes others.
"""

import os
import pathlib
import subprocess
import sys

import pytest
from trinity_server import REPOSITORY, Server

CONFIGURATION = pathlib.Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def server():
    """What the document does not have is refused by this server, and ignored by others."""
    with Server("--max-model-len", 512, "--strict-parameters") as running:
        yield running


def test_the_server_is_as_described(server, tmp_path):
    run = subprocess.run(
        [
            pathlib.Path(sys.executable).with_name("schemathesis"),
            "--config-file",
            CONFIGURATION,
            "run",
            REPOSITORY / "openapi.yaml",
            "--url",
            server.url,
            "--max-examples",
            "15",
            "--seed",
            os.environ.get("SCHEMATHESIS_SEED", "1"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr
    assert " passed" in run.stdout
