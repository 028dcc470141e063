"""dspy: a plain call, and Predict, ChainOfThought, typed output and a tool with fields that a JSON schema binds.

dspy sends a schema to a server of its own choice only where its provider is declared to take one.
"""

import enum
from typing import Literal

import dspy
import dspy.lm15
import pydantic
import pytest


class Person(pydantic.BaseModel):
    name: str
    age: int


class Mood(enum.Enum):
    good = "good"
    bad = "bad"


OPTIONS = {"api_key": "none", "temperature": 0, "max_tokens": 300, "cache": False, "num_retries": 0}


@pytest.fixture
def bound(base_url):
    dspy.lm15.register_provider(
        dspy.lm15.ProviderDefinition.chat(
            dspy.lm15.AccessPolicy(provider="trinity", env_keys=("TRINITY_KEY",), base_url=base_url),
            compat=dspy.lm15.OpenAIChatCompat.preset("vllm")),
        supports=dspy.lm15.ModelSupport(function_calling=True, response_schema=True))
    with dspy.context(lm=dspy.LM("trinity/trinity-tiny", **OPTIONS), adapter=dspy.JSONAdapter()):
        yield


@pytest.mark.parametrize("model", ["openai/trinity-tiny", "hosted_vllm/trinity-tiny"])
def test_a_plain_call(base_url, model):
    [text] = dspy.LM(model, api_base=base_url, **OPTIONS)("What is 12 + 30?")
    assert "42" in str(text)


def test_predict(bound):
    assert isinstance(dspy.Predict("question -> answer")(question="What is 12 + 30?").answer, str)


def test_a_chain_of_thought(bound):
    # Of a few words: this model's free thoughts need not end.
    thought = Literal["I add the numbers.", "I guess."]
    reply = dspy.ChainOfThought("question -> answer", rationale_field_type=thought)(question="What is 12 + 30?")
    assert reply.reasoning in thought.__args__ and isinstance(reply.answer, str)


@pytest.mark.parametrize("kind", [int, bool, float, list[int], Mood, Person, Literal["red", "blue"]], ids=str)
def test_typed_output(bound, kind):
    signature = dspy.Signature({"question": (str, dspy.InputField()), "answer": (kind, dspy.OutputField())})
    answer = dspy.Predict(signature)(question="Tom is 7 years old. Who is that?").answer
    assert pydantic.TypeAdapter(kind).validate_python(answer) == answer


def test_a_tool_is_called(bound):
    class Call(dspy.Signature):
        question: str = dspy.InputField()
        tools: list[dspy.Tool] = dspy.InputField()
        calls: dspy.ToolCalls = dspy.OutputField()

    def get_weather(city: str) -> str:
        """Get the weather of a city"""
        return "rainy"

    reply = dspy.Predict(Call, tool_choice="required")(question="What is the weather in Paris?", tools=[dspy.Tool(get_weather)])
    assert reply.calls.tool_calls[0].name == "get_weather"
