"""The server behind LiteLLM, as many programs reach it."""

import json

import litellm
import pytest

MODEL = "openai/trinity-tiny"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def settings(server):
    return {"model": MODEL, "api_base": server.url + "/v1", "api_key": "none", "temperature": 0, "num_retries": 0}


def test_a_chat_whole_and_streamed(settings):
    messages = [{"role": "user", "content": "What is 12 + 30?"}]
    whole = litellm.completion(messages=messages, **settings)
    assert whole.choices[0].message.content == "12 + 30 = 42."
    assert whole.choices[0].message.reasoning_content
    chunks = list(litellm.completion(messages=messages, stream=True, **settings))
    rebuilt = litellm.stream_chunk_builder(chunks, messages=messages)
    assert rebuilt.choices[0].message.content == "12 + 30 = 42."


def test_a_completion(settings):
    reply = litellm.text_completion(
        **{**settings, "model": "text-completion-openai/trinity-tiny"}, prompt="Once upon a time", max_tokens=8
    )
    assert reply.choices[0].text and reply.usage.completion_tokens == 8


def test_a_call_of_a_tool(settings):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    reply = litellm.completion(messages=messages, tools=[WEATHER], **settings)
    assert reply.choices[0].finish_reason == "tool_calls"
    [call] = reply.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Paris"}


def test_errors_become_its_own(settings):
    messages = [{"role": "user", "content": "x"}]
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(messages=messages, **{**settings, "model": "openai/no"})
    with pytest.raises(litellm.BadRequestError):
        litellm.completion(messages=messages, top_p=3, **settings)
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(messages=[{"role": "user", "content": "fox " * 4000}], **settings)
