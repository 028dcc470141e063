"""pydantic-ai over both APIs: output as a class, a tool, a stream, and a history that comes back."""

from typing import Literal

import anthropic
import openai
import pydantic
import pytest
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class City(pydantic.BaseModel):
    name: str
    population: int


@pytest.fixture(params=["chat", "responses", "anthropic"])
def model(request, server):
    name = "trinity-tiny"
    if request.param == "anthropic":
        client = anthropic.AsyncAnthropic(base_url=server.url, api_key="none", max_retries=0)
        return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client))
    client = openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0)
    kind = OpenAIChatModel if request.param == "chat" else OpenAIResponsesModel
    return kind(name, provider=OpenAIProvider(openai_client=client))


SETTINGS = {"max_tokens": 400, "temperature": 0}


def test_output_is_an_object_of_a_class(model):
    agent = Agent(model, output_type=City, model_settings=SETTINGS, retries=0)
    assert isinstance(agent.run_sync("Paris has 2 million people.").output, City)


def test_a_text_and_its_history(model):
    agent = Agent(model, instructions="Be brief.", model_settings=SETTINGS)
    first = agent.run_sync("What is 12 + 30?")
    assert first.output
    assert agent.run_sync("And again?", message_history=first.all_messages()).output


def test_a_tool_may_be_called(model):
    agent = Agent(model, model_settings=SETTINGS)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return "rainy"

    assert agent.run_sync("What is the weather in Paris?").output


# Of Anthropic's API it asks for native output only from the models that it knows.
@pytest.mark.parametrize("model", ["chat", "responses"], indirect=True)
def test_native_output_leaves_room_for_a_tool(model):
    class Sky(pydantic.BaseModel):
        sky: Literal["clear", "rainy"]

    agent = Agent(model, output_type=NativeOutput(Sky), model_settings=SETTINGS, retries=0)
    asked = []

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        asked.append(city)
        return '{"sky": "rainy"}'

    assert isinstance(agent.run_sync("What is the weather in Paris?").output, Sky) and asked
