"""Schemas as pydantic writes them: each gives replies that pydantic and jsonschema take."""

import datetime
import decimal
import enum
import ipaddress
import json
import pathlib
import uuid
from typing import Annotated, Literal, Optional, Union

import jsonschema
import openai
import pydantic
import pytest
from pydantic import BaseModel, Field, StringConstraints

MODEL = "trinity-tiny"


class Colour(enum.Enum):
    red = "red"
    blue = "blue"


class Address(BaseModel):
    street: str = Field(max_length=20)
    number: Optional[int] = Field(default=None, ge=1, le=9_007_199_254_740_991)


class Nested(BaseModel):
    name: str = Field(min_length=1, max_length=12)
    home: Address
    work: Optional[Address] = None


class Choices(BaseModel):
    colour: Colour
    size: Literal["s", "m", 3]


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = Field(ge=0, le=9)


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: Annotated[list[Literal["sit", "roll"]], Field(max_length=2)]


class Discriminated(BaseModel):
    pet: Annotated[Union[Cat, Dog], Field(discriminator="kind")]


class Times(BaseModel):
    at: datetime.datetime
    day: datetime.date
    id: uuid.UUID
    length: datetime.timedelta


class Addresses(BaseModel):
    address: ipaddress.IPv4Address
    url: pydantic.HttpUrl
    version: pydantic.UUID4


class Integers(BaseModel):
    positive: pydantic.PositiveInt
    even: int = Field(multiple_of=2, gt=10, lt=1000)
    number: int = Field(ge=-9_007_199_254_740_991, le=9_007_199_254_740_991)


class Decimals(BaseModel):
    share: float = Field(gt=0, lt=0.5)
    price: decimal.Decimal = Field(ge=0)
    step: float = Field(multiple_of=0.25, ge=-1, le=1)


class Lists(BaseModel):
    some: list[int] = Field(min_length=1, max_length=3)
    pairs: list[list[bool]] = Field(max_length=2)


class Counts(BaseModel):
    counts: dict[Annotated[str, StringConstraints(max_length=5)], int] = Field(max_length=2)


class Tuples(BaseModel):
    pair: tuple[int, bool]
    point: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]


class Tree(BaseModel):
    value: int = Field(ge=0, le=9)
    next: Optional["Tree"] = None


class Patterns(BaseModel):
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}\d+$", max_length=6)]
    slug: Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)*$", min_length=3, max_length=10)]


class Sets(BaseModel):
    tags: set[Annotated[str, StringConstraints(max_length=6)]] = Field(min_length=1, max_length=3)
    colours: frozenset[Colour]


class Aliases(BaseModel):
    model_config = pydantic.ConfigDict(title="Names", json_schema_extra={"x-order": 1})
    first: str = Field(alias="firstName", max_length=8)
    place: Annotated[pathlib.Path, Field(alias="filePath")]
    secret: pydantic.SecretStr = Field(max_length=8)


MODELS = [
    Nested, Choices, Discriminated, Times, Addresses, Integers, Decimals, Lists, Counts, Tuples, Tree, Patterns, Sets,
    Aliases]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_parse_gives_a_model(client, model):
    for seed in range(8):
        try:
            reply = client.chat.completions.parse(
                model=MODEL, messages=[{"role": "user", "content": "Make one as JSON."}], response_format=model, seed=seed,
                temperature=0.5 + 0.2 * seed, max_tokens=300, reasoning_effort="none")
        except openai.LengthFinishReasonError:
            # A string or a tree without a limit may be as long as the model likes.
            continue
        assert isinstance(reply.choices[0].message.parsed, model)
        return
    raise AssertionError("no reply ended in time")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_replies_are_valid_under_the_schema(client, model):
    """The schema as pydantic writes it, not as OpenAI's client changes it; most random tokens."""
    schema = model.model_json_schema()
    reply = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Make one as JSON."}], n=6, seed=3, temperature=1.5,
        max_tokens=300, reasoning_effort="none",
        response_format={"type": "json_schema", "json_schema": {"name": "one", "schema": schema}})
    exact = json.loads(json.dumps(schema), parse_float=decimal.Decimal)
    for choice in reply.choices:
        if choice.finish_reason == "length":
            continue
        text = choice.message.content
        jsonschema.validate(
            json.loads(text, parse_float=decimal.Decimal), exact, cls=jsonschema.Draft202012Validator,
            format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
        model.model_validate_json(text)


# As zod 4 writes them (z.toJSONSchema).
ZOD = [
    {"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991},
    {"type": "integer", "exclusiveMinimum": 0, "maximum": 9007199254740991},
    {"type": "object", "propertyNames": {"type": "string", "maxLength": 3},
     "additionalProperties": {"type": "string", "maxLength": 3}, "maxProperties": 2},
    {"type": "string", "format": "date-time", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"},
    {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083},
    {"anyOf": [{"type": "string", "maxLength": 4}, {"type": "null"}]},
    {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}], "items": False},
    {"type": "string", "maxLength": 65536, "pattern": "^[a-f]{1,9}$"},
]


@pytest.mark.parametrize("property", ZOD, ids=lambda property: json.dumps(property)[:40])
def test_zod(client, property):
    schema = {"type": "object", "properties": {"a": property}, "required": ["a"], "additionalProperties": False}
    reply = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "x"}], n=3, seed=1, temperature=1, max_tokens=300,
        reasoning_effort="none",
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}})
    for choice in reply.choices:
        if choice.finish_reason == "stop":
            jsonschema.validate(json.loads(choice.message.content), schema)


def test_forced_calls_end(client):
    """Twenty seeds of a call that the request forces."""
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}, "notes": {"type": "array", "contains": {}}},
        "required": ["city"]}}}
    for seed in range(20):
        reply = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "What is the weather in Paris?"}], tools=[tool],
            tool_choice="required", seed=seed, max_tokens=300, reasoning_effort="none")
        assert reply.choices[0].finish_reason == "tool_calls", reply.choices[0]
        assert "city" in json.loads(reply.choices[0].message.tool_calls[0].function.arguments)


def test_a_grammar_in_larks_notation(client):
    grammar = '%llguidance {}\nstart: ("up" | "down") " " DIGIT~2\n%import common.DIGIT'
    body = {"structured_outputs": {"grammar": grammar}, "guided_grammar": grammar}
    reply = client.completions.create(model=MODEL, prompt="It goes", extra_body=body, max_tokens=20)
    direction, digits = reply.choices[0].text.split(" ")
    assert direction in ("up", "down") and len(digits) == 2 and digits.isdigit()


def test_structural_tags(client):
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["n"]}
    content = {"type": "json_schema", "json_schema": schema}
    for form in [
        {"format": {"type": "triggered_tags", "triggers": ["<f>"], "at_least_one": True, "stop_after_first": True,
                    "tags": [{"begin": "<f>", "content": content, "end": "</f>"}], "excludes": []}},
        {"format": {"type": "tag", "begin": "<f>", "content": content, "end": "</f>"}},
    ]:
        reply = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "x"}], max_tokens=200, reasoning_effort="none", seed=4,
            response_format={"type": "structural_tag", **form})
        text = reply.choices[0].message.content
        if reply.choices[0].finish_reason == "stop":
            assert 1 <= json.loads(text[text.index("<f>") + 3:text.index("</f>")])["n"] <= 9
