"""smolagents with OpenAIServerModel: an agent that calls tools, streamed too, and one that writes code in a bound form."""

import pytest
from smolagents import CodeAgent, OpenAIServerModel, ToolCallingAgent, tool
from smolagents.memory import ActionStep


@tool
def get_weather(city: str) -> str:
    """Get the weather of a city.

    Args:
        city: The city.
    """
    return "rainy"


@pytest.fixture
def model(long_server):
    return OpenAIServerModel(
        model_id="trinity-tiny", api_base=long_server.url + "/v1", api_key="none", temperature=0, max_tokens=200,
        client_kwargs={"max_retries": 0})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_tool_is_called_in_each_step(model, stream):
    """It requires a call in every step and calls one of the tools or `final_answer`; this model may never come to an end."""
    agent = ToolCallingAgent([get_weather], model, max_steps=2, stream_outputs=stream, verbosity_level=0)
    agent.run("What is the weather in Paris?")
    steps = [step for step in agent.memory.steps if isinstance(step, ActionStep)]
    assert steps and steps[0].tool_calls, [step.error for step in steps]


def test_code_in_a_bound_form(model):
    agent = CodeAgent([], model, max_steps=1, use_structured_outputs_internally=True, verbosity_level=0)
    agent.run("What is 12 + 30?")
    [step] = [step for step in agent.memory.steps if isinstance(step, ActionStep)][:1]
    # The model may need all of its tokens for the first member.
    assert step.model_output.replace(" ", "").startswith('{"thought":"')
