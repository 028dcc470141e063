"""What clients send and a text model can do without is accepted, and `x-ignored` says what was left out.

`--strict-parameters` refuses it by name. What would change the answer stays a 400 either way.
"""

import json

import pytest
from trinity_server import Server

USER = {"role": "user", "content": "Say hello"}
TOOL = {
    "name": "f", "description": "d",
    "parameters": {"type": "object", "properties": {"p": {"type": "string"}}, "required": ["p"]}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def strict():
    with Server("--strict-parameters") as running:
        yield running


@pytest.fixture(scope="module")
def lenient():
    with Server() as running:
        yield running


def chat(server, **fields):
    return server.post("/v1/chat/completions", {"messages": [USER], "max_tokens": 4} | fields)


def responses(server, **fields):
    return server.post("/v1/responses", {"input": "Say hello", "max_output_tokens": 16} | fields)


def messages(server, **fields):
    return server.post("/v1/messages", {"messages": [USER], "max_tokens": 4} | fields)


def ignored(reply):
    assert reply.status == 200, reply.body
    return [name for name in (reply.headers["x-ignored"] or "").split(", ") if name]


def prompt_tokens(reply):
    assert reply.status == 200, reply.body
    usage = reply.json["usage"]
    if "prompt_tokens" in usage:
        return usage["prompt_tokens"]
    # Anthropic counts what came from the cache apart.
    return usage["input_tokens"] + usage.get("cache_read_input_tokens", 0)


# Names that clients of other servers send at the top of a chat request, with a value each.
UNKNOWN = {
    "keep_alive": "5m", "chat_id": "c1", "session_id": "s1", "provider": {"order": ["a"]}, "cache_prompt": True,
    "num_ctx": 4096, "options": {"num_ctx": 4096}, "transforms": ["middle-out"], "models": ["a", "b"], "route": "fallback",
    "plugins": [{"id": "web"}], "usage": {"include": True}, "mirostat_tau": 5.0, "mirostat_eta": 0.1,
    "tfs_z": 1.0, "n_keep": 0, "slot_id": -1, "id_slot": -1, "penalize_nl": False, "n_probs": 0, "features": {},
    "background_tasks": {}, "stream_interval": 4, "safe_prompt": False, "prompt_mode": "reasoning",
    "web_search_options": {}, "search_parameters": {"mode": "auto"},
    "user_id": "u", "trace_id": "t", "request_timeout": 60, "extra_body": {}, "guided_decoding_backend": "xgrammar",
    "lora_path": "", "preset": "", "include": [], "template": "x", "raw": False, "think": True,
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_field_of_a_chat_is_ignored_and_told(lenient, strict, name):
    assert name in ignored(chat(lenient, **{name: UNKNOWN[name]}))


def test_an_unknown_field_changes_no_token(lenient):
    plain = chat(lenient, seed=1, max_tokens=20).json["choices"]
    assert chat(lenient, seed=1, max_tokens=20, chat_id="c1", keep_alive=-1, provider={}).json["choices"] == plain


@pytest.mark.parametrize("send", [chat, responses, messages])
def test_the_strict_server_refuses_an_unknown_field_by_name(strict, send):
    reply = send(strict, no_such_field=1)
    assert reply.status == 400
    assert reply.json["error"]["param"] == "no_such_field"
    assert "no_such_field" in reply.json["error"]["message"]


@pytest.mark.parametrize("send", [chat, responses, messages])
def test_an_unknown_field_is_told_by_every_api_also_in_a_stream(lenient, send):
    assert ignored(send(lenient, no_such_field=1)) == ["no_such_field"]
    assert ignored(send(lenient, no_such_field=1, stream=True)) == ["no_such_field"]
    assert "x-ignored" not in send(lenient).headers


def test_completions_ignore_too(lenient):
    reply = lenient.post("/v1/completions", {"prompt": "Once", "max_tokens": 2, "no_such_field": 1})
    assert ignored(reply) == ["no_such_field"]


@pytest.mark.parametrize("path, body", [
    ("/v1/messages/count_tokens", {"messages": [USER]}), ("/v1/responses/input_tokens", {"input": "x"}),
    ("/v1/chat/completions/render", {"messages": [USER]}), ("/tokenize", {"messages": [USER]}), ("/tokenize", {"prompt": "x"}),
    ("/detokenize", {"tokens": [1]}), ("/v1/embeddings", {"input": "x"}),
])
def test_endpoints_that_generate_nothing_tell_it_too(lenient, strict, path, body):
    assert ignored(lenient.post(path, body | {"no_such_field": 1})) == ["no_such_field"]
    assert ignored(lenient.post(path, body)) == []
    assert strict.post(path, body | {"no_such_field": 1}).status == 400


def test_the_header_stays_short_and_printable_whatever_the_names_are(lenient):
    names = {f"field_{number}_{'x' * 100}": 1 for number in range(1000)} | {"lines\r\nand, commas: ü": 1}
    reply = chat(lenient, **names)
    assert reply.status == 200
    assert len(reply.headers["x-ignored"]) < 4096 and reply.headers["x-ignored"].isascii()


def test_ignored_fields_are_counted_and_logged_once_for_each_name():
    with Server() as server:
        for _ in range(3):
            chat(server, chat_id="c", never_heard_of="x")
        assert server.metric("trinity_ignored_parameters_total") == 6
        assert server.log_text().count("never_heard_of") == 1


@pytest.mark.parametrize("fields", [
    {"logits_processors": ["x"]}, {"prompt_embeds": "x"}, {"use_beam_search": True}, {"modalities": ["audio"]},
    {"response_format": {"type": "xml"}}, {"chat_template": "{{ 1 }}"}, {"echo": True}, {"mirostat": 2}, {"typical_p": 0.5},
])
def test_what_would_change_the_answer_stays_a_400(lenient, fields):
    reply = chat(lenient, **fields)
    assert reply.status == 400
    assert next(iter(fields)) in reply.json["error"]["message"]


@pytest.mark.parametrize("fields", [
    {"stream_options": {"include_usage": True}}, {"functions": []}, {"seed": 2**64 - 1}, {"top_p": 0}, {"max_tokens": -1},
    {"top_k": 0}, {"enable_thinking": False}, {"thinking": {"type": "disabled"}}, {"repeat_penalty": 1.1},
    {"reasoning": {"effort": "low"}}, {"store": True}, {"metadata": {"a": "b"}}, {"n_predict": 4},
    {"mirostat": 0, "typical_p": 1.0}, {"grammar": 'root ::= "a"'}, {"json_schema": {"type": "object", "properties": {}}},
    {"response_format": {"type": "json_object", "schema": {"type": "object", "properties": {}}}},
])
def test_what_has_a_meaning_here_is_honoured_without_being_told(lenient, fields):
    assert [name for name in ignored(chat(lenient, **fields)) if name in fields and name != "store"] == []


def test_repeat_penalty_is_repetition_penalty(lenient):
    def text(**fields):
        body = {"prompt": "a a a a a a a a", "max_tokens": 30, "seed": 3, "temperature": 1, "ignore_eos": True}
        return lenient.post("/v1/completions", body | fields).json["choices"]

    assert text(repeat_penalty=3) == text(repetition_penalty=3) != text()


def test_enable_thinking_and_thinking_reach_the_template(lenient):
    """The template writes an empty reasoning block where thinking is off."""
    plain = prompt_tokens(chat(lenient))
    assert prompt_tokens(chat(lenient, enable_thinking=False)) > plain
    assert prompt_tokens(chat(lenient, thinking={"type": "disabled"})) > plain
    assert prompt_tokens(chat(lenient, enable_thinking=True)) == plain


def test_a_byte_order_mark_before_the_body_is_nothing(lenient):
    body = b"\xef\xbb\xbf" + json.dumps({"messages": [USER], "max_tokens": 2}).encode()
    assert lenient.post("/v1/chat/completions", body).status == 200


HISTORY = {
    "provider_specific_fields": {"refusal": None}, "thinking_blocks": [], "annotations": [{"type": "url_citation"}],
    "reasoning_details": [{"type": "reasoning.text", "text": "t"}], "refusal": "no", "id": "msg_1", "phase": "final",
    "extra_content": {"google": {}}, "audio": None, "function_call": None, "images": [], "reactions": {"a": 1},
}


@pytest.mark.parametrize("name", HISTORY)
def test_unknown_members_of_a_message_change_nothing(lenient, name):
    def history(**members):
        return [USER, {"role": "assistant", "content": "Hello", **members}, USER]

    plain = prompt_tokens(chat(lenient, messages=history()))
    assert prompt_tokens(chat(lenient, messages=history(**{name: HISTORY[name]}))) == plain


def test_unknown_members_of_parts_and_calls_change_nothing(lenient):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    answer = {"role": "tool", "tool_call_id": "1", "content": "x"}
    plain = prompt_tokens(chat(
        lenient, messages=[USER, {"role": "assistant", "content": None, "tool_calls": [call]}, answer]))
    call = call | {"provider_specific_fields": {}, "index": 0, "extra_content": {}}
    call["function"] = call["function"] | {"provider_specific_fields": None, "strict": True}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}, "annotations": [1]}
    assert prompt_tokens(chat(lenient, messages=[USER, message, answer | {"content": [part]}])) == plain


@pytest.mark.parametrize("content", [
    [{"type": "input_text", "text": "Say hello"}], [{"type": "text", "text": "Say hello", "cache_control": {}}],
    [{"text": "Say hello", "type": "output_text", "annotations": []}],
])
def test_text_parts_have_several_names(lenient, content):
    plain = prompt_tokens(chat(lenient))
    assert prompt_tokens(chat(lenient, messages=[{"role": "user", "content": content}])) == plain


def test_a_refusal_part_is_the_assistants_text(lenient):
    def history(content):
        return [USER, {"role": "assistant", "content": content}, USER]

    plain = prompt_tokens(chat(lenient, messages=history("no")))
    assert prompt_tokens(chat(lenient, messages=history([{"type": "refusal", "refusal": "no"}]))) == plain


@pytest.mark.parametrize("send, fields", [
    (chat, {"messages": [
        USER, {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]}]}),
    (responses, {"input": [
        USER, {"type": "function_call", "call_id": "c", "name": "view_image", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [
            {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "high"}]}]}),
    (messages, {"messages": [
        USER, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PIXEL}}]}]}]}),
])
def test_a_picture_in_a_tools_output_becomes_a_line_of_text(lenient, send, fields):
    assert send(lenient, **fields).status == 200


def test_a_picture_of_the_users_is_refused(lenient):
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    reply = chat(lenient, messages=[{"role": "user", "content": [part]}])
    assert reply.status == 400 and "text only" in reply.json["error"]["message"]


def test_a_tools_message_may_have_no_content(lenient):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    reply = chat(lenient, messages=[
        USER, {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": None}])
    assert reply.status == 200


CALL = {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "call_0", "content": '{"a":1}'}


def changed(message, **members):
    message = json.loads(json.dumps(message)) | members
    return {name: value for name, value in message.items() if value is not ...}


@pytest.mark.parametrize("plain, other", [
    # Reasoning among the parts of an answer, as Anthropic's and Mistral's clients keep it.
    ([USER, {"role": "assistant", "content": "b", "reasoning": "t"}, USER],
     [USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"},
                                              {"type": "text", "text": "b"}]}, USER]),
    ([USER, {"role": "assistant", "content": "b", "reasoning": "t"}, USER],
     [USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]},
                                              {"type": "text", "text": "b"}]}, USER]),
    ([USER, {"role": "assistant", "content": "b"}, USER],
     [USER, {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "b"}]}, USER]),
    ([USER, {"role": "assistant", "content": "b"}, USER],
     [USER, {"role": "assistant", "content": "b", "reasoning_content": [{"x": 1}], "reasoning": {}}, USER]),
    # Calls and results that are not spelled as OpenAI spells them.
    ([USER, {"role": "assistant", "tool_calls": [CALL]}, RESULT],
     [USER, {"role": "assistant", "tool_calls": [changed(CALL, id=..., type=...)]}, changed(RESULT, tool_call_id=...)]),
    ([USER, {"role": "assistant", "tool_calls": [CALL]}, RESULT],
     [USER, {"role": "assistant", "tool_calls": [changed(CALL, function={"name": "f", "arguments": None})]}, RESULT]),
    ([USER, {"role": "assistant", "tool_calls": [CALL]}, RESULT],
     [USER, {"role": "assistant", "tool_calls": [changed(CALL, function={"name": "f"})]}, changed(RESULT, content={"a": 1})]),
    ([USER, {"role": "assistant", "tool_calls": [changed(CALL, function={"name": "f", "arguments": '{"input": "x"}'})]}, RESULT],
     [USER, {"role": "assistant", "tool_calls": [{"id": "call_0", "type": "custom", "custom": {"name": "f", "input": "x"}}]}, RESULT]),
    ([USER, {"role": "assistant", "tool_calls": [CALL]}, changed(RESULT, content="5")],
     [USER, {"role": "assistant", "function_call": CALL["function"]}, {"role": "function", "name": "f", "content": 5}]),
    # Texts in a list as they are, or without their type.
    ([{"role": "user", "content": "a\nb"}], [{"role": "user", "content": ["a", {"text": "b"}]}]),
])
def test_histories_of_many_spellings_are_one_prompt(lenient, strict, plain, other):
    plain, other = ([{"role": "system", "content": "x"}] + messages for messages in (plain, other))

    def prompt(server, messages):
        reply = server.post("/v1/chat/completions/render", {"messages": messages})
        assert reply.status == 200, reply.body
        return reply.json["prompt"]

    assert prompt(lenient, other) == prompt(lenient, plain) == prompt(strict, plain)
    assert strict.post("/v1/chat/completions/render", {"messages": other}).status == 400


@pytest.mark.parametrize("fields", [
    {"tools": [{"function": TOOL}]}, {"tools": [{"type": "function", **TOOL}]}, {"tools": [TOOL]},
    {"tools": [{"type": "function", "function": TOOL}, {"google_search": {}}]},
])
def test_tools_of_a_chat_in_other_spellings_are_functions(lenient, strict, fields):
    shown = prompt_tokens(chat(lenient, tools=[{"type": "function", "function": TOOL}]))
    assert prompt_tokens(chat(lenient, **fields)) == shown
    assert chat(strict, **fields).status == 400


def test_chat_tools_are_read_by_the_other_apis(lenient, strict):
    nested = {"type": "function", "function": TOOL}
    assert prompt_tokens(responses(lenient, tools=[nested])) == prompt_tokens(responses(lenient, tools=[FUNCTION | {"strict": None}]))
    own = {"name": "f", "description": "d", "input_schema": TOOL["parameters"]}
    assert prompt_tokens(messages(lenient, tools=[nested])) == prompt_tokens(messages(lenient, tools=[own]))
    assert responses(strict, tools=[nested]).status == messages(strict, tools=[nested]).status == 400


@pytest.mark.parametrize("choice, calls", [
    ("any", True), ({"type": "any"}, True), ({"type": "required"}, True), ({"function": {"name": "f"}}, True),
    ({"type": "none"}, False),
])
def test_other_words_for_a_choice_of_tools(lenient, choice, calls):
    schema = {"type": "object", "properties": {"p": {"const": "x"}}, "required": ["p"], "additionalProperties": False}
    tools = [{"type": "function", "function": TOOL | {"parameters": schema}}]
    reply = chat(lenient, tools=tools, tool_choice=choice, max_tokens=100, top_k=1)
    assert reply.status == 200 and bool(reply.json["choices"][0]["message"].get("tool_calls")) == calls


@pytest.mark.parametrize("format", [
    {"type": "json_schema", "json_schema": {"schema": {"enum": ["x"]}}}, {"type": "json_schema", "schema": {"enum": ["x"]}},
    {"type": "json_schema", "json_schema": {"name": "", "schema": {"enum": ["x"]}}},
])
def test_a_schema_needs_no_name(lenient, strict, format):
    reply = chat(lenient, response_format=format, max_tokens=100)
    assert reply.json["choices"][0]["message"]["content"] == '"x"'
    assert chat(strict, response_format=format).status == 400
    text = {"format": {"type": "json_schema", "schema": {"enum": ["x"]}}}
    assert responses(lenient, text=text, max_output_tokens=100).json["output"][-1]["content"][0]["text"] == '"x"'


@pytest.mark.parametrize("block", [
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result", "url": "u"}]},
    {"type": "code_execution_tool_result", "tool_use_id": "s", "content": {}}, {"type": "mcp_tool_use", "id": "m", "name": "n"},
    {"type": "mcp_tool_result", "tool_use_id": "m", "content": []}, {"type": "container_upload", "file_id": "f"},
])
def test_what_hosted_tools_did_in_a_message_is_left_out_and_told(lenient, strict, block):
    def history(*blocks):
        return [USER, {"role": "assistant", "content": [*blocks, {"type": "text", "text": "Hi"}]}, USER]

    reply = messages(lenient, messages=history(block))
    assert ignored(reply) == [f"messages.content.{block['type']}"]
    assert prompt_tokens(reply) == prompt_tokens(messages(lenient, messages=history()))
    assert messages(strict, messages=history(block)).status == 400


def test_a_summary_of_what_was_said_before_is_text(lenient):
    def history(block):
        return [USER, {"role": "assistant", "content": [block]}, USER]

    plain = prompt_tokens(messages(lenient, messages=history({"type": "text", "text": "We spoke of tea."})))
    assert prompt_tokens(messages(lenient, messages=history({"type": "compaction", "content": "We spoke of tea."}))) == plain


def test_arguments_may_be_text_or_an_object_in_every_api(lenient):
    def called(arguments):
        return responses(lenient, input=[
            USER, {"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments},
            {"type": "function_call_output", "call_id": "c", "output": "x"}])

    assert prompt_tokens(called({"a": 1})) == prompt_tokens(called('{"a": 1}'))

    def used(arguments):
        return messages(lenient, messages=[
            USER, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": arguments}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}])

    assert prompt_tokens(used('{"a": 1}')) == prompt_tokens(used({"a": 1}))


def test_a_version_twice_in_the_path_is_one(lenient):
    assert lenient.get("/v1/v1/models").status == 200
    assert lenient.post("/v1/v1/messages", {"messages": [USER], "max_tokens": 2}).status == 200
    assert lenient.get("/v1/v1/v1/models").status == 404


# The older functions of chat completions.

WEATHER = {
    "name": "get_weather", "description": "Get the weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}


def test_functions_are_called_and_answered(lenient):
    question = {"role": "user", "content": "What is the weather in Paris?"}
    body = {"messages": [question], "functions": [WEATHER], "temperature": 0, "max_tokens": 200}
    reply = lenient.post("/v1/chat/completions", body)
    assert ignored(reply) == []
    choice = reply.json["choices"][0]
    call = choice["message"]["function_call"]
    assert choice["finish_reason"] == "function_call" and "tool_calls" not in choice["message"]
    assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "Paris"})
    events = [json.loads(event) for event in lenient.post("/v1/chat/completions", body | {"stream": True}).events[:-1]]
    deltas = [event["choices"][0]["delta"].get("function_call", {}) for event in events if event["choices"]]
    assert "".join(delta.get("name", "") for delta in deltas) == "get_weather"
    assert "".join(delta.get("arguments", "") for delta in deltas) == call["arguments"]
    assert events[-1]["choices"][0]["finish_reason"] == "function_call"
    body["messages"] += [choice["message"], {"role": "function", "name": "get_weather", "content": "sunny"}]
    answer = lenient.post("/v1/chat/completions", body).json["choices"][0]
    assert answer["finish_reason"] == "stop" and "sunny" in answer["message"]["content"]


def test_a_function_can_be_forced_and_forbidden(lenient):
    schema = {"type": "object", "properties": {"p": {"const": "x"}}, "required": ["p"], "additionalProperties": False}
    fields = {"functions": [TOOL | {"parameters": schema}, WEATHER], "max_tokens": 200, "top_k": 1}
    message = chat(lenient, function_call={"name": "f"}, **fields).json["choices"][0]["message"]
    assert message["function_call"] == {"name": "f", "arguments": '{"p":"x"}'} or json.loads(
        message["function_call"]["arguments"]) == {"p": "x"}
    assert prompt_tokens(chat(lenient, function_call="none", **fields)) == prompt_tokens(chat(lenient))
    assert chat(lenient, function_call={"name": "h"}, **fields).status == 400


# Claude Code.

def test_system_messages_among_the_messages_are_rendered(lenient):
    reminder = {"role": "system", "content": [{"type": "text", "text": "# Environment", "cache_control": {}}]}
    plain = prompt_tokens(messages(lenient))
    assert prompt_tokens(messages(lenient, messages=[USER, reminder])) > plain
    assert prompt_tokens(messages(
        lenient, system="Be brief.", messages=[USER, reminder, {"role": "assistant", "content": "Hi"}, reminder, USER])) > plain


def test_system_messages_before_the_first_answer_join_the_system_message(lenient):
    joined = messages(lenient, system="A\nB")
    apart = messages(lenient, system="A", messages=[USER, {"role": "system", "content": "B"}])
    assert prompt_tokens(apart) == prompt_tokens(joined)


def test_deferred_tools_are_shown_once_a_reference_names_them(lenient):
    tool = {"name": "Bash", "description": "d", "input_schema": TOOL["parameters"]}
    plain = prompt_tokens(messages(lenient))
    shown = prompt_tokens(messages(lenient, tools=[tool]))
    assert plain < shown
    assert prompt_tokens(messages(lenient, tools=[tool | {"defer_loading": True}])) == plain
    history = [
        USER,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "ToolSearch", "input": {"query": "x"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [
            {"type": "tool_reference", "tool_name": "Bash"}]}]}]
    without = prompt_tokens(messages(lenient, messages=history))
    with_tool = prompt_tokens(messages(lenient, messages=history, tools=[tool | {"defer_loading": True}]))
    assert with_tool - without == shown - plain


def test_a_billing_header_in_the_system_prompt_is_left_out(lenient):
    header = {"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cc_entrypoint=cli;"}
    text = {"type": "text", "text": "You are an agent."}
    assert prompt_tokens(messages(lenient, system=[header, text])) == prompt_tokens(messages(lenient, system=[text]))


def test_more_tokens_than_there_is_room_are_an_upper_bound_of_a_message(lenient):
    reply = messages(lenient, max_tokens=1_000_000, messages=[{"role": "user", "content": "Once upon a time"}])
    assert reply.status == 200
    assert reply.json["stop_reason"] in ("end_turn", "model_context_window_exceeded")


def test_a_message_that_fills_the_context_says_so(lenient):
    body = {"messages": [{"role": "user", "content": "Tell me a long story about a dragon and a princess"}]}
    room = 3
    length = lenient.post("/v1/messages/count_tokens", body).json["input_tokens"] + room
    with Server("--max-model-len", length) as server:
        reply = server.post("/v1/messages", body | {"max_tokens": 32_000})
        assert reply.status == 200, reply.body
        assert reply.json["usage"]["output_tokens"] == room
        assert reply.json["stop_reason"] == "model_context_window_exceeded"
        assert server.post("/v1/messages", body | {"max_tokens": 2}).json["stop_reason"] == "max_tokens"


def test_a_prompt_beyond_the_context_is_still_refused(lenient):
    reply = messages(lenient, max_tokens=1_000_000, messages=[{"role": "user", "content": "word " * 5000}])
    assert reply.status == 400 and "2048" in reply.json["error"]["message"]


@pytest.mark.parametrize("name, value", [
    ("context_management", {"edits": [{"type": "clear_tool_uses_20250919"}]}), ("container", "c"), ("inference_geo", "eu"),
    ("speed", "fast"), ("mcp_servers", []), ("betas", ["x"]), ("diagnostics", {"previous_message_id": None}),
])
def test_anthropic_parameters_that_a_text_model_can_do_without_are_ignored(lenient, name, value):
    assert {each.split(".")[0] for each in ignored(messages(lenient, **{name: value}))} <= {name}
    assert messages(lenient, **{name: value}).status == 200


def test_a_thread_is_refused_in_the_form_that_the_sdk_falls_back_on(lenient):
    reply = messages(lenient, thread={"id": "thread_1"})
    assert reply.status == 400
    assert reply.json["error"]["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


def test_anthropics_server_tools_are_left_out(lenient):
    reply = messages(lenient, tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}])
    assert ignored(reply) == ["tools.web_search_20250305"]


def test_models_come_in_anthropics_form_when_its_version_is_sent(lenient):
    reply = lenient.request("GET", "/v1/models", headers={"anthropic-version": "2023-06-01"})
    model = reply.json["data"][0]
    assert model["type"] == "model" and model["display_name"] and model["created_at"].endswith("Z")
    assert reply.json["has_more"] is False and reply.json["first_id"] == reply.json["last_id"] == model["id"]
    one = lenient.request("GET", f"/v1/models/{model['id']}", headers={"anthropic-version": "2023-06-01"})
    assert one.json == model
    assert lenient.get("/v1/models").json["data"][0]["object"] == "model"


# Codex.

FUNCTION = {"type": "function", "strict": False} | TOOL


@pytest.mark.parametrize("type", [
    "web_search", "web_search_preview", "local_shell", "image_generation", "file_search", "mcp", "tool_search",
    "code_interpreter", "computer_use_preview", "apply_patch", "shell", "some_new_tool"])
def test_hosted_tools_are_left_out_and_told(lenient, type):
    plain = prompt_tokens(responses(lenient, tools=[FUNCTION]))
    reply = responses(lenient, tools=[FUNCTION, {"type": type, "server_label": "x"}])
    assert prompt_tokens(reply) == plain and ignored(reply) == [f"tools.{type}"]


def test_a_hosted_tool_cannot_be_forced(lenient):
    reply = responses(lenient, tools=[{"type": "web_search"}], tool_choice={"type": "web_search"})
    assert reply.status == 400 and reply.json["error"]["param"].startswith("tool_choice")


def forced(name, **fields):
    return {"tool_choice": {"type": "function", "name": name}, "max_output_tokens": 200} | fields


def test_members_of_a_namespace_are_functions_and_come_back_under_their_names(lenient):
    schema = {"type": "object", "properties": {"p": {"const": "x"}}, "required": ["p"], "additionalProperties": False}
    member = FUNCTION | {"name": "spawn", "parameters": schema, "strict": True}
    tools = [FUNCTION, {"type": "namespace", "name": "agents", "description": "d", "tools": [member]}]
    reply = responses(lenient, tools=tools, **forced("spawn"))
    call, = [item for item in reply.json["output"] if item["type"] == "function_call"]
    assert (call["name"], call["namespace"], json.loads(call["arguments"])) == ("spawn", "agents", {"p": "x"})
    again = responses(lenient, tools=tools, input=[
        {"role": "user", "content": "x"}, *reply.json["output"],
        {"type": "function_call_output", "call_id": call["call_id"], "output": "done"}])
    assert again.status == 200


def test_two_namespaces_may_have_members_of_one_name(lenient):
    tools = [
        {"type": "namespace", "name": name, "description": "d", "tools": [FUNCTION | {"name": "list"}]}
        for name in ("files", "agents")]
    assert responses(lenient, tools=tools).status == 200


def test_a_custom_tool_is_called_with_one_string(lenient):
    tools = [{"type": "custom", "name": "apply_patch", "description": "d", "format": {"type": "text"}}]
    fields = dict(tools=tools, tool_choice={"type": "custom", "name": "apply_patch"}, max_output_tokens=300, top_k=1)
    reply = responses(lenient, **fields)
    call, = [item for item in reply.json["output"] if item["type"] == "custom_tool_call"]
    assert call["name"] == "apply_patch" and isinstance(call["input"], str) and call["call_id"]
    events = [json.loads(event) for event in responses(lenient, stream=True, **fields).events]
    deltas = [event["delta"] for event in events if event["type"] == "response.custom_tool_call_input.delta"]
    done, = [event for event in events if event["type"] == "response.custom_tool_call_input.done"]
    assert "".join(deltas) == done["input"] == call["input"]
    again = responses(lenient, tools=tools, input=[
        {"role": "user", "content": "x"}, *reply.json["output"],
        {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "done"}])
    assert again.status == 200


@pytest.mark.parametrize("fields", [
    {"client_metadata": {"session_id": "s"}}, {"include": ["reasoning.encrypted_content", "file_search_call.results"]},
    {"truncation": "auto"}, {"store": True}, {"stream_options": {"include_usage": True}},
    {"max_tool_calls": 3}, {"prompt_cache_retention": "24h"}, {"prompt_cache_options": {"ttl": "1h"}},
    {"prompt_cache_key": "k"}, {"context_management": [{"type": "compaction"}]}, {"moderation": {}},
    {"reasoning": {"effort": "low", "summary": "auto", "context": "auto"}}, {"text": {"verbosity": "low"}},
    {"input": [USER, {"type": "reasoning", "summary": [], "encrypted_content": None}, USER]},
    {"input": [USER, {"type": "reasoning", "summary": [], "encrypted_content": ""}, USER]},
    {"input": [USER, {"type": "web_search_call", "id": "ws", "status": "completed", "action": {}}, USER]},
    {"input": [USER, {"type": "message", "role": "assistant", "status": "completed", "phase": "final_answer", "content": [
        {"type": "output_text", "text": "Hi", "annotations": [{"type": "x"}], "logprobs": []}]}, USER]},
])
def test_what_codex_and_the_sdk_send_is_accepted(lenient, fields):
    reply = responses(lenient, **fields)
    assert reply.status == 200, reply.body
    assert reply.json["store"] is False


def test_allowed_tools_narrow_the_choice(lenient):
    other = FUNCTION | {"name": "g"}
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}
    reply = responses(lenient, tools=[FUNCTION, other], tool_choice=choice, max_output_tokens=300, top_k=1)
    names = {item["name"] for item in reply.json["output"] if item["type"] == "function_call"}
    assert names == {"g"}
    tools = [{"type": "function", "function": TOOL | {"name": name}} for name in ("f", "g")]
    choice = {"type": "allowed_tools", "allowed_tools": {
        "mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}}
    calls = chat(lenient, tools=tools, tool_choice=choice, max_tokens=300, top_k=1).json["choices"][0]["message"]["tool_calls"]
    assert {call["function"]["name"] for call in calls} == {"g"}


def test_a_tool_that_is_not_allowed_is_not_called_of_the_models_own_accord(lenient):
    """Without the choice the model calls the one that the question is about."""
    question = [{"role": "user", "content": "What is the weather in Paris?"}]
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [{"type": "function", "function": {"name": name, "parameters": city}} for name in ("get_weather", "get_time")]
    allowed = {"type": "allowed_tools", "allowed_tools": {
        "mode": "auto", "tools": [{"type": "function", "function": {"name": "get_time"}}]}}

    def calls(**fields):
        reply = chat(lenient, messages=question, tools=tools, temperature=0, max_tokens=200, **fields)
        return {call["function"]["name"] for call in reply.json["choices"][0]["message"].get("tool_calls", [])}

    assert calls() == {"get_weather"}
    assert calls(tool_choice=allowed) <= {"get_time"}


def test_input_tokens_are_counted(lenient):
    body = {"input": "Say hello", "tools": [FUNCTION], "instructions": "Be brief."}
    counted = lenient.post("/v1/responses/input_tokens", body)
    assert counted.json == {
        "object": "response.input_tokens", "input_tokens": prompt_tokens(responses(lenient, **body))}


@pytest.mark.parametrize("send", [responses, messages])
@pytest.mark.parametrize("fields", [
    {"response_format": {"type": "json_object"}}, {"structured_outputs": {"regex": "a"}}, {"guided_json": {"type": "object"}},
    {"stop": ["a"]}, {"n": 2}, {"logit_bias": {"5": 1}}, {"min_tokens": 3}, {"bad_words": ["a"]}, {"regex": "a"},
    {"stop_token_ids": [5]}, {"ignore_eos": True}, {"max_completion_tokens": 9},
], ids=lambda fields: next(iter(fields)))
def test_a_constraint_of_chat_completions_is_not_dropped_by_the_other_apis(lenient, send, fields):
    reply = send(lenient, **fields)
    assert reply.status == 400
    assert reply.json["error"]["param"] == next(iter(fields))
    assert ignored(send(
        lenient, response_format={"type": "text"}, stop=[], n=1, logit_bias={}, structured_outputs=None, min_tokens=0,
        bad_words=[], ignore_eos=False)) == []


@pytest.mark.parametrize("send, fields", [
    (chat, {"stop_sequences": ["a"]}), (chat, {"system": "Be brief."}), (chat, {"instructions": "Be brief."}),
    (chat, {"max_output_tokens": 9}), (responses, {"stop_sequences": ["a"]}), (responses, {"system": "Be brief."}),
    (responses, {"max_tokens": 9}), (responses, {"messages": [USER]}), (messages, {"instructions": "Be brief."}),
    (messages, {"input": "a"}), (messages, {"max_output_tokens": 9}),
])
def test_what_another_api_calls_it_is_refused_and_not_dropped(lenient, send, fields):
    reply = send(lenient, **fields)
    assert reply.status == 400 and reply.json["error"]["param"] == next(iter(fields))
    assert ignored(send(lenient, **{name: type(value)() for name, value in fields.items() if not isinstance(value, int)})) == []


def test_an_input_without_a_readable_item_is_refused_by_its_name(lenient):
    reply = responses(lenient, input=[{"type": "item_reference", "id": "x"}])
    assert reply.status == 400 and reply.json["error"]["param"] == "input"
