"""The Responses API as OpenAI's client sees it, whole and streamed."""

import openai
import pydantic
import pytest

MODEL = "trinity-tiny"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}


def contents(items):
    """What items say, without the ids that every reply has of its own and what the helper adds."""
    return [item.model_dump(exclude={"id", "call_id", "parsed_arguments"}) for item in items]


def test_a_round_trip_through_a_tool(client):
    items = [QUESTION]
    reply = client.responses.create(model=MODEL, input=items, tools=[WEATHER], temperature=0)
    reasoning, call = reply.output
    assert reasoning.type == "reasoning" and reasoning.content[0].text
    assert (call.name, call.arguments) == ("get_weather", '{"city": "Paris"}')
    # Sent back as it is, reasoning and all.
    items += reply.output
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "rainy"})
    answer = client.responses.create(model=MODEL, input=items, tools=[WEATHER], temperature=0)
    assert answer.status == "completed" and "rain" in answer.output_text


def test_the_streaming_helper_comes_to_the_same(client):
    whole = client.responses.create(model=MODEL, input=[QUESTION], tools=[WEATHER], temperature=0)
    with client.responses.stream(model=MODEL, input=[QUESTION], tools=[WEATHER], temperature=0) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert contents(final.output) == contents(whole.output)
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_a_schema_is_kept_to(client):
    class Color(pydantic.BaseModel):
        name: str
        red: int

    reply = client.responses.parse(model=MODEL, input="A color?", text_format=Color, max_output_tokens=256)
    assert isinstance(reply.output_parsed, Color)


def test_a_cut_reply_is_incomplete(client):
    reply = client.responses.create(model=MODEL, input="Once upon a time", max_output_tokens=3)
    assert reply.status == "incomplete" and reply.incomplete_details.reason == "max_output_tokens"
    assert reply.usage.output_tokens == 3


def test_what_needs_stored_state_is_refused(client):
    for parameters in [{"previous_response_id": "resp_1"}, {"background": True}]:
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model=MODEL, input="x", **parameters)
        assert refused.value.param == next(iter(parameters))


@pytest.mark.parametrize("fields", [{"include": ["message.output_text.logprobs"], "top_logprobs": 3}, {"top_logprobs": 3}])
def test_log_probabilities_are_those_of_the_tokens_of_the_text(client, fields):
    body = {"model": "trinity-tiny", "input": "What is 12 + 30?", "temperature": 0, "max_output_tokens": 200, **fields}
    response = client.responses.create(**body)
    assert response.top_logprobs == 3
    kinds = [item.type for item in response.output]
    assert kinds == ["reasoning", "message"], "the reasoning has no log-probabilities"
    part = response.output[1].content[0]
    assert bytes(byte for entry in part.logprobs for byte in entry.bytes).decode() == part.text
    for entry in part.logprobs:
        assert len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].token == entry.token and entry.top_logprobs[0].logprob == entry.logprob <= 0
    events = list(client.responses.create(**body, stream=True))
    deltas = [entry for event in events if event.type == "response.output_text.delta" for entry in event.logprobs]
    done, = [event for event in events if event.type == "response.output_text.done"]
    expected = [(entry.token, entry.logprob) for entry in part.logprobs]
    assert [(entry.token, entry.logprob) for entry in deltas] == [(entry.token, entry.logprob) for entry in done.logprobs] == expected
    assert events[-1].response.output[1].content[0].logprobs == part.logprobs


def test_log_probabilities_come_only_when_asked_for(client):
    response = client.responses.create(model="trinity-tiny", input="Say hello", max_output_tokens=16)
    assert response.output[-1].content[0].logprobs == [] and response.top_logprobs == 0
