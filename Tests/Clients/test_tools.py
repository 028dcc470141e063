"""Reasoning and tools as OpenAI's client sees them, whole and streamed."""

import json

MODEL = "trinity-tiny"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}


def test_a_round_trip_through_a_tool(client):
    messages = [QUESTION]
    reply = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], temperature=0)
    assert reply.choices[0].finish_reason == "tool_calls"
    message = reply.choices[0].message
    [call] = message.tool_calls
    assert call.type == "function" and call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    # Sent back whole, reasoning and all, as agents do.
    messages += [
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"weather": "rainy"})},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], temperature=0)
    assert answer.choices[0].finish_reason == "stop"
    assert "rain" in answer.choices[0].message.content


def test_the_streaming_helper_collects_calls(client):
    with client.chat.completions.stream(
        model=MODEL, messages=[QUESTION], tools=[WEATHER], temperature=0
    ) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    deltas = [event.arguments_delta for event in events if event.type == "tool_calls.function.arguments.delta"]
    [call] = final.choices[0].message.tool_calls
    assert "".join(deltas) == call.function.arguments
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    assert final.choices[0].finish_reason == "tool_calls"


def test_reasoning_is_streamed_apart(client):
    question = [{"role": "user", "content": "What is 12 + 30?"}]
    whole = client.chat.completions.create(model=MODEL, messages=question, temperature=0)
    reasoning = content = ""
    for chunk in client.chat.completions.create(model=MODEL, messages=question, temperature=0, stream=True):
        delta = chunk.choices[0].delta
        reasoning += getattr(delta, "reasoning_content", None) or ""
        content += delta.content or ""
    message = whole.choices[0].message
    assert (reasoning, content) == (message.reasoning_content, message.content)
    assert content == "12 + 30 = 42." and reasoning
    assert 0 < whole.usage.completion_tokens_details.reasoning_tokens < whole.usage.completion_tokens


def test_effort_none_does_not_reason(client):
    question = [{"role": "user", "content": "What is 12 + 30?"}]
    reply = client.chat.completions.create(
        model=MODEL, messages=question, temperature=0, reasoning_effort="none")
    assert reply.usage.completion_tokens_details.reasoning_tokens == 0
    assert not hasattr(reply.choices[0].message, "reasoning")
