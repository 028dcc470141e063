"""The conversations of the page at `/`: kept in the browser, listed, renamed, deleted, exported and imported."""

import json

import pytest
from chat_page import needs_browser, open_page
from trinity_server import Server

pytestmark = needs_browser

LIST = "[...document.querySelectorAll('#conversations .title')].map(title => title.textContent)"


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture
def page(server):
    with open_page(server, scripted=True) as page:
        yield page


def listed(page):
    return page.value(LIST)


def stored(page):
    """What the storage of the browser has, by id."""
    return page.value("Object.fromEntries(Object.entries(localStorage).filter(([key]) => key.startsWith(CONVERSATION_PREFIX))"
                      ".map(([key, text]) => [key.slice(CONVERSATION_PREFIX.length), JSON.parse(text)]))")


def exported(page, button):
    """The file that a button gives."""
    page.value("URL.createObjectURL = blob => (window.testFile = blob, 'blob:x');"
               "HTMLAnchorElement.prototype.click = function () { window.exportName = this.download }")
    page.value(f"[...document.querySelectorAll('button')].find(node => node.textContent == {json.dumps(button)}).click()")
    return page.value("testFile.text()"), page.value("exportName")


def imported(page, tmp_path, text):
    """Imports a file; what the page says."""
    file = tmp_path / "file.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    page.value("closeNotice()")
    page.choose("#import-file", file)
    page.until("!document.getElementById('notice').hidden")
    return page.text("#notice p")


def test_the_list_has_the_last_changed_first_and_opens_them(page):
    page.reply("One.", question="First")
    page.click("#clear")
    page.reply("Two.", question="Second")
    assert listed(page) == ["Second", "First"]
    page.click("#conversations li:last-child .title")
    assert page.texts == ["First", "One."]
    assert page.value("document.activeElement.id") == "text"
    page.reply("Again.", question="More")
    assert listed(page) == ["First", "Second"]
    page.reload()
    assert listed(page) == ["First", "Second"] and page.texts[-1] == "Again."
    assert page.value("document.title") == "First – Trinity"


def test_a_title_is_changed_or_left(page):
    page.reply("One.")
    for key, title in (("\n", "A <b>name</b>"), (None, "A <b>name</b>")):
        page.value("renameConversation(current.id)")
        page.type("#conversations input", "A <b>name</b>" if key else "Something else")
        page.type("#conversations input", key) if key else page.press("Escape")
        assert listed(page) == [title]
    page.reload()
    assert listed(page) == ["A <b>name</b>"]


def test_a_deleted_conversation_comes_back_by_undo(page):
    page.reply("One.")
    page.value("removeConversation(current)")
    assert listed(page) == [] and stored(page) == {} and page.texts == []
    page.value("[...document.querySelectorAll('#notice button')].find(button => button.textContent == 'Undo').click()")
    assert listed(page) == ["Hello"] and page.texts == ["Hello", "One."] and len(stored(page)) == 1


def test_deleting_stops_the_reply(page):
    page.ask()
    page.delta(content="One")
    page.value("removeConversation(current)")
    page.settle()
    assert stored(page) == {} and page.value("replies.size") == 0 and page.text("#notice p") == "“Hello” is deleted."


def test_an_export_is_imported_whole(page, tmp_path):
    page.value("element('system').value = 'Be brief.'; element('system').oninput()")
    page.ask()
    page.delta(reasoning="I think.")
    page.delta(content="One, **two**.")
    page.delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}])
    page.finish("tool_calls")
    # A result may be empty; it is a message all the same.
    page.click(".results button")
    page.until("test.bodies.length == 2")
    page.delta(content="Well.")
    page.finish()
    text, name = exported(page, "Export")
    assert name == "Hello.json"
    file = json.loads(text)
    assert file["format"] == "trinity-conversations" and [m["role"] for m in file["conversations"][0]["messages"]] == [
        "user", "assistant", "tool", "assistant"]
    assert file["conversations"][0]["system"] == "Be brief."
    page.click("#clear")
    page.reply("Two.", question="Other")
    both, name = exported(page, "Export all")
    assert name == "Trinity conversations.json" and len(json.loads(both)["conversations"]) == 2
    before = stored(page)
    page.value("for (const { id } of store.list) store.remove(id); openConversation()")
    assert imported(page, tmp_path, both) == "2 conversations imported."
    assert stored(page) == before
    # Imported twice, they are there twice.
    assert imported(page, tmp_path, both) == "2 conversations imported."
    assert len(stored(page)) == 4 and sorted(listed(page)) == ["Hello", "Hello", "Other", "Other"]


GARBAGE = {
    "empty": b"", "no JSON": b"hello", "no object": b"[1, 2]", "null": b"null", "binary": bytes(range(256)),
    "another object": b'{"a": 1}', "no list": b'{"conversations": {"length": 5}}',
    "no conversation": b'{"conversations": [null]}',
    "no messages": b'{"conversations": [{"id": "aaaaaaaa"}]}', "half": b'{"conversations": [{"messages": [{"role": "user",',
    "a role": b'{"messages": [{"role": "system", "content": "x"}]}',
    "a content": b'{"messages": [{"role": "user", "content": [1]}]}',
    "a prototype": b'{"messages": [{"role": "__proto__", "content": "x"}]}',
    "a call": b'{"messages": [{"role": "assistant", "tool_calls": [{"id": 1}]}]}',
    "calls": b'{"messages": [{"role": "assistant", "tool_calls": "x"}]}',
    "one of two": b'{"conversations": [{"messages": []}, {"messages": [{}]}]}',
}


def test_a_file_that_has_no_conversations_changes_nothing(page, tmp_path):
    page.reply("One.")
    before = stored(page)
    for name, content in GARBAGE.items():
        assert "no file of conversations" in (said := imported(page, tmp_path, content)) or "is broken" in said, name
        assert page.value("document.getElementById('notice').className") == "fault"
    assert stored(page) == before and listed(page) == ["Hello"] and page.texts == ["Hello", "One."]


def test_members_that_are_unknown_or_of_another_type_are_dropped(page, tmp_path):
    fault = "<img src=x onerror=a()>"
    message = {"role": "assistant", "content": "Hi", "note": 5, "reasoning": ["x"], "html": "<b>", "fault": fault}
    conversation = {"id": "../../x", "title": {"toString": 1}, "system": 7, "created": "yesterday", "updated": 1e300,
                    "messages": [message], "__proto__": {"bad": True}}
    assert imported(page, tmp_path, json.dumps({"conversations": [conversation]})) == "1 conversation imported."
    (id, kept), = stored(page).items()
    assert len(id) == 24 and kept["title"] == kept["system"] == ""
    assert kept["messages"] == [{"role": "assistant", "content": "Hi", "fault": fault}]
    assert abs(kept["updated"] - page.value("Date.now()")) < 60_000
    page.click("#conversations .title")
    assert page.text("article .fault") == fault and page.value("document.querySelector('article img')") is None


def test_garbage_in_the_storage_is_passed_over(page):
    page.reply("One.")
    page.value("const items = { a: '', b: '{', c: '5', d: '{\"messages\":[5]}', e: '{\"messages\":[]}' };"
               "for (const [name, text] of Object.entries(items))"
               "localStorage.setItem(CONVERSATION_PREFIX + name, text); localStorage.setItem(SETTINGS_KEY, '[{');"
               "sessionStorage.setItem('drafts', '7'); sessionStorage.setItem('current', '{')")
    page.reload()
    assert listed(page) == ["Hello"] and page.texts == []


@pytest.mark.parametrize("kind", ["full", "bound"])
def test_a_full_storage_is_told_and_loses_nothing(page, kind):
    page.reply("One.", question="Old")
    page.click("#clear")
    if kind == "full":
        page.value("for (let size = 1 << 22; size > 0; size >>= 1) for (let n = 0; n < 2; n++) try {"
                   "localStorage.setItem(`fill-${size}-${n}`, 'x'.repeat(size)) } catch {}")
        page.ask("New")
    else:
        page.ask("New")
        page.value("message = 'x'.repeat(MAXIMUM_STORED); test.delta({ content: message })")
    page.delta(content="Two.")
    page.finish()
    assert page.text("#notice.fault p").startswith("This conversation is not kept")
    assert sorted(listed(page)) == ["New (not kept)", "Old"]
    # It goes on, and can be exported.
    page.click("#conversations li:last-child .title")
    page.click("#conversations li:first-child .title")
    assert page.texts[1].endswith("Two.")
    assert exported(page, "Export")[0].count("Two.") == 1
    # Once there is room it is kept.
    page.value("for (const key of Object.keys(localStorage)) if (key.startsWith('fill')) localStorage.removeItem(key)")
    if kind == "bound":
        page.value("current.messages[1].content = 'Short.'")
    page.reply("Three.", question="More")
    assert sorted(listed(page)) == ["New", "Old"] and len(stored(page)) == 2


def test_a_browser_without_storage_can_chat(page):
    page.value("Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('x', 'SecurityError') } });"
               "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('x', 'SecurityError') } }); 0")
    page.reply("One.")
    page.value("saveSettings(); removeConversation(current)")
    page.reply("Two.")
    assert page.texts == ["Hello", "Two."] and listed(page) == ["Hello (not kept)"]


def test_a_change_in_another_tab_is_shown(server, page):
    page.reply("One.")
    # The event of another tab's change.
    change = ("(change => { const key = CONVERSATION_PREFIX + current.id; const value = JSON.parse(localStorage.getItem(key));"
              "change(value); localStorage.setItem(key, JSON.stringify(value));"
              "window.dispatchEvent(new StorageEvent('storage', { key })) })")
    page.value(change + "(value => { value.title = 'Renamed'; value.messages[1].content = 'Changed.' })")
    assert listed(page) == ["Renamed"] and page.texts == ["Hello", "Changed."]
    page.ask("More")
    page.value(change + "(value => value.messages = [])")
    page.delta(content="Three.")
    page.finish()
    assert page.texts == ["Hello", "Changed.", "More", "Three."]
    page.value("const key = CONVERSATION_PREFIX + current.id; localStorage.removeItem(key);"
               "window.dispatchEvent(new StorageEvent('storage', { key }))")
    assert listed(page) == []
