"""OpenAI's newest library: its helpers for streams, parsed output, embeddings and tokens over both APIs."""

import openai
import pydantic
import pytest

MODEL = "trinity-tiny"
QUESTION = [{"role": "user", "content": "What is 12 + 30?"}]


class GetWeather(pydantic.BaseModel):
    """Get the weather of a city"""

    city: str = pydantic.Field(max_length=12)


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=12)
    age: int = pydantic.Field(ge=0, le=150)


@pytest.fixture
def client(base_url):
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0)


def test_the_stream_of_chat_completions_builds_the_same_message(client):
    whole = client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=0)
    with client.chat.completions.stream(model=MODEL, messages=QUESTION, temperature=0) as stream:
        kinds = [event.type for event in stream]
        built = stream.get_final_completion()
    assert built.choices[0].message.content == whole.choices[0].message.content
    assert {"chunk", "content.delta", "content.done"} <= set(kinds)


def test_a_stream_parses_a_forced_call(client):
    tool = openai.pydantic_function_tool(GetWeather)
    choice = {"type": "function", "function": {"name": "GetWeather"}}
    with client.chat.completions.stream(model=MODEL, messages=QUESTION, tools=[tool], tool_choice=choice, temperature=0) as stream:
        events = list(stream)
        built = stream.get_final_completion()
    [call] = built.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, GetWeather)
    done, = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert done.parsed_arguments == call.function.parsed_arguments


def test_the_stream_of_responses_builds_the_same_response(client):
    whole = client.responses.create(model=MODEL, input="What is 12 + 30?", temperature=0)
    with client.responses.stream(model=MODEL, input="What is 12 + 30?", temperature=0) as stream:
        kinds = [event.type for event in stream]
        built = stream.get_final_response()
    assert built.output_text == whole.output_text and "42" in whole.output_text
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert [item.type for item in built.output] == [item.type for item in whole.output]


def test_responses_parse_output_and_calls(client):
    parsed = client.responses.parse(model=MODEL, input="Tom is 7 years old.", text_format=Person, temperature=0)
    assert isinstance(parsed.output_parsed, Person)
    tool = openai.pydantic_function_tool(GetWeather)["function"]
    called = client.responses.parse(
        model=MODEL, input="The weather in Paris?", tools=[{"type": "function", **tool}], tool_choice="required", temperature=0)
    [call] = [item for item in called.output if item.type == "function_call"]
    assert set(call.parsed_arguments.model_dump() if hasattr(call.parsed_arguments, "model_dump") else call.parsed_arguments) == {"city"}


def test_a_response_goes_on_with_its_own_output(client):
    first = client.responses.create(model=MODEL, input="What is 12 + 30?", temperature=0)
    history = [{"role": "user", "content": "What is 12 + 30?"}, *first.output, {"role": "user", "content": "What is 1 + 2?"}]
    assert "3" in client.responses.create(model=MODEL, input=history, temperature=0).output_text


def test_tokens_embeddings_models_and_log_probabilities(client):
    assert client.responses.input_tokens.count(model=MODEL, input="What is 12 + 30?").input_tokens > 5
    assert len(client.embeddings.create(model=MODEL, input=["a", "b"]).data) == 2
    assert MODEL in [model.id for model in client.models.list()]
    reply = client.chat.completions.create(model=MODEL, messages=QUESTION, logprobs=True, top_logprobs=2, temperature=0)
    assert len(reply.choices[0].logprobs.content) == reply.usage.completion_tokens
    raw = client.completions.with_raw_response.create(model=MODEL, prompt="Once", max_tokens=4)
    assert raw.headers["x-request-id"] and raw.parse().usage.completion_tokens == 4


@pytest.mark.refusals(2)
def test_errors_have_their_classes(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no", messages=QUESTION)
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=MODEL, messages=QUESTION, top_p=3)
    assert error.value.param == "top_p"
