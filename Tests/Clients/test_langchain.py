"""The server behind LangChain's ChatOpenAI."""

import pydantic
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI


@pytest.fixture
def chat(server):
    return ChatOpenAI(
        base_url=server.url + "/v1",
        api_key="none",
        model="trinity-tiny",
        temperature=0,
        max_retries=0,
        # Asked for by default from OpenAI itself only.
        stream_usage=True,
    )


@tool
def get_weather(city: str) -> str:
    """Get the weather of a city"""
    return "rainy"


def test_a_chat_whole_and_streamed(chat):
    question = "What is 12 + 30?"
    assert chat.invoke(question).content == "12 + 30 = 42."
    chunks = list(chat.stream(question))
    assert "".join(chunk.content for chunk in chunks) == "12 + 30 = 42."
    assert sum((chunk.usage_metadata or {}).get("output_tokens", 0) for chunk in chunks) > 0


def test_a_round_trip_through_a_tool(chat):
    bound = chat.bind_tools([get_weather])
    messages = [HumanMessage("What is the weather in Paris?")]
    messages.append(bound.invoke(messages))
    [call] = messages[-1].tool_calls
    assert call["name"] == "get_weather" and call["args"] == {"city": "Paris"}
    messages.append(ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]))
    assert "rain" in bound.invoke(messages).content


def test_structured_output_by_either_method(chat):
    class Color(pydantic.BaseModel):
        """A color"""

        name: str
        red: int

    for method in ["json_schema", "function_calling"]:
        assert isinstance(chat.with_structured_output(Color, method=method).invoke("A color?"), Color)


def test_log_probabilities_and_plain_completions(chat, server):
    reply = chat.bind(logprobs=True, top_logprobs=2).invoke("What is 12 + 30?")
    assert len(reply.response_metadata["logprobs"]["content"]) == reply.usage_metadata["output_tokens"]
    plain = OpenAI(base_url=server.url + "/v1", api_key="none", model="trinity-tiny", max_tokens=8, max_retries=0)
    assert plain.invoke("Once upon a time")
