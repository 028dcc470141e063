"""langchain's ChatAnthropic over the Messages API: a tool loop, a forced call, structured output and a stream."""

from typing import Literal

import pydantic
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool


@tool
def get_weather(city: str) -> str:
    """Get the weather of a city"""
    return "rainy"


@pytest.fixture
def chat(server):
    return ChatAnthropic(base_url=server.url, api_key="none", model="trinity-tiny", temperature=0, max_tokens=200, max_retries=0)


def test_a_tool_loop(chat):
    bound = chat.bind_tools([get_weather])
    messages = [SystemMessage("Be brief."), HumanMessage("What is the weather in Paris?")]
    messages.append(chat.bind_tools([get_weather], tool_choice="get_weather").invoke(messages))
    [call] = messages[-1].tool_calls
    assert messages[-1].response_metadata["stop_reason"] == "tool_use"
    messages.append(ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]))
    assert bound.invoke(messages).text


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(chat, method):
    class Color(pydantic.BaseModel):
        """A color"""

        name: Literal["red", "blue"]
        red: int

    assert isinstance(chat.with_structured_output(Color, method=method).invoke("A color as JSON?"), Color)


def test_a_stream_says_the_same_and_counts_tokens(chat):
    whole = chat.invoke("What is 12 + 30?")
    chunks = list(chat.stream("What is 12 + 30?"))
    assert "".join(chunk.text for chunk in chunks) == whole.text and whole.text.endswith("42.")
    assert sum((chunk.usage_metadata or {}).get("output_tokens", 0) for chunk in chunks) == whole.usage_metadata["output_tokens"]
