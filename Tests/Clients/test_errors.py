"""Each mistake becomes the client's own exception class, with the parameter that is wrong."""

import openai
import pytest
from conftest import MAX_MODEL_LEN
from trinity_server import eventually

MODEL = "trinity-tiny"
GREETING = [{"role": "user", "content": "Hello!"}]


@pytest.mark.parametrize("bias", [{"999999": 1}, {"5": 1000}, {"fox": 1}], ids=["id", "value", "name"])
def test_a_bad_logit_bias(client, bias):
    with pytest.raises(openai.BadRequestError) as failure:
        client.chat.completions.create(model=MODEL, messages=GREETING, logit_bias=bias)
    assert failure.value.param.startswith("logit_bias")
    assert failure.value.type == "invalid_request_error"
    assert failure.value.request_id


def test_an_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as failure:
        client.chat.completions.create(model="gpt-4", messages=GREETING)
    assert failure.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")


def test_a_prompt_over_the_context(client):
    length = MAX_MODEL_LEN + 88
    with pytest.raises(openai.BadRequestError) as failure:
        client.completions.create(model=MODEL, prompt=[5] * length, max_tokens=1)
    assert failure.value.code == "context_length_exceeded"
    assert str(MAX_MODEL_LEN) in failure.value.message and str(length) in failure.value.message


@pytest.mark.parametrize("values", [
    {"temperature": -1}, {"temperature": 3}, {"top_p": -0.1}, {"presence_penalty": 5}, {"n": 0}, {"max_tokens": 0},
    {"top_logprobs": 3}, {"stop": [""]}, {"response_format": {"type": "json"}},
], ids=lambda values: next(iter(values)))
def test_a_parameter_out_of_range_or_not_served_yet(client, values):
    with pytest.raises(openai.BadRequestError) as failure:
        client.chat.completions.create(model=MODEL, messages=GREETING, **values)
    assert failure.value.param.split(".")[0].split("[")[0] == next(iter(values))


def test_an_image_is_refused_by_its_index(client):
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    with pytest.raises(openai.BadRequestError) as failure:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    assert "1" in failure.value.param


@pytest.mark.parametrize("messages", [[], [{"role": "wizard", "content": "Hello!"}], [{"content": "Hello!"}]])
def test_messages_that_are_none(client, messages):
    with pytest.raises(openai.BadRequestError) as failure:
        client.chat.completions.create(model=MODEL, messages=messages)
    assert failure.value.param.startswith("messages")


def aborts(server):
    return server.samples()[("vllm:request_success_total", (("finished_reason", "abort"),))]


@pytest.mark.parametrize("field, headers", [
    ({"timeout": 1}, {}), ({}, {"x-request-timeout": "1"}),
], ids=["field", "header"])
def test_a_late_request_is_an_error_that_the_client_does_not_send_again(server, field, headers):
    # What earlier tests left behind may still be ending.
    eventually(server.is_idle)
    before = aborts(server)
    eager = openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=2, timeout=120)
    # Enough time to start the request on a busy machine, and none to end so many choices.
    choices = 128
    with pytest.raises(openai.InternalServerError) as failure:
        eager.completions.create(
            model=MODEL, prompt=[5] * 100, max_tokens=400, n=choices, extra_body={"ignore_eos": True, **field},
            extra_headers=headers)
    assert failure.value.status_code == 504 and failure.value.code == "deadline_exceeded"
    eventually(lambda: aborts(server) == before + choices)


def test_a_stream_that_is_late_raises(client):
    with pytest.raises(openai.APIError) as failure:
        stream = client.completions.create(
            model=MODEL, prompt="Once upon a time", max_tokens=400, n=8, stream=True,
            extra_body={"timeout": 0.2, "ignore_eos": True})
        for _ in stream:
            pass
    assert "timeout" in failure.value.message


def test_a_priority_is_taken_or_refused_by_its_bounds(client):
    create = client.chat.completions.create
    assert create(model=MODEL, messages=GREETING, max_tokens=2, extra_body={"priority": -5}).choices
    with pytest.raises(openai.BadRequestError) as failure:
        create(model=MODEL, messages=GREETING, extra_body={"priority": 1000})
    assert failure.value.param == "priority" and "-100 to 100" in failure.value.message


def test_the_access_log_has_the_reason_of_a_refusal(server):
    reply = server.post("/v1/chat/completions", {"messages": GREETING, "temperature": 77.25})
    assert reply.status == 400
    identity = f"request_id={reply.headers['x-request-id']}"
    eventually(lambda: identity in server.log_text())
    [line] = [line for line in server.log_text().splitlines() if identity in line]
    assert "error=invalid_value" in line and "param=temperature" in line and "77.25" not in line
