"""Structured output as OpenAI's client asks for it."""

import json
import re
from enum import Enum

import jsonschema
import openai
import pytest
from pydantic import BaseModel, Field

MODEL = "trinity-tiny"


class Mood(str, Enum):
    happy = "happy"
    sad = "sad"


class Animal(BaseModel):
    name: str = Field(max_length=12)
    legs: int = Field(ge=0, le=8)
    moods: list[Mood] = Field(max_length=2)


class Paint(BaseModel):
    mood: Mood
    coats: int


def test_parse_fills_a_model(client):
    reply = client.chat.completions.parse(
        model=MODEL, messages=[{"role": "user", "content": "Describe a fox."}], response_format=Animal, temperature=0,
        max_tokens=300)
    animal = reply.choices[0].message.parsed
    assert isinstance(animal, Animal) and len(animal.moods) <= 2


def test_many_seeds_are_valid(client):
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "score": {"type": "number", "minimum": 0, "maximum": 10},
            "when": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        },
        "required": ["id", "score", "when"],
        "additionalProperties": False,
    }
    reply = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "A record."}], n=16, seed=1, temperature=1.5, max_tokens=200,
        reasoning_effort="none",
        response_format={"type": "json_schema", "json_schema": {"name": "record", "strict": True, "schema": schema}})
    for choice in reply.choices:
        assert choice.finish_reason == "stop"
        jsonschema.validate(json.loads(choice.message.content), schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("space", ["", " ", "\n"], ids=["plain", "space", "line"])
def test_the_content_is_the_text_of_the_grammar_whether_or_not_the_model_reasons(client, space):
    """No space before it that the grammar does not have, and all that it has."""
    colors = [space + "red", space + "blue"]
    texts = " | ".join(json.dumps(color) for color in colors)
    for form in [
        {"choice": colors}, {"regex": "|".join(colors)}, {"grammar": f"root ::= {texts}"}, {"grammar": f"start: {texts}"},
    ]:
        replies = [
            client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "Red or blue?"}], seed=seed, max_tokens=300,
                extra_body={"structured_outputs": form, "enable_thinking": thinks})
            for seed in range(8) for thinks in (True, False)]
        # Reasoning may take all of the tokens.
        contents = [reply.choices[0].message.content for reply in replies if reply.choices[0].finish_reason == "stop"]
        assert len(contents) >= 8 and set(contents) <= set(colors), form


WEATHER = {"type": "object", "properties": {"sky": {"enum": ["clear", "rainy"]}}, "required": ["sky"], "additionalProperties": False}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RAINY = '{"sky": "rainy"}'
FUNCTION = {"name": "get_weather", "description": "Get the weather of a city"}


@pytest.mark.parametrize("strict", [False, True])
def test_a_format_of_the_answer_leaves_the_model_free_to_call_tools(server, strict):
    """First it calls, by its own choice; with the result it answers in the format. In all three APIs."""
    question = [{"role": "user", "content": "What is the weather in Paris?"}]

    def post(path, **members):
        reply = server.post(path, {"temperature": 0, **members})
        assert reply.status == 200, reply.body
        return reply.json

    chat = {
        "tools": [{"type": "function", "function": {**FUNCTION, "parameters": CITY, "strict": strict}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER}}}
    message = post("/v1/chat/completions", messages=question, **chat)["choices"][0]["message"]
    [call] = message["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"} and not message["content"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": RAINY}
    message = post("/v1/chat/completions", messages=[*question, message, result], **chat)["choices"][0]["message"]
    jsonschema.validate(json.loads(message["content"]), WEATHER)
    # Without a choice there is the answer only.
    message = post("/v1/chat/completions", messages=question, tool_choice="none", **chat)["choices"][0]["message"]
    jsonschema.validate(json.loads(message["content"]), WEATHER)

    responses = {
        "tools": [{"type": "function", **FUNCTION, "parameters": CITY, "strict": strict}],
        "text": {"format": {"type": "json_schema", "name": "weather", "schema": WEATHER}}}
    output = post("/v1/responses", input=question, **responses)["output"]
    assert output[-1]["type"] == "function_call"
    result = {"type": "function_call_output", "call_id": output[-1]["call_id"], "output": RAINY}
    output = post("/v1/responses", input=[*question, *output, result], **responses)["output"]
    jsonschema.validate(json.loads(output[-1]["content"][0]["text"]), WEATHER)

    messages = {
        "tools": [{**FUNCTION, "input_schema": CITY, "strict": strict}], "max_tokens": 300,
        "output_config": {"format": {"type": "json_schema", "schema": WEATHER}}}
    content = post("/v1/messages", messages=question, **messages)["content"]
    assert content[-1]["type"] == "tool_use" and content[-1]["input"] == {"city": "Paris"}
    result = {"type": "tool_result", "tool_use_id": content[-1]["id"], "content": RAINY}
    history = [*question, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    content = post("/v1/messages", messages=history, thinking={"type": "disabled"}, **messages)["content"]
    jsonschema.validate(json.loads(content[-1]["text"]), WEATHER)


def test_a_required_call(client):
    tool = openai.pydantic_function_tool(Paint)
    reply = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Describe a fox."}], tools=[tool], tool_choice="required",
        parallel_tool_calls=False, temperature=0, max_tokens=200)
    [call] = reply.choices[0].message.tool_calls
    Paint.model_validate_json(call.function.arguments)


def test_an_unenforceable_schema(client):
    with pytest.raises(openai.BadRequestError) as failure:
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "x"}],
            response_format={"type": "json_schema",
                             "json_schema": {"name": "x", "schema": {"type": "array", "contains": {}}}})
    assert "contains" in failure.value.message


def test_a_grammar(client):
    grammar = 'root ::= ("up" | "down") " " [0-9]{2}'
    for body in [{"structured_outputs": {"grammar": grammar}}, {"guided_grammar": grammar}]:
        reply = client.completions.create(model="trinity-tiny", prompt="It goes", extra_body=body, max_tokens=20)
        assert re.fullmatch("(up|down) [0-9]{2}", reply.choices[0].text), reply


def test_messages_take_the_earlier_name_of_the_output_format(server):
    format = {"type": "json_schema", "schema": WEATHER}
    body = {"max_tokens": 300, "messages": [{"role": "user", "content": "How is the weather in Paris?"}], "seed": 1}
    for fields in {"output_format": format}, {"output_format": format, "output_config": {"format": format}}:
        reply = server.post("/v1/messages", body | fields)
        assert reply.status == 200 and "x-ignored" not in reply.headers, reply.body
        jsonschema.validate(json.loads(reply.json["content"][-1]["text"]), WEATHER)
    other = {"format": {"type": "json_schema", "schema": {"type": "integer"}}}
    reply = server.post("/v1/messages", body | {"output_format": format, "output_config": other})
    assert reply.status == 400 and reply.json["error"]["param"] == "output_format"
