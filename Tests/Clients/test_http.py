"""What stands around the API: health, metrics, plain HTTP, and the promises of openapi.yaml."""

import json
import re
import socket

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from trinity_server import REPOSITORY, eventually

COMPLETION = {"model": "trinity-tiny", "prompt": "Once upon a time", "max_tokens": 4, "temperature": 0}
API = yaml.safe_load((REPOSITORY / "openapi.yaml").read_text())
OPERATIONS = [
    (path, method) for path, item in API["paths"].items() for method in item if method in ("get", "post", "put", "delete")
]


def test_the_server_is_alive_and_ready(server):
    assert server.get("/health").status == 200
    assert server.get("/ready").status == 200
    assert re.match(r"\d+\.\d+\.\d+", server.get("/version").json["version"])


def test_head_has_the_headers_of_get_and_no_body(server):
    reply = server.request("HEAD", "/v1/models")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["Content-Length"]) == len(server.get("/v1/models").body)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/completions", 405)])
def test_a_wrong_address_is_an_error_object(server, method, path, status):
    reply = server.request(method, path)
    assert reply.status == status
    assert set(reply.json["error"]) == {"message", "type", "param", "code"}
    assert status != 405 or "POST" in reply.headers["Allow"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"prompt":"\xff"}', b'{"prompt": 1}'])
def test_a_broken_body_is_a_400(server, body):
    reply = server.post("/v1/completions", body)
    assert (reply.status, reply.json["error"]["type"]) == (400, "invalid_request_error")


def test_garbage_is_a_400_and_the_connection_closes(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 garbage\r\n\r\n")
        reply = b""
        while received := connection.recv(4096):
            reply += received
    assert reply.startswith(b"HTTP/1.1 400 ")


def test_a_stream_has_the_shape_that_clients_parse(server):
    reply = server.post("/v1/completions", COMPLETION | {"stream": True, "stream_options": {"include_usage": True}})
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in reply.events[:-1]]
    assert [chunk["usage"] is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["completion_tokens"] == 4


def test_a_connection_serves_more_after_a_stream(server):
    body = json.dumps(COMPLETION | {"stream": True}).encode()
    request = (
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body))
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(request)
        reply = b""
        while not reply.endswith(b"\r\n0\r\n\r\n"):
            received = connection.recv(4096)
            assert received, "the server closed the connection"
            reply += received
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_metrics_parse_and_count_what_happened(server):
    def values():
        names = ("vllm:prompt_tokens_total", "vllm:generation_tokens_total", "vllm:time_to_first_token_seconds_count")
        return [server.metric(name) for name in names]

    eventually(server.is_idle)
    before = values()
    usage = server.post("/v1/completions", COMPLETION | {"n": 2, "ignore_eos": True}).json["usage"]
    assert usage["completion_tokens"] == 8
    # Prompt tokens count what was computed: each choice computes the prompt unless it shares it.
    eventually(lambda: [b - a for a, b in zip(before, values())][1:] == [8, 2])
    assert values()[0] - before[0] in (usage["prompt_tokens"], 2 * usage["prompt_tokens"])


def test_the_core_metrics_are_there(server):
    server.post("/v1/completions", COMPLETION)
    text = server.get("/metrics").body.decode()
    names = {name for name, _ in server.samples()}
    for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "prompt_tokens_total",
                 "generation_tokens_total"):
        assert f"vllm:{name}" in names
    assert 'model_name="trinity-tiny"' in text
    for name in ("time_to_first_token_seconds", "inter_token_latency_seconds"):
        buckets = [
            (float(dict(labels)["le"]), value) for (sample, labels), value in server.samples().items()
            if sample == f"vllm:{name}_bucket"]
        counts = [count for _, count in sorted(buckets)]
        assert counts == sorted(counts) and counts[-1] == server.metric(f"vllm:{name}_count") > 0


def test_a_client_that_leaves_frees_its_blocks(server):
    eventually(server.is_idle)
    body = json.dumps(COMPLETION | {"max_tokens": 480, "ignore_eos": True, "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    eventually(server.is_idle)


def locate(pointer):
    """The JSON pointer's value, following references on the way; with the pointer of where it really is."""
    value, place = API, ""
    for step in pointer:
        while isinstance(value, dict) and "$ref" in value:
            value, place = locate(value["$ref"].removeprefix("#/").split("/"))
        step = step.replace("~1", "/").replace("~0", "~")
        value = value[step] if step in value else value[int(step)]
        place += "/" + step.replace("~", "~0").replace("/", "~1")
    while isinstance(value, dict) and "$ref" in value:
        value, place = locate(value["$ref"].removeprefix("#/").split("/"))
    return value, place


def check_against_the_document(reply, path, method):
    """The status is documented, and a JSON body is valid against its schema."""
    responses = API["paths"][path][method]["responses"]
    status = str(reply.status) if str(reply.status) in responses else "default"
    assert status in responses, f"{method} {path} answered {reply.status}: {reply.body[:300]}"
    response, place = locate(["paths", path.replace("/", "~1"), method, "responses", status])
    media = reply.headers["Content-Type"].split(";")[0]
    assert media in response["content"]
    if media == "application/json":
        validate(reply.json, f"{place}/content/application~1json/schema")
    if media == "text/event-stream":
        data = "itemSchema/properties/data"
        if path in ("/v1/completions", "/v1/chat/completions"):
            data += "/oneOf/1"
        for event in reply.events:
            if event != "[DONE]":
                validate(json.loads(event), f"{place}/content/text~1event-stream/{data}/contentSchema")


def validate(value, pointer):
    registry = Registry().with_resource("urn:api", Resource(contents=API, specification=DRAFT202012))
    Draft202012Validator({"$ref": f"urn:api#{pointer}"}, registry=registry).validate(value)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_documented_route_answers_as_documented(server, path, method):
    address = re.sub(r"\{[^}]*\}", "trinity-tiny", path)
    reply = server.request(method.upper(), address, {} if method == "post" else None)
    assert reply.status not in (404, 405)
    check_against_the_document(reply, path, method)


def request_examples():
    for path, method in OPERATIONS:
        body = API["paths"][path][method].get("requestBody")
        if body is None:
            continue
        media, _ = locate(["paths", path.replace("/", "~1"), method, "requestBody", "content", "application/json"])
        for name, example in media.get("examples", {}).items():
            yield pytest.param(path, method, example["value"], id=f"{path}: {name}")
        if "example" in media:
            yield pytest.param(path, method, media["example"], id=path)


@pytest.mark.parametrize(("path", "method", "example"), list(request_examples()))
def test_every_example_of_the_document_is_served(server, path, method, example):
    reply = server.request(method.upper(), path, example)
    assert reply.status == 200, reply.body
    if example.get("stream"):
        last = reply.events[-1]
        # The other APIs say it in an event of their own.
        assert last == "[DONE]" or json.loads(last)["type"] in {"response.completed", "message_stop"}
    check_against_the_document(reply, path, method)


@pytest.mark.parametrize(("path", "method", "body"), [
    ("/v1/completions", "post", COMPLETION), ("/v1/completions", "post", COMPLETION | {"logprobs": 2, "n": 2}),
    ("/v1/chat/completions", "post", {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4}),
    ("/v1/chat/completions", "post", {
        "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4, "logprobs": True, "top_logprobs": 2}),
    ("/v1/completions", "post", COMPLETION | {"logprobs": 2, "stream": True, "stream_options": {"include_usage": True}}),
    ("/v1/chat/completions", "post", {
        "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4, "logprobs": True, "top_logprobs": 2,
        "stream": True, "stream_options": {"include_usage": True}}),
    ("/v1/chat/completions", "post", {"messages": "Hello!"}), ("/v1/completions", "post", COMPLETION | {"n": -1}),
    ("/v1/completions", "post", COMPLETION | {"model": "gpt-4"}),
])
def test_a_reply_is_valid_against_the_document(server, path, method, body):
    check_against_the_document(server.post(path, body), path, method)
