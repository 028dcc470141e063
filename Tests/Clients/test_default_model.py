"""What a newcomer tries first works with the default model."""

import json

import openai
import pytest
from trinity_server import REPOSITORY, Server

MODEL = REPOSITORY / "Models" / "trinity-tiny"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": "Get the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def ask():
    """A function from a question, or messages, to the message of the reply."""
    with Server("--model", MODEL, "--compute", "fast") as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=120)

        def ask(messages, thinks=True, **arguments):
            if isinstance(messages, str):
                messages = [{"role": "user", "content": messages}]
            extra = {} if thinks else {"chat_template_kwargs": {"enable_thinking": False}}
            return client.chat.completions.create(
                model="trinity-tiny", messages=messages, temperature=0, max_tokens=400, extra_body=extra, **arguments
            ).choices[0].message

        yield ask


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who are you?", "Tiny"), ("What is the capital of France?", "Paris"), ("What is 12 + 30?", "42"),
        ("What is 271 + 345?", "616"), ("Sort these words: tiger, apple, moon", "apple, moon, tiger"),
    ])
def test_a_question_is_answered(ask, question, answer):
    assert answer in ask(question).content


@pytest.mark.parametrize("thinks", [True, False])
def test_it_thinks_if_it_may(ask, thinks):
    message = ask("What is 47 + 85?", thinks)
    assert "132" in message.content
    assert bool(getattr(message, "reasoning_content", None)) == thinks


def test_a_story_is_about_what_was_asked_for(ask):
    story = ask("Tell me a story about a fox.").content
    assert "fox" in story.lower() and len(story.split(".")) > 5


def test_a_tool_is_called_and_its_result_is_told(ask):
    messages = [{"role": "user", "content": "What is the weather in Rome?"}]
    message = ask(messages, tools=[WEATHER])
    [call] = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Rome"})
    result = {"role": "tool", "tool_call_id": call.id, "content": '{"temperature": 17, "condition": "sunny"}'}
    answer = ask([*messages, message, result], tools=[WEATHER]).content
    assert "17" in answer and "sunny" in answer


def test_json_has_what_the_schema_asks_for(ask):
    schema = {
        "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"],
        "additionalProperties": False,
    }
    format = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    message = ask("Write as JSON with name and age: Anna is 31 years old.", response_format=format)
    assert json.loads(message.content) == {"name": "Anna", "age": 31}


def test_a_needle_is_found_in_a_long_text(ask):
    lines = [f"The box number {number} is in the room {number + 7}." for number in range(150)]
    lines.insert(60, "The secret code of Berlin is 4813.")
    text = " ".join(lines)
    assert "4813" in ask(f"{text}\n\nWhat is the secret code of Berlin?").content
