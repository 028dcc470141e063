"""The Messages API as Anthropic's client sees it, whole and streamed."""

import anthropic
import pytest

MODEL = "trinity-tiny"
WEATHER = {
    "name": "get_weather",
    "description": "Get the weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
THINKING = {"type": "enabled", "budget_tokens": 1024}
GREEDY = {"extra_body": {"temperature": 0}, "model": MODEL, "max_tokens": 128}


@pytest.fixture(scope="module")
def messages(server):
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=120).messages


def contents(blocks):
    """What blocks say, without the ids that every reply has of its own."""
    return [block.model_dump(exclude={"id"}) for block in blocks]


def test_a_round_trip_through_a_tool(messages):
    conversation = [QUESTION]
    reply = messages.create(messages=conversation, tools=[WEATHER], thinking=THINKING, **GREEDY)
    assert reply.stop_reason == "tool_use"
    thinking, call = reply.content
    assert thinking.type == "thinking" and thinking.thinking
    assert call.name == "get_weather" and call.input == {"city": "Paris"}
    conversation += [
        {"role": "assistant", "content": reply.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "rainy"}]},
    ]
    answer = messages.create(messages=conversation, tools=[WEATHER], **GREEDY)
    assert answer.stop_reason == "end_turn" and "rain" in answer.content[0].text


def test_the_streaming_helper_comes_to_the_same(messages):
    whole = messages.create(messages=[QUESTION], tools=[WEATHER], thinking=THINKING, **GREEDY)
    with messages.stream(messages=[QUESTION], tools=[WEATHER], thinking=THINKING, **GREEDY) as stream:
        final = stream.get_final_message()
    assert contents(final.content) == contents(whole.content)
    assert final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_a_beginning_of_the_reply_is_continued(messages):
    conversation = [{"role": "user", "content": "What is 12 + 30?"}, {"role": "assistant", "content": "12 + 30"}]
    reply = messages.create(messages=conversation, **GREEDY)
    assert reply.content[0].text.startswith(" =")


def test_tokens_are_counted_without_an_answer(messages):
    count = messages.count_tokens(model=MODEL, messages=[QUESTION], tools=[WEATHER])
    usage = messages.create(messages=[QUESTION], tools=[WEATHER], **GREEDY).usage
    assert count.input_tokens == usage.input_tokens + usage.cache_read_input_tokens


def test_errors_become_the_clients_own(messages, server):
    with pytest.raises(anthropic.NotFoundError) as unknown:
        messages.create(model="no", messages=[QUESTION], max_tokens=1)
    assert unknown.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.NotFoundError) as unknown:
        anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0).models.retrieve("no")
    assert unknown.value.body["type"] == "error" and unknown.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError) as long:
        messages.create(model=MODEL, messages=[{"role": "user", "content": "fox " * 4000}], max_tokens=1)
    assert long.value.body["error"]["code"] == "context_length_exceeded"
