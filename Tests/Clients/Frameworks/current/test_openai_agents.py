"""OpenAI's agents SDK: a tool round trip and a handoff over both of its APIs."""

import asyncio
from typing import Literal

import pydantic
import pytest
from agents import (
    Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled)
from openai import AsyncOpenAI
from openai.types.shared import Reasoning

set_tracing_disabled(True)


@function_tool
def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return '{"sky": "rainy"}'


@pytest.fixture(params=[OpenAIChatCompletionsModel, OpenAIResponsesModel])
def model(request, base_url):
    client = AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
    return request.param(model="trinity-tiny", openai_client=client)


def test_a_tool_is_called_and_its_result_used(model):
    agent = Agent(
        name="Weather", instructions="Be brief.", model=model, tools=[get_weather],
        model_settings=ModelSettings(tool_choice="get_weather", temperature=0, max_tokens=200))
    result = asyncio.run(Runner.run(agent, "What is the weather in Paris?", max_turns=4))
    kinds = [item.type for item in result.new_items]
    assert "tool_call_item" in kinds and "tool_call_output_item" in kinds
    assert result.final_output


def test_an_agent_with_typed_output_calls_its_tool_first(model):
    """Each request has the tool and the format of the output: the model chooses."""
    class Sky(pydantic.BaseModel):
        sky: Literal["clear", "rainy"]

    agent = Agent(
        name="Weather", model=model, tools=[get_weather], output_type=Sky,
        model_settings=ModelSettings(temperature=0, max_tokens=300, reasoning=Reasoning(effort="none")))
    result = asyncio.run(Runner.run(agent, "What is the weather in Paris?", max_turns=4))
    kinds = [item.type for item in result.new_items]
    assert "tool_call_output_item" in kinds and isinstance(result.final_output, Sky)


def test_a_handoff_reaches_the_other_agent(model):
    other = Agent(name="Other", instructions="Be brief.", model=model, model_settings=ModelSettings(max_tokens=60))
    first = Agent(
        name="First", instructions="Hand off.", model=model, handoffs=[other],
        model_settings=ModelSettings(tool_choice="transfer_to_other", temperature=0, max_tokens=200))
    result = asyncio.run(Runner.run(first, "Say hello", max_turns=4))
    assert result.last_agent is other and result.final_output


def test_a_streamed_run_ends_with_the_same_parts(model):
    async def run():
        agent = Agent(
            name="Weather", instructions="Be brief.", model=model, tools=[get_weather],
            model_settings=ModelSettings(tool_choice="get_weather", temperature=0, max_tokens=200))
        result = Runner.run_streamed(agent, "What is the weather in Paris?", max_turns=4)
        events = [event.type async for event in result.stream_events()]
        return events, result.final_output

    events, output = asyncio.run(run())
    assert "raw_response_event" in events and output
