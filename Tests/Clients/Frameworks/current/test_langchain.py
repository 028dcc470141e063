"""langchain's ChatOpenAI over both APIs: a tool loop, structured output and a stream."""

import pydantic
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def get_weather(city: str) -> str:
    """Get the weather of a city"""
    return "rainy"


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def chat(request, base_url):
    return ChatOpenAI(
        base_url=base_url, api_key="none", model="trinity-tiny", temperature=0, max_retries=0,
        use_responses_api=request.param)


def test_a_tool_loop(chat):
    bound = chat.bind_tools([get_weather])
    messages = [HumanMessage("What is the weather in Paris?")]
    messages.append(bound.invoke(messages))
    [call] = messages[-1].tool_calls
    messages.append(ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]))
    assert "rain" in str(bound.invoke(messages).content)


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output(chat, method):
    class Color(pydantic.BaseModel):
        """A color"""

        name: str
        red: int

    bound = chat.with_structured_output(Color, method=method, include_raw=True)
    reply = bound.invoke("A color as JSON?")
    # In JSON mode the model is only told of the schema.
    assert method == "json_mode" or isinstance(reply["parsed"], Color)


def test_a_stream(chat):
    assert "".join(chunk.text for chunk in chat.stream("What is 12 + 30?")).endswith("12 + 30 = 42.")
