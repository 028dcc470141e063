"""Semantic Kernel: a chat, a stream, a plugin's function that it calls by itself, a structured answer, and embeddings."""

import asyncio
import json

import openai
import pydantic
import pytest
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_choice_behavior import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import (
    OpenAIChatCompletion, OpenAIChatPromptExecutionSettings, OpenAITextEmbedding)
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function


class Person(pydantic.BaseModel):
    name: str
    age: int


class Weather:
    asked = None

    @kernel_function(description="Get the weather of a city")
    def get_weather(self, city: str) -> str:
        self.asked = city
        return "rainy"


@pytest.fixture
def client(base_url):
    return openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)


@pytest.fixture
def chat(client):
    return OpenAIChatCompletion(ai_model_id="trinity-tiny", async_client=client)


def history(text):
    messages = ChatHistory(system_message="Be brief.")
    messages.add_user_message(text)
    return messages


def settings(**options):
    return OpenAIChatPromptExecutionSettings(temperature=0, max_tokens=200, **options)


def test_a_chat_whole_and_streamed(chat):
    async def run():
        whole = await chat.get_chat_message_content(history("What is 12 + 30?"), settings())
        pieces = [
            str(piece) async for piece in chat.get_streaming_chat_message_content(history("What is 12 + 30?"), settings())]
        return str(whole), "".join(pieces)

    whole, streamed = asyncio.run(run())
    assert whole and streamed == whole


def test_a_function_of_a_plugin_is_called_and_its_result_goes_back(chat):
    kernel, weather = Kernel(), Weather()
    kernel.add_plugin(weather, "weather")
    choice = FunctionChoiceBehavior.Required(auto_invoke=True, maximum_auto_invoke_attempts=1)
    messages = history("What is the weather in Paris?")
    asyncio.run(chat.get_chat_message_content(messages, settings(function_choice_behavior=choice), kernel=kernel))
    assert weather.asked is not None


def test_a_structured_answer(chat):
    reply = asyncio.run(chat.get_chat_message_content(history("Tom is 7 years old."), settings(response_format=Person)))
    assert Person.model_validate(json.loads(str(reply)))


def test_embeddings(client):
    service = OpenAITextEmbedding(ai_model_id="trinity-tiny", async_client=client)
    vectors = asyncio.run(service.generate_embeddings(["Once upon a time", "Es war einmal"]))
    assert vectors.shape == (2, 256)
