"""The page at `/`, in a browser."""

import contextlib

import pytest

import browser
from trinity_server import Server

needs_browser = pytest.mark.skipif(not browser.EXECUTABLE, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def server():
    with Server("--served-model-name", "a <b>model</b>") as server:
        yield server


@pytest.fixture
def page(server):
    with contextlib.closing(browser.Browser(server.url)) as page:
        yield page
        assert page.errors == []
        assert all(url.startswith((server.url, "data:")) for url in page.urls)


@needs_browser
def test_a_chat_of_two_turns_streams_and_tells_its_speed(server, page):
    page.until("document.getElementById('model').textContent == 'a <b>model</b>'")
    page.value("document.getElementById('limit').value = 24; document.getElementById('temperature').value = 0")
    page.type("#text", "Hello <i>there</i>\n")
    page.until("document.querySelectorAll('article footer').length == 1")
    # Nothing of what was typed became markup, and what came is what the API gives.
    assert page.text("article.user p") == "Hello <i>there</i>"
    body = {"messages": [{"role": "user", "content": "Hello <i>there</i>"}], "max_completion_tokens": 24, "temperature": 0}
    whole = server.post("/v1/chat/completions", body).json
    answer = page.text("article.assistant > p")
    assert answer == whole["choices"][0]["message"]["content"]
    footer = page.text("article footer")
    assert f"{whole['usage']['prompt_tokens']} prompt tokens, 0 from cache" in footer
    assert f"{whole['usage']['completion_tokens']} generated" in footer and "tokens/s" in footer

    page.type("#text", "And then?\n")
    page.until("document.querySelectorAll('article footer').length == 2")
    body["messages"] += [{"role": "assistant", "content": answer}, {"role": "user", "content": "And then?"}]
    whole = server.post("/v1/chat/completions", body).json
    assert page.text("article:last-child > p") == whole["choices"][0]["message"]["content"]


@needs_browser
def test_numbers_move_while_it_generates_and_stop_ends_the_reply(server, page):
    before = server.metric("vllm:request_success_total")
    page.type("#text", "Tell me a very long story.")
    # The small model would soon end by itself: the page's request, with one member more.
    page.value("request = (original => () => ({...original(), ignore_eos: true}))(request)")
    page.type("#text", "\n")
    page.until("document.getElementById('running').textContent == '1'")
    page.until("Number(document.getElementById('generated').textContent) > 0")
    page.until("parseFloat(document.getElementById('cache').textContent) > 0")
    assert page.text("#send") == "Stop"
    page.value("document.getElementById('send').click()")
    page.until("document.querySelector('article footer')?.textContent == 'stopped'")
    assert page.text("#send") == "Send"
    page.until("document.getElementById('running').textContent == '0'")
    assert server.metric("vllm:request_success_total") == before + 1
    page.value("document.getElementById('clear').click()")
    assert page.value("document.querySelectorAll('article').length") == 0


@needs_browser
def test_a_refusal_is_shown_and_the_message_stays(page):
    page.value("document.getElementById('temperature').value = 7")
    page.type("#text", "Hello\n")
    page.until("document.querySelector('article footer') != null")
    assert page.text("article footer.fault") == "'temperature' must be from 0 to 2, not 7."
    assert page.value("document.getElementById('text').value") == "Hello"
    # The browser logs a status of 400 by itself.
    assert all("400" in error for error in page.errors)
    page.errors.clear()


@needs_browser
def test_a_key_is_asked_for_and_sent():
    with Server("--api-key", "secret", "--metrics-access", "key") as server:
        with contextlib.closing(browser.Browser(server.url)) as page:
            page.until("document.getElementById('model').textContent.includes('key')")
            page.until("document.getElementById('settings').open")
            page.type("#key", "secret")
            page.value("document.getElementById('key').blur()")
            page.until("document.getElementById('running').textContent == '0'")
            page.value("document.getElementById('limit').value = 2")
            page.type("#text", "Hello\n")
            page.until("document.querySelector('article footer')?.textContent.includes('tokens/s')")


def test_its_reply_lets_nothing_else_in(server):
    reply = server.get("/")
    assert reply.status == 200 and reply.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(directive.split(maxsplit=1) for directive in reply.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert b"http://" not in reply.body and b"https://" not in reply.body
    assert server.request("HEAD", "/").headers["Content-Length"] == str(len(reply.body))
    assert server.request("POST", "/", {}).status == 405


def test_it_can_be_switched_off():
    with Server("--no-web-ui") as server:
        assert server.get("/").status == 404
        assert server.get("/health").status == 200
