"""outlines with its backend for vLLM: each kind of output type binds what the model writes."""

import datetime
import enum
import json
import re
from typing import Literal

import openai
import outlines
import pydantic
import pytest
from outlines.types import CFG, Regex


class Color(enum.Enum):
    red = "red"
    blue = "blue"


class Event(pydantic.BaseModel):
    title: str = pydantic.Field(max_length=12)
    day: datetime.date
    color: Color
    seats: int = pydantic.Field(ge=1, le=50)


@pytest.fixture
def model(base_url):
    return outlines.from_vllm(openai.OpenAI(base_url=base_url, api_key="none", max_retries=0), "trinity-tiny")


def test_a_class(model):
    assert Event.model_validate_json(model("An event", Event, max_tokens=300))


def test_a_choice(model):
    assert model("Red or blue?", Literal["red", "blue"], max_tokens=20) in ("red", "blue")


def test_a_regular_expression(model):
    assert re.fullmatch(r"[A-Z]{2}-[0-9]{4}", model("A plate", Regex(r"[A-Z]{2}-[0-9]{4}"), max_tokens=30))


def test_a_number(model):
    assert isinstance(int(model("How many?", int, max_tokens=30)), int)


def test_a_grammar_in_larks_form(model):
    grammar = """
        start: sum
        sum: NUMBER (OPERATOR NUMBER)~1..3
        NUMBER: /[0-9]{1,3}/
        OPERATOR: " + " | " - "
    """
    assert re.fullmatch(r"\d{1,3}( [+-] \d{1,3}){1,3}", model("A sum", CFG(grammar), max_tokens=60))


def test_a_stream(model):
    assert json.loads("".join(model.stream("An event", Event, max_tokens=300)))
