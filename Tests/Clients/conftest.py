import openai
import pytest
from trinity_server import Server

# Short enough that a prompt can exceed it quickly, long enough for every other test.
MAX_MODEL_LEN = 512


@pytest.fixture(scope="session")
def server():
    with Server("--max-model-len", MAX_MODEL_LEN) as running:
        yield running


@pytest.fixture(scope="session")
def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120)


@pytest.fixture
def async_client(server):
    return openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120)
