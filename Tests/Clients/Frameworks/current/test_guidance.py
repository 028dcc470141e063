"""guidance with its backend for vLLM: grammars in the form of its own library, and what they capture."""

import re

import pytest
from guidance import assistant, gen, select, user
from guidance.models.experimental import VLLMModel


@pytest.fixture
def model(base_url):
    return VLLMModel("trinity-tiny", base_url=base_url, api_key="none", echo=False)


def test_a_choice_is_captured(model):
    with user():
        model += "Red or blue?"
    with assistant():
        model += select(["red", "blue"], name="color")
    assert model["color"] in ("red", "blue")


def test_a_regular_expression_is_captured_between_fixed_text(model):
    with user():
        model += "A plate?"
    with assistant():
        model += "It is " + gen("plate", regex=r"[A-Z]{2}-[0-9]{4}") + "."
    assert re.fullmatch(r"[A-Z]{2}-[0-9]{4}", model["plate"])
