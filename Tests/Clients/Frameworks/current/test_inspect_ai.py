"""inspect-ai: the providers for any OpenAI API and for a running vLLM; a tool, log-probabilities, a schema, an evaluation."""

import asyncio

import pydantic
import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, GenerateConfig, ResponseSchema, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate
from inspect_ai.tool import ToolFunction, tool
from inspect_ai.util import json_schema


class Person(pydantic.BaseModel):
    name: str
    age: int


@tool
def get_weather():
    async def execute(city: str):
        """Get the weather of a city.

        Args:
            city: The city.
        """
        return "rainy"

    return execute


@pytest.fixture(params=["openai-api/trinity/trinity-tiny", "vllm/trinity-tiny"])
def model(request, base_url):
    return get_model(
        request.param, base_url=base_url, api_key="none", memoize=False,
        config=GenerateConfig(temperature=0, max_tokens=200, max_retries=0))


def test_a_tool_is_called_and_its_result_used(model):
    question = ChatMessageUser(content="What is the weather in Paris?")

    async def run():
        first = await model.generate([question], tools=[get_weather()], tool_choice=ToolFunction("get_weather"))
        messages, last = await model.generate_loop([question], tools=[get_weather()])
        return first, messages, last

    first, messages, last = asyncio.run(run())
    # As with OpenAI, a call by name ends with "stop".
    assert first.stop_reason == "stop" and first.message.tool_calls[0].function == "get_weather"
    assert [message.role for message in messages][:2] == ["assistant", "tool"] and "rain" in last.completion


def test_log_probabilities(model):
    config = GenerateConfig(logprobs=True, top_logprobs=3, max_tokens=5)
    output = asyncio.run(model.generate("Say hello", config=config))
    assert all(len(each.top_logprobs) == 3 for each in output.choices[0].logprobs.content)


def test_a_schema_binds_the_answer(model):
    config = GenerateConfig(response_schema=ResponseSchema(name="person", json_schema=json_schema(Person)))
    output = asyncio.run(model.generate("Tom is 7 years old.", config=config))
    assert Person.model_validate_json(output.completion)


def test_an_evaluation_ends_with_a_score(model, tmp_path):
    task = Task(
        dataset=[Sample(input="What is 12 + 30?", target="42"), Sample(input="What is 1 + 2?", target="3")],
        solver=generate(), scorer=includes())
    [log] = eval(task, model=model, log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    assert log.results.scores[0].metrics["accuracy"].value == 1
