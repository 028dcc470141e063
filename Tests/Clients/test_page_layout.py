"""The page at `/` on screens of several sizes: what is in sight, what moves, and what a keyboard and a screen reader find."""

import json

import pytest
from chat_page import needs_browser, open_page
from trinity_server import Server

pytestmark = needs_browser

SIZES = [(1280, 800), (640, 360), (360, 740), (320, 568)]
SCHEMES = ["light", "dark"]

REPLY = """# A heading of a reply, long enough to need two lines on a phone

A paragraph with `code`, a [link](https://x.org) and averyveryveryverylongwordthatdoesnotfitonasmallscreenatallandmustbebroken.

```python
print("a line that is much too long for a small screen, and so its block scrolls by itself, and not the page")
```

| a column | another column | a third one | a fourth one | a fifth one |
|---|---|---|---|---|
| some text | some text | some text | some text | some text |

> a quote

1. one
   - two
- [x] done
"""

# The parts of a page that hold text, with what contrast it has on its background (WCAG 2.2, 1.4.3 and 1.4.11).
CONTRASTS = """
(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const blend = (...colors) => {
        canvas.clearRect(0, 0, 1, 1);
        for (const color of colors) {
            canvas.fillStyle = color;
            canvas.fillRect(0, 0, 1, 1);
        }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = color => color.map(value => value / 255)
        .map(value => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4)
        .reduce((sum, value, index) => sum + value * [.2126, .7152, .0722][index], 0);
    const found = [];
    for (const node of document.querySelectorAll("body *")) {
        const text = [...node.childNodes].filter(child => child.nodeType === 3).map(child => child.data.trim()).join("");
        const icon = node.localName === "use";
        if (!(text || icon) || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
        if (node.closest("option, .visually-hidden, [inert]")) continue;
        const behind = [];
        for (let at = node; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
        const back = ["white", ...behind];
        const style = getComputedStyle(node);
        const pair = [luminance(blend(...back)), luminance(blend(...back, style.color))].sort();
        const contrast = (pair[1] + .05) / (pair[0] + .05);
        if (contrast < (icon ? 3 : 4.5)) found.push([node.localName, node.id, node.className, text.slice(0, 20), contrast]);
    }
    return found;
})()
"""


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture
def page(server):
    with open_page(server, scripted=True) as page:
        yield page


def height(page, selector):
    """How much of an element is in sight."""
    return page.value(f"""
        (() => {{
            const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();
            return Math.min(box.bottom, innerHeight) - Math.max(box.top, 0);
        }})()""")


def assert_no_sideways_scroll(page):
    assert page.value("document.documentElement.scrollWidth <= innerWidth")
    # A message has all of its content inside: what is wider would be cut off.
    parts = "#scroll, #sidebar, #conversations, header, #settings, #page, article, article .body, article form"
    assert page.value(f"[...document.querySelectorAll('{parts}')].filter(node => node.scrollWidth > node.clientWidth + 1)"
                      ".map(node => node.id)") == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_each_size_shows_the_chat_and_scrolls_only_up_and_down(page, size, scheme):
    page.resize(*size, scheme)
    page.until("document.getElementById('running').textContent == '0'")
    is_large = size == (1280, 800)
    page.until(f"document.getElementById('status').hidden == {json.dumps(not is_large)}")
    assert height(page, "header") < (130 if is_large else 50)
    assert_no_sideways_scroll(page)
    page.ask("A question of averyveryveryverylongwordthatdoesnotfitonasmallscreenatall " + "with more words " * 6)
    page.value("test.push({ choices: [], prompt_progress: { total: 123456, cache: 0, processed: 98765, time_ms: 5 } })")
    page.settle()
    assert_no_sideways_scroll(page)
    assert page.value(CONTRASTS) == []
    page.delta(reasoning="I think. " * 100)
    assert page.value(CONTRASTS) == []
    page.delta(content=REPLY)
    called = {"name": "a_function_of_a_very_long_name_indeed", "arguments": "{}"}
    page.delta(tool_calls=[{"index": 0, "id": "a", "function": called}])
    page.finish("tool_calls")
    page.settle()
    # Most of a screen is the chat, also of a low one.
    assert height(page, "#scroll") > size[1] * 0.6
    assert_no_sideways_scroll(page)
    for top in (0, 300, 10_000):
        page.value(f"element('scroll').scrollTop = {top}")
        page.settle()
        assert page.value(CONTRASTS) == []
    page.value("notify('Something went wrong with ' + 'averyveryvery'.repeat(5), { isFault: true, action: 'Undo' })")
    page.click("article.user .edit")
    page.settle()
    assert_no_sideways_scroll(page)
    assert page.value(CONTRASTS) == []
    if not is_large:
        page.click("#status-toggle")
        page.settle()
        assert height(page, "#generated") > 15 and page.value(CONTRASTS) == []
        assert_no_sideways_scroll(page)
        page.click("#sidebar-open")
        page.value("new Promise(done => setTimeout(done, 300))")
        assert height(page, "#conversations .title") > 25 and page.value(CONTRASTS) == []
        page.click("#shade")
    page.value("openSettings()")
    page.settle()
    assert_no_sideways_scroll(page)
    assert page.value(CONTRASTS) == []
    # The first and the last field can be reached.
    page.value("document.getElementById('other').scrollIntoView()")
    assert height(page, "#other") > 30


@pytest.mark.parametrize("size", [(1280, 800), (360, 740)], ids=["large", "small"])
def test_a_reply_moves_nothing_that_is_read(page, size):
    page.resize(*size)
    page.reply(REPLY * 3)
    page.value("""
        window.shifts = [];
        new PerformanceObserver(list => shifts.push(...list.getEntries().map(entry => entry.value)))
            .observe({ type: "layout-shift", buffered: false });
        0""")
    for reads_above in (False, True):
        page.ask("More")
        if reads_above:
            page.value("element('scroll').scrollTop = 40")
            page.settle()
        top = page.value("element('scroll').scrollTop")
        page.value("shifts.length = 0")
        for _ in range(10):
            page.delta(reasoning="Some thoughts of the model. ")
        for at in range(0, len(REPLY), 40):
            page.delta(content=REPLY[at:at + 40])
        page.finish()
        page.settle()
        # What is below a block that grows is pushed down by it; nothing else moves.
        assert sum(page.value("shifts")) < 0.02, page.value("shifts")
        if reads_above:
            assert page.value("element('scroll').scrollTop") == top
            assert not page.value("element('to-end').hidden")
            page.click("#to-end")
        at_end = "element('scroll').scrollHeight - element('scroll').scrollTop - element('scroll').clientHeight < 2"
        page.until(at_end)
        assert page.value("element('to-end').hidden")


def test_a_long_conversation_is_fast(page):
    page.value("""
        const messages = [];
        for (let n = 0; n < 600; n++) {
            messages.push({ role: "user", content: "Question " + n }, { role: "assistant", content: %s });
        }
        const conversation = { ...newConversation(""), messages };
        store.save(conversation);
        0""" % json.dumps(REPLY))
    took = page.value("(() => { const begin = performance.now(); openConversation(store.list[0]); element('scroll').offsetHeight;"
                      "return performance.now() - begin })()")
    assert took < 5000
    page.until("element('scroll').scrollHeight - element('scroll').scrollTop - element('scroll').clientHeight < 2")
    page.ask("One more")
    took = page.value("""
        (async () => {
            const begin = performance.now();
            for (let n = 0; n < 50; n++) {
                test.delta({ content: "word " });
                await new Promise(requestAnimationFrame);
            }
            return (performance.now() - begin) / 50;
        })()""")
    assert took < 100, f"{took} ms for a token"
    page.finish()
    assert page.value("element('scroll').scrollHeight - element('scroll').scrollTop - element('scroll').clientHeight") < 2


def accessible(page):
    """What a screen reader is told: (role, name) of everything."""
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")]


@pytest.mark.parametrize("size", [(1280, 800), (360, 740)], ids=["large", "small"])
def test_everything_has_a_name_and_a_place_in_the_outline(page, size):
    page.resize(*size)
    page.ask()
    page.delta(reasoning="Hm.")
    page.delta(content=REPLY)
    page.delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}])
    assert page.value("document.getElementById('chat').ariaBusy") == "true"
    page.finish("tool_calls")
    page.until("document.getElementById('spoken').textContent == 'The reply is complete'")
    page.click("#status-toggle")
    nodes = accessible(page)
    controls = {"button", "textbox", "combobox", "spinbutton", "checkbox", "link", "DisclosureTriangle", "progressbar", "dialog"}
    assert [node for node in nodes if node[0] in controls and not node[1]] == [("checkbox", "")]
    assert {"main", "banner", "log", "heading"} <= {role for role, _ in nodes}
    names = {name for _, name in nodes}
    assert {"You", "Trinity", "Message", "Send", "Settings", "Copy the code", "Copy the message", "Generate again"} <= names
    # No level of headings is left out.
    levels = page.value("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].filter(node => node.checkVisibility())"
                        ".map(node => Number(node.localName[1]))")
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False)), levels
    page.value("openSettings()")
    assert [node for node in accessible(page) if node[0] in controls and not node[1]] == []
    page.press("Escape")
    assert page.value("document.activeElement.id") != "system"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_keyboard_reaches_everything_and_shows_where_it_is(page, scheme):
    page.resize(1280, 800, scheme)
    page.reply(REPLY)
    page.value("document.activeElement.blur(); document.getElementById('clear').focus()")
    seen = []
    for _ in range(40):
        page.press("Tab")
        where, ring = page.value("""
            (() => {
                const node = document.activeElement;
                const style = getComputedStyle(node.id === "text" ? document.getElementById("entry") : node);
                if (node === document.body) return ["", false];
                const hasRing = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
                return [node.id || node.ariaLabel || node.textContent.slice(0, 30), hasRing];
            })()""")
        if where in seen[:1]:
            break
        seen.append(where)
        assert ring or not where, where
    for name in ("Rename", "Export", "Delete", "status-toggle", "settings-open", "scroll", "Copy the message", "Edit the message",
                 "Copy the code", "Generate again", "text", "send"):
        assert name in seen, (name, seen)


def test_the_list_on_a_small_screen_takes_and_gives_the_focus(page):
    page.resize(360, 740)
    page.reply("One.")
    page.click("#sidebar-open")
    page.value("new Promise(done => setTimeout(done, 300))")
    assert page.value("document.activeElement.id") == "sidebar-close" and page.value("document.getElementById('page').inert")
    page.press("Escape")
    assert page.value("document.activeElement.id") == "sidebar-open" and not page.value("document.getElementById('page').inert")
    # The same key stops a reply only when nothing lies over the page.
    page.ask("More")
    page.delta(content="Two")
    page.click("#sidebar-open")
    page.press("Escape")
    assert page.value("document.getElementById('chat').ariaBusy") == "true"
    page.value("openSettings()")
    page.press("Escape")
    assert page.value("document.getElementById('chat').ariaBusy") == "true"
    page.press("Escape")
    page.until("document.getElementById('chat').ariaBusy == 'false'")


def test_the_appearance_can_be_chosen(page):
    page.resize(1280, 800, "light")
    colors = "getComputedStyle(document.body).backgroundColor"
    light = page.value(colors)
    page.value("element('appearance').value = 'dark'; saveSettings()")
    assert page.value(colors) != light
    page.reload()
    assert page.value(colors) != light
    page.value("element('appearance').value = ''; saveSettings()")
    assert page.value(colors) == light
