"""Anthropic's newest library: its helpers for streams, parsed output, forced calls, thinking, tokens and models."""

import anthropic
import pydantic
import pytest

MODEL = "trinity-tiny"
QUESTION = [{"role": "user", "content": "What is 12 + 30?"}]
WEATHER = {
    "name": "get_weather", "description": "Get the weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}}


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=12)
    age: int = pydantic.Field(ge=0, le=150)


@pytest.fixture
def client(server):
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)


@pytest.fixture(params=["stable", "beta"])
def messages(request, client):
    return client.messages if request.param == "stable" else client.beta.messages


@pytest.mark.parametrize("thinking", [{"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}, {"type": "disabled"}],
                         ids=lambda thinking: thinking["type"])
def test_a_stream_builds_the_same_message(messages, thinking):
    # The library's types have no temperature any more.
    request = {
        "model": MODEL, "max_tokens": 1500, "messages": QUESTION, "thinking": thinking, "extra_body": {"temperature": 0}}
    whole = messages.create(**request)
    with messages.stream(**request) as stream:
        kinds = [event.type for event in stream]
        built = stream.get_final_message()
    assert [block.model_dump(exclude={"parsed_output"}) for block in built.content] == [
        block.model_dump(exclude={"parsed_output"}) for block in whole.content]
    assert built.stop_reason == whole.stop_reason == "end_turn" and built.usage.output_tokens == whole.usage.output_tokens
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    assert thinking["type"] != "disabled" or all(block.type == "text" for block in whole.content)


def test_a_forced_call_and_its_result(messages):
    first = messages.create(
        model=MODEL, max_tokens=300, tools=[WEATHER], tool_choice={"type": "tool", "name": "get_weather"}, messages=QUESTION)
    call = first.content[-1]
    assert first.stop_reason == "tool_use" and call.name == "get_weather" and set(call.input) == {"city"}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "rainy"}]}
    history = [*QUESTION, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    assert messages.create(model=MODEL, max_tokens=100, tools=[WEATHER], messages=history).content


def test_output_is_parsed(messages):
    reply = messages.parse(
        model=MODEL, max_tokens=300, messages=[{"role": "user", "content": "Tom is 7 years old."}], output_format=Person)
    assert isinstance(reply.parsed_output, Person)


def test_tokens_and_models(client):
    assert client.messages.count_tokens(model=MODEL, messages=QUESTION, tools=[WEATHER]).input_tokens > 20
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL


@pytest.mark.refusals(2)
def test_errors_have_their_classes(client):
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="no", max_tokens=10, messages=QUESTION)
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=MODEL, max_tokens=10, messages=[])
