"""litellm as a proxy: OpenAI's client, Anthropic's form and tools pass through it to the server and back."""

import contextlib
import functools
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

import anthropic
import openai
import pytest
from trinity_server import free_port

# The proxy does not start without a key of its own.
KEY = "sk-0123456789abcdef0123456789abcdef"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": "Get the weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


@pytest.fixture(scope="module")
def proxy(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "config.yaml").write_text(json.dumps({
        "model_list": [
            {"model_name": "trinity", "litellm_params": {
                "model": "openai/trinity-tiny", "api_base": server.url + "/v1", "api_key": "none"}},
            # The proxy asks /v1/messages of the server.
            {"model_name": "trinity-messages", "litellm_params": {
                "model": "anthropic/trinity-tiny", "api_base": server.url, "api_key": "none"}}],
        "general_settings": {"disable_spend_logs": True}}))
    port = free_port()
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [pathlib.Path(sys.executable).parent / "litellm", "--config", folder / "config.yaml", "--host", "127.0.0.1",
         "--port", str(port), "--telemetry", "False"], stdout=log, stderr=log, env=os.environ | {"NO_DOCS": "True", "LITELLM_MASTER_KEY": KEY})
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url + "/health/liveliness")
            break
        time.sleep(0.5)
    assert process.poll() is None, (folder / "log").read_text()[-3000:]
    yield url
    process.terminate()
    process.wait(30)


@pytest.mark.parametrize("model", ["trinity", "trinity-messages"])
def test_a_tool_loop_through_the_proxy(proxy, model):
    client = openai.OpenAI(base_url=proxy, api_key=KEY, max_retries=0)
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER], temperature=0)
    message = first.choices[0].message
    assert message.tool_calls
    # Whole, with what the proxy has put in.
    messages += [message.model_dump(), {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "rainy"}]
    second = client.chat.completions.create(model=model, messages=messages, tools=[WEATHER], temperature=0)
    assert "rain" in second.choices[0].message.content


@pytest.mark.parametrize("model", ["trinity", "trinity-messages"])
def test_a_stream_through_the_proxy(proxy, model):
    client = openai.OpenAI(base_url=proxy, api_key=KEY, max_retries=0)
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "What is 12 + 30?"}], temperature=0, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "12 + 30 = 42."


@pytest.fixture(params=["trinity", "trinity-messages"])
def ask(request, proxy):
    client = anthropic.Anthropic(base_url=proxy, api_key=KEY, max_retries=0)
    return functools.partial(
        client.messages.stream, model=request.param, max_tokens=200, extra_body={"temperature": 0})


def test_anthropics_form_through_the_proxy(ask):
    with ask(messages=[{"role": "user", "content": "What is 12 + 30?"}]) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    assert any("42" in block.text for block in message.content if block.type == "text")
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop" and message.usage.output_tokens > 0


def test_a_tool_loop_in_anthropics_form_through_the_proxy(ask):
    function = WEATHER["function"]
    tools = [{"name": function["name"], "description": function["description"], "input_schema": function["parameters"]}]
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    with ask(messages=messages, tools=tools) as stream:
        first = stream.get_final_message()
    call = first.content[-1]
    assert first.stop_reason == "tool_use" and call.input == {"city": "Paris"}
    messages += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "rainy"}]}]
    with ask(messages=messages, tools=tools) as stream:
        assert any("rain" in block.text for block in stream.get_final_message().content if block.type == "text")
