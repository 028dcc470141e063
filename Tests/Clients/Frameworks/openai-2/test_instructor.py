"""instructor: each of its modes for these two APIs gives an object of the model's class.

Modes that only tell the model of a schema show that the request is served: this model is too small to follow one.
"""

import anthropic
import instructor
import openai
import pydantic
import pytest
from instructor.core.exceptions import InstructorRetryException

MODEL = "trinity-tiny"


class Person(pydantic.BaseModel):
    name: str
    age: int


QUESTION = [{"role": "user", "content": "Tom is 7 years old. Who is that?"}]
BOUND = [
    instructor.Mode.FUNCTIONS, instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT, instructor.Mode.JSON,
    instructor.Mode.JSON_SCHEMA, instructor.Mode.RESPONSES_TOOLS,
    instructor.Mode.RESPONSES_TOOLS_WITH_INBUILT_TOOLS]
TOLD = [instructor.Mode.MD_JSON, instructor.Mode.JSON_O1]


@pytest.fixture
def client(base_url):
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0)


def ask(client, mode, model=Person, **options):
    with_mode = instructor.from_openai(client, mode=mode)
    return with_mode.create(
        model=MODEL, response_model=model, messages=QUESTION, max_retries=0, temperature=0, **options)


@pytest.mark.parametrize("mode", BOUND)
def test_a_mode_that_binds_the_output_gives_an_object(client, mode):
    assert isinstance(ask(client, mode), Person)


@pytest.mark.parametrize("mode", TOLD)
def test_a_mode_that_tells_of_a_schema_is_served(client, mode):
    try:
        assert isinstance(ask(client, mode), Person)
    except InstructorRetryException as error:
        assert isinstance(error.__cause__, pydantic.ValidationError) or "json" in str(error).lower(), error


def test_parallel_tools_give_objects(client):
    from collections.abc import Iterable

    try:
        people = list(ask(client, instructor.Mode.PARALLEL_TOOLS, Iterable[Person]))
        assert all(isinstance(person, Person) for person in people)
    except InstructorRetryException as error:
        # The mode leaves the call to the model, which is too small to think of one.
        assert "No tool calls" in str(error), error


def test_a_stream_of_partial_objects_ends_whole(client):
    with_mode = instructor.from_openai(client, mode=instructor.Mode.TOOLS)
    parts = list(with_mode.create_partial(
        model=MODEL, response_model=Person, messages=QUESTION, max_retries=0, temperature=0))
    assert Person.model_validate(parts[-1].model_dump())


@pytest.mark.parametrize("mode", [
    instructor.Mode.ANTHROPIC_TOOLS, instructor.Mode.ANTHROPIC_REASONING_TOOLS, instructor.Mode.ANTHROPIC_JSON])
def test_modes_of_anthropics_api(server, mode):
    client = instructor.from_anthropic(
        anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0), mode=mode)
    try:
        assert isinstance(client.create(
            model=MODEL, response_model=Person, messages=QUESTION, max_retries=0, max_tokens=400), Person)
    except InstructorRetryException as error:
        # The schema is only told in this mode, and a call is not forced where the model may reason.
        assert mode != instructor.Mode.ANTHROPIC_TOOLS and "BadRequest" not in repr(error), error
