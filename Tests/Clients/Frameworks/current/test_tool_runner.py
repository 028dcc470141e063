"""Anthropic's tool_runner: it calls the tools that the model asks for, and falls back where threads are not known."""

import anthropic
import pytest
from anthropic import beta_tool


@beta_tool
def get_weather(city: str) -> str:
    """Get the weather in a city.

    Args:
        city: The city.
    """
    return "rainy"


@pytest.fixture
def client(server):
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)


def run(client, **options):
    runner = client.beta.messages.tool_runner(
        model="trinity-tiny", max_tokens=300, tools=[get_weather],
        messages=[{"role": "user", "content": "What is the weather in Paris?"}], max_iterations=3,
        extra_body={"temperature": 0}, **options)
    return list(runner)


# The runner asks for a thread, which this server does not have, and then without.
@pytest.mark.refusals(1)
def test_the_runner_calls_the_tool_and_ends(client):
    messages = run(client)
    assert [block.type for block in messages[0].content][-1] == "tool_use"
    assert messages[-1].stop_reason in ("end_turn", "max_tokens", "tool_use") and len(messages) >= 2


@pytest.mark.refusals(1)
def test_the_runner_streams(client):
    streams = run(client, stream=True)
    assert streams
