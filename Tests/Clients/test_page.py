"""The page at `/`, in a browser: a chat with the server."""

import base64
import hashlib
import json
import re

import pytest
import yaml
from chat_page import needs_browser, open_page
from trinity_server import REPOSITORY, Server

# Parameters of a chat that the page has no field for: it decides them itself, they change nothing that a chat shows, or they go
# into the field for other members.
NOT_OFFERED = {
    "model", "messages", "stream", "stream_options", "timings", "timings_per_token", "return_progress", "n", "max_tokens",
    "logprobs", "top_logprobs", "prompt_logprobs", "return_token_ids", "return_tokens_as_token_ids", "documents",
    "add_generation_prompt", "continue_final_message", "add_special_tokens", "guided_json", "guided_regex", "guided_choice",
    "guided_grammar", "user", "metadata", "store", "service_tier", "prompt_cache_key", "safety_identifier", "verbosity",
    "modalities", "echo", "prediction", "request_id", "truncation_side", "prompt_cache_retention",
    # Other names of parameters that it has.
    "json_schema", "grammar", "regex", "ebnf", "n_predict", "repeat_penalty", "enable_thinking", "thinking", "reasoning", "functions", "function_call",
}


@pytest.fixture(scope="module")
def server():
    with Server("--served-model-name", "a <b>model</b>") as server:
        yield server


@pytest.fixture
def page(server):
    with open_page(server) as page:
        yield page


@pytest.fixture
def scripted(server):
    with open_page(server, scripted=True) as page:
        yield page


def set_fields(page, **values):
    page.value(f"for (const [id, value] of Object.entries({json.dumps(values)})) element(id).value = value; saveSettings()")


@needs_browser
def test_a_chat_of_two_turns_streams_and_tells_its_speed(server, page):
    page.until("document.getElementById('model').textContent == 'a <b>model</b>'")
    set_fields(page, max_completion_tokens="24", temperature="0")
    page.ask("Hello <i>there</i>")
    page.until("document.querySelectorAll('article.assistant .note').length == 1")
    # Nothing of what was typed became markup, and what came is what the API gives.
    assert page.text("article.user .body") == "Hello <i>there</i>"
    body = {"messages": [{"role": "user", "content": "Hello <i>there</i>"}], "max_completion_tokens": 24, "temperature": 0}
    whole = server.post("/v1/chat/completions", body).json
    answer = page.messages[1]["content"]
    assert answer == whole["choices"][0]["message"]["content"] and answer
    note = page.text("article.assistant .note")
    assert f"{whole['usage']['prompt_tokens']} prompt tokens, 0 from cache" in note
    assert f"{whole['usage']['completion_tokens']} generated" in note and "tokens/s" in note

    page.ask("And then?")
    page.until("document.querySelectorAll('article.assistant .note').length == 2")
    body["messages"] += [{"role": "assistant", "content": answer}, {"role": "user", "content": "And then?"}]
    whole = server.post("/v1/chat/completions", body).json
    assert page.messages[3]["content"] == whole["choices"][0]["message"]["content"]


@needs_browser
@pytest.mark.parametrize("way", ["button", "Escape"])
def test_numbers_move_while_it_generates_and_stop_ends_the_reply(server, page, way):
    before = server.metric("vllm:request_success_total")
    # The small model would soon end by itself.
    set_fields(page, ignore_eos="true")
    page.ask("Tell me a very long story.")
    page.until("document.getElementById('running').textContent == '1'")
    page.until("Number(document.getElementById('generated').textContent) > 0")
    page.until("parseFloat(document.getElementById('cache').textContent) > 0")
    assert page.value("document.getElementById('send').ariaLabel") == "Stop"
    assert page.value("document.getElementById('chat').ariaBusy") == "true"
    if way == "Escape":
        page.press("Escape")
    else:
        page.click("#send")
    page.until("document.querySelector('article.assistant .note')?.textContent == 'stopped'")
    assert page.value("document.getElementById('send').ariaLabel") == "Send"
    assert page.value("document.getElementById('chat').ariaBusy") == "false"
    page.until("document.getElementById('running').textContent == '0'")
    assert server.metric("vllm:request_success_total") == before + 1
    page.click("#clear")
    assert page.value("document.querySelectorAll('article').length") == 0


@needs_browser
def test_a_refused_message_goes_back_to_the_entry_and_is_shown_once(page):
    set_fields(page, temperature="7")
    page.ask("Hello")
    page.until("!document.getElementById('notice').hidden")
    assert page.text("#notice.fault p") == "'temperature' must be from 0 to 2, not 7."
    assert page.value("document.getElementById('text').value") == "Hello"
    assert page.texts == [] and page.value("store.list.length") == 0
    # It can be sent again as it is, and then the message is in the chat only.
    set_fields(page, temperature="0", max_completion_tokens="4")
    page.ask("")
    page.until("document.querySelectorAll('article.assistant .note').length == 1")
    assert page.texts[0] == "Hello" and len(page.texts) == 2
    assert page.value("document.getElementById('text').value") == ""
    assert page.value("document.getElementById('notice').hidden")
    # The browser logs a status of 400 by itself.
    assert all("400" in error for error in page.errors)
    page.errors.clear()


@needs_browser
def test_what_was_typed_meanwhile_stays_behind_a_refused_message(scripted):
    scripted.reply("First.")
    scripted.ask("Second")
    scripted.type("#text", "third")
    scripted.value("test.push({ error: { message: 'broken <b>here</b>' } })")
    scripted.until("!document.getElementById('notice').hidden")
    assert scripted.text("#notice p") == "broken <b>here</b>"
    assert scripted.value("document.getElementById('text').value") == "Second\nthird"
    assert scripted.texts == ["Hello", "First."]


@needs_browser
def test_what_the_server_ignored_is_told_under_the_message(server, page):
    set_fields(page, max_completion_tokens="4", other=json.dumps({"no_such_field": 1, "chat_id": "<b>c</b>"}))
    page.ask("Hello")
    page.until("document.querySelectorAll('article.assistant .note').length == 1")
    assert page.text("article.assistant .ignored") == "The server ignored: no_such_field, chat_id"
    # It stays with the conversation, and goes into its file.
    saved = page.value("conversationFile([current])")
    assert json.loads(saved)["conversations"][0]["messages"][1]["ignored"] == "no_such_field, chat_id"
    set_fields(page, other="")
    page.ask("And now?")
    page.until("document.querySelectorAll('article.assistant .note').length == 2")
    assert page.value("document.querySelectorAll('article .ignored').length") == 1


@needs_browser
def test_a_reply_that_breaks_off_stays_as_far_as_it_came(scripted):
    scripted.ask()
    scripted.delta(content="The answer is")
    scripted.value("test.fail()")
    scripted.until("document.querySelector('article.assistant .fault') != null")
    assert scripted.texts == ["Hello", "The answer is"]
    assert scripted.value("document.getElementById('text').value") == ""


@needs_browser
def test_a_key_is_asked_for_and_sent():
    with Server("--api-key", "secret", "--metrics-access", "key") as server, open_page(server) as page:
        page.until("document.getElementById('model').textContent.includes('key')")
        page.until("document.getElementById('settings').open")
        page.type("#key", "secret")
        page.press("Escape")
        page.until("!document.getElementById('settings').open")
        page.until("document.getElementById('running').textContent == '0'")
        set_fields(page, max_completion_tokens="2")
        page.ask()
        page.until("document.querySelector('article.assistant .note')?.textContent.includes('tokens/s')")
        assert page.value("Object.values(localStorage).join().includes('secret')") is False
        # The browser logs a status of 401 by itself.
        assert all("401" in error for error in page.errors)
        page.errors.clear()


@needs_browser
def test_a_reload_keeps_the_conversation_and_what_is_not_sent(page):
    set_fields(page, max_completion_tokens="8", temperature="0")
    page.ask("What is the capital of Japan?")
    page.until("document.querySelectorAll('article.assistant .note').length == 1")
    page.type("#text", "not sent yet")
    texts, note = page.texts, page.text("article.assistant .note")
    page.reload()
    assert page.texts == texts and page.text("article.assistant .note") == note
    assert page.value("document.getElementById('text').value") == "not sent yet"
    assert page.value("element('max_completion_tokens').value") == "8"


@needs_browser
def test_a_reload_in_a_reply_keeps_what_came(page):
    set_fields(page, ignore_eos="true")
    page.ask("Tell me a very long story.")
    page.until("current.messages[1]?.content.length > 40")
    page.reload()
    assert len(page.messages[1]["content"]) > 40 and page.text("article.assistant .note") == "stopped"
    assert page.value("document.getElementById('chat').ariaBusy") == "false"


@needs_browser
def test_a_reload_before_the_first_token_keeps_the_question(scripted):
    scripted.ask()
    scripted.reload()
    assert scripted.texts == ["Hello"] and scripted.messages == [{"role": "user", "content": "Hello"}]
    assert scripted.value("document.getElementById('send').ariaLabel") == "Send"


@needs_browser
def test_generating_again_replaces_the_reply_and_a_failure_brings_it_back(scripted):
    scripted.reply("One.")
    scripted.reply("Two.", question="More")
    assert scripted.value("getComputedStyle(document.querySelector('article.assistant .again')).display") == "none"
    scripted.click("article:last-child .again")
    scripted.until("test.bodies.length == 3")
    scripted.delta(content="Three.")
    scripted.finish()
    assert scripted.texts == ["Hello", "One.", "More", "Three."]
    assert scripted.value("test.bodies[2].messages") == scripted.value("test.bodies[1].messages")
    scripted.value("test.refusal = 'No.'")
    scripted.click("article:last-child .again")
    scripted.until("!document.getElementById('notice').hidden")
    assert scripted.texts == ["Hello", "One.", "More", "Three."]
    assert scripted.value("document.getElementById('text').value") == ""


@needs_browser
def test_an_edited_message_is_asked_again_and_an_edited_reply_is_only_kept(scripted):
    for answer in ("One.", "Two."):
        scripted.reply(answer)
    scripted.click("article.user .edit")
    assert scripted.text(".editor .small") == "Replaces the 3 messages below."
    scripted.press("Escape")
    assert scripted.texts == ["Hello", "One.", "Hello", "Two."]
    scripted.click("article.user .edit")
    scripted.value("document.querySelector('.editor textarea').value = 'Good <b>day</b>'")
    scripted.click(".editor .wide")
    scripted.until("test.bodies.length == 3")
    scripted.delta(content="Three.")
    scripted.finish()
    assert scripted.texts == ["Good <b>day</b>", "Three."]
    scripted.click("article.assistant .edit")
    scripted.value("document.querySelector('.editor textarea').value = 'Four, *of course*.'")
    scripted.click(".editor .wide")
    assert scripted.texts[1] == "Four, of course." and scripted.value("test.bodies.length") == 3
    # A refused edit gives the old conversation back, and the new text to the editor.
    scripted.value("test.refusal = 'No.'")
    scripted.click("article.user .edit")
    scripted.value("document.querySelector('.editor textarea').value = 'Again'")
    scripted.click(".editor .wide")
    scripted.until("document.querySelector('.editor') != null")
    assert scripted.texts == ["Good <b>day</b>", "Four, of course."]
    assert scripted.value("document.querySelector('.editor textarea').value") == "Again"


@needs_browser
@pytest.mark.parametrize("has_clipboard", [True, False])
def test_messages_and_code_are_copied(scripted, has_clipboard):
    clipboard = "writeText: async text => window.copied = text" if has_clipboard else ""
    scripted.value(f"Object.defineProperty(navigator, 'clipboard', {{ value: {{ {clipboard} }} }})")
    scripted.value("document.addEventListener('copy', () => window.copied = document.getSelection().toString()"
                   " || document.activeElement.value)")
    scripted.reply("Some *code*:\n\n```\na < b\n\nc\n```")
    scripted.click("article.assistant .code .icon")
    scripted.until("window.copied == 'a < b\\n\\nc'")
    scripted.until("document.getElementById('spoken').textContent == 'Copied'")
    # Clicked twice, the button has its name again.
    for _ in range(2):
        scripted.click("article.assistant .actions .icon")
        scripted.until("window.copied == current.messages[1].content")
        scripted.until("document.querySelector('article.assistant .actions .icon').ariaLabel == 'Copied'")
    scripted.until("document.querySelector('article.assistant .actions .icon').ariaLabel == 'Copy the message'")


@needs_browser
def test_reasoning_is_open_while_it_comes_and_folds_when_the_answer_begins(scripted):
    scripted.ask()
    scripted.delta(reasoning="I think <b>hard</b>")
    assert scripted.value("document.querySelector('.reasoning').open")
    scripted.delta(reasoning=" and long.")
    assert scripted.text(".reasoning .text") == "I think <b>hard</b> and long."
    scripted.delta(content="Done.")
    assert not scripted.value("document.querySelector('.reasoning').open")
    # Somebody who opens it reads it: it stays.
    scripted.click(".reasoning summary")
    scripted.delta(content=" Really.")
    scripted.finish()
    assert scripted.value("document.querySelector('.reasoning').open")
    scripted.reply("Yes.", question="Sure?")
    assert scripted.value("test.bodies[1].messages[1]") == {
        "role": "assistant", "content": "Done. Really.", "reasoning": "I think <b>hard</b> and long."}


@needs_browser
def test_there_is_a_sign_of_life_before_the_first_token(scripted):
    scripted.ask()
    assert scripted.text(".phase span:not(.dots)") == "Waiting for the first token"
    scripted.value("serverNow = { running: 4, waiting: 2 }")
    scripted.until("document.querySelector('.phase').textContent.startsWith('In the queue: 2 requests waiting')"
                   " || (serverNow = { running: 4, waiting: 2 }, false)")
    scripted.value("test.push({ choices: [], prompt_progress: { total: 4000, cache: 0, processed: 1000, time_ms: 5 } })")
    scripted.until("document.querySelector('.phase').textContent.startsWith('Reading the prompt: 1,000 of 4,000 tokens')")
    assert scripted.value("document.querySelector('.phase progress').value") == 0.25
    scripted.delta(content="Hi")
    assert scripted.text(".phase") is None
    scripted.finish()


@needs_browser
def test_a_long_prompt_shows_its_progress(server, page):
    set_fields(page, max_completion_tokens="1")
    page.value("window.seen = new Set(); new MutationObserver(() => { const text = document.querySelector('.phase')?.textContent;"
               "if (text) seen.add(text.split(':')[0]) }).observe(document.body, { subtree: true, childList: true })")
    page.value(f"setDraft(current.id, {json.dumps('word ' * 1900)})")
    page.ask("")
    page.until("document.querySelector('article.assistant .note') != null || !element('notice').hidden", seconds=120)
    assert page.text("article.assistant .note") is not None, page.text("#notice")
    assert page.value("seen.has('Reading the prompt')")


@needs_browser
def test_calls_of_tools_are_shown_and_answered(server, page):
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}}}
    set_fields(page, tools=json.dumps([tool]), tool_choice="required", temperature="0", max_completion_tokens="120")
    page.ask("What is the weather in Paris?")
    page.until("document.querySelector('form.results') != null", seconds=60)
    assert page.text(".call h3") == "Calls get_weather"
    assert "city" in json.loads(page.text(".call pre"))
    set_fields(page, tool_choice="none")
    page.value("document.querySelector('.results textarea').value = '{\"sky\": \"<b>clear</b>\"}'")
    page.click(".results button")
    page.until("document.querySelectorAll('article.assistant').length == 2"
               " && document.querySelector('article:last-child .note') != null")
    roles = [message["role"] for message in page.messages]
    assert roles == ["user", "assistant", "tool", "assistant"]
    assert page.messages[2]["tool_call_id"] == page.messages[1]["tool_calls"][0]["id"]
    assert page.texts[2] == '{"sky": "<b>clear</b>"}' and page.text("form.results") is None


@needs_browser
def test_a_stopped_call_is_no_call(scripted):
    scripted.ask()
    scripted.delta(content="I will look.")
    scripted.delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\": "}}])
    scripted.press("Escape")
    scripted.until("document.getElementById('chat').ariaBusy == 'false'")
    assert "tool_calls" not in scripted.messages[1] and scripted.text("form.results") is None


@needs_browser
def test_every_parameter_of_a_chat_has_a_field_or_a_reason_to_have_none(page):
    schemas = yaml.safe_load((REPOSITORY / "openapi.yaml").read_text())["components"]["schemas"]

    def properties(schema):
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
        names = set(schema.get("properties", {}))
        return names.union(*(properties(part) for part in schema.get("allOf", [])))

    offered = set(page.value("settingFields.map(([name]) => name)")) - {"other"}
    parameters = properties(schemas["ChatCompletionRequest"])
    assert offered <= parameters
    assert parameters - offered <= NOT_OFFERED


@needs_browser
def test_settings_are_sent_with_their_types(scripted):
    set_fields(
        scripted, temperature="0.5", top_k="40", seed="7", stop="END\nSTOP", stop_token_ids="1, 2", ignore_eos="false",
        logit_bias='{"5": -1}', reasoning_effort="low", other='{"top_logprobs": 2, "logprobs": true}', cache_salt=" s ")
    scripted.value("element('system').value = 'Be brief.'; element('system').oninput()")
    scripted.reply("Yes.")
    body = scripted.value("test.bodies[0]")
    expected = {
        "temperature": 0.5, "top_k": 40, "seed": 7, "stop": ["END", "STOP"], "stop_token_ids": [1, 2], "ignore_eos": False,
        "logit_bias": {"5": -1}, "reasoning_effort": "low", "top_logprobs": 2, "logprobs": True, "cache_salt": " s "}
    assert {name: body.get(name) for name in expected} == expected
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert "top_p" not in body and "other" not in body
    # What is no JSON is not sent, and says so.
    set_fields(scripted, tools="[{")
    scripted.type("#text", "Again\n")
    scripted.until("!document.getElementById('notice').hidden")
    assert scripted.text("#notice p").startswith("The setting “Tools, as the API takes them” is no JSON")
    assert scripted.value("document.getElementById('text').value") == "Again"
    assert scripted.value("test.bodies.length") == 1
    # The system prompt is the conversation's; new ones begin with the last one.
    scripted.click("#clear")
    scripted.value("element('system').value = 'Be long.'; element('system').oninput()")
    scripted.value("openConversation(store.list[0])")
    assert scripted.value("element('system').value") == "Be brief."
    scripted.click("#reset")
    assert scripted.value("Object.keys(settingsOfRequest()).length") == 0


@needs_browser
def test_a_reply_goes_on_while_another_conversation_is_open(scripted):
    scripted.ask("First")
    scripted.delta(content="One")
    scripted.value("window.first = test.delta; window.finishFirst = test.finish")
    scripted.click("#clear")
    assert scripted.texts == [] and scripted.value("document.getElementById('send').ariaLabel") == "Send"
    scripted.reply("Two.", question="Second")
    scripted.value("first({ content: ' more.' })")
    scripted.settle()
    assert scripted.texts == ["Second", "Two."]
    scripted.click("#conversations li:last-child .title")
    assert scripted.texts == ["First", "One more."]
    assert scripted.value("document.getElementById('chat').ariaBusy") == "true"
    scripted.value("finishFirst()")
    scripted.until("document.getElementById('chat').ariaBusy == 'false'")
    assert scripted.value("store.list.map(titleOf)") == ["First", "Second"]


def test_its_reply_lets_nothing_else_in(server):
    reply = server.get("/")
    assert reply.status == 200 and reply.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(directive.split(maxsplit=1) for directive in reply.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'" and policy["require-trusted-types-for"] == "'script'"
    text = reply.body.decode()
    for kind in ("script", "style"):
        # Each is known by its hash, and nothing else may run.
        contents = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents]
        assert policy[kind + "-src"].split() == [f"'sha256-{hash}'" for hash in hashes]
        assert len(contents) == text.count(f"<{kind}") == text.count(f"</{kind}") > 0
    assert " style=" not in text and not re.search(r"<[^>]* on\w+=", text)
    assert "http://" not in text and "https://" not in text and " src=" not in text
    assert len(reply.body) < 150_000
    assert server.request("HEAD", "/").headers["Content-Length"] == str(len(reply.body))
    assert server.request("POST", "/", {}).status == 405


def test_it_can_be_switched_off():
    with Server("--no-web-ui") as server:
        assert server.get("/").status == 404
        assert server.get("/health").status == 200
