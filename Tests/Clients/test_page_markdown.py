"""Markdown on the page at `/`: what is rendered, and that nothing that a model, a user or a file writes becomes anything else."""

import json

import pytest
from chat_page import needs_browser, open_page
from trinity_server import Server

pytestmark = needs_browser

# Renders a text at once, and as it grows by pieces of a length; each as HTML.
RENDER = """
window.render = (text, step = text.length || 1) => {
    const node = document.createElement("div");
    const view = new MarkdownView(node);
    for (let length = step; length < text.length + step; length += step) view.update(text.slice(0, length));
    node.normalize();
    for (const copy of node.querySelectorAll(".code .bar")) copy.remove();
    return node;
};
0
"""


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture
def page(server):
    with open_page(server, scripted=True) as page:
        page.value(RENDER)
        yield page


def html(page, text, step=None):
    pieces = "" if step is None else f", {step}"
    return page.value(f"render({json.dumps(text)}{pieces}).innerHTML")


def link(address, text):
    return f'<a href="{address}" title="{address}" target="_blank" rel="noopener noreferrer nofollow">{text}</a>'


CODE = '<div class="code"><pre tabindex="0"><code>{}</code></pre></div>'
TABLE = '<div class="table" tabindex="0" role="region" aria-label="Table"><table><thead>{}</thead><tbody>{}</tbody></table></div>'

CASES = {
    # Blocks.
    "": "",
    "a": "<p>a</p>",
    "a\nb": "<p>a<br>b</p>",
    "a  \nb\\\nc": "<p>a<br>b<br>c</p>",
    "a\n\n\nb\r\n\r\nc": "<p>a</p><p>b</p><p>c</p>",
    "# A #\n### B\n####### C\n#D": '<h3 class="level-1">A</h3><h5 class="level-3">B</h5><p>####### C<br>#D</p>',
    "a\n# b": '<p>a</p><h3 class="level-1">b</h3>',
    "# a#b\n# c \\#": '<h3 class="level-1">a#b</h3><h3 class="level-1">c #</h3>',
    "---\n***\n_ _ _": "<hr><hr><hr>",
    "a\n---\nb": "<p>a</p><hr><p>b</p>",
    "```py x\na < b\n\n  c\n```\nd": CODE.format("a &lt; b\n\n  c") + "<p>d</p>",
    "~~~~\n```\n~~~\n~~~~": CODE.format("```\n~~~"),
    "```\nopen": CODE.format("open"),
    "a\n```\nb\n```": "<p>a</p>" + CODE.format("b"),
    "``` a`b": "<p>``` a`b</p>",
    "> a\n> # b\n>> c\nd": '<blockquote><p>a</p><h3 class="level-1">b</h3><blockquote><p>c</p></blockquote></blockquote><p>d</p>',
    "- a\n- b": "<ul><li>a</li><li>b</li></ul>",
    "* a\n+ b": "<ul><li>a</li></ul><ul><li>b</li></ul>",
    "- a\n\n- b": "<ul><li><p>a</p></li><li><p>b</p></li></ul>",
    "3. a\n4. b": '<ol start="3"><li>a</li><li>b</li></ol>',
    "1) a\n   more\nlazy\n2) b": "<ol><li>a<br>more<br>lazy</li><li>b</li></ol>",
    "- a\n  - b\n    - c\n- d": "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ul>",
    "1. a\n  - b\n2. c": "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>",
    "1. a\n   ```\n   b\n\n     c\n   ```\n2. d": f"<ol><li>a{CODE.format('b' + chr(10) * 2 + '  c')}</li><li>d</li></ol>",
    "- a\n\n  b\n\nc": "<ul><li><p>a</p><p>b</p></li></ul><p>c</p>",
    "- [ ] a\n- [x] b": '<ul><li class="task"><input type="checkbox" disabled="">a</li>'
                        '<li class="task"><input type="checkbox" disabled="">b</li></ul>',
    "The year was\n1984. Then\n- x": "<p>The year was<br>1984. Then</p><ul><li>x</li></ul>",
    "a\n1. b": "<p>a</p><ol><li>b</li></ol>",
    "-a\n1.b\n-": "<p>-a<br>1.b<br>-</p>",
    "\ta\n\t- b": "<p>a<br>- b</p>",
    "|a|b|\n|:-|-:|\n|`1`|2\\|3|4|\n|5\n\nc": TABLE.format(
        '<tr><th class="left" scope="col">a</th><th class="right" scope="col">b</th></tr>',
        '<tr><td class="left"><code>1</code></td><td class="right">2|3</td></tr><tr><td class="left">5</td></tr>') + "<p>c</p>",
    "a | b\n--- | ---": TABLE.format('<tr><th scope="col">a</th><th scope="col">b</th></tr>', ""),
    "a | b\n--- | --- | ---": "<p>a | b<br>--- | --- | ---</p>",
    "a | b\n--": "<p>a | b<br>--</p>",
    # Inlines.
    "*a* _b_ **c** __d__ ***e*** ~~f~~": "<p><em>a</em> <em>b</em> <strong>c</strong> <strong>d</strong> "
                                         "<em><strong>e</strong></em> <del>f</del></p>",
    "*a **b** c* **a*b*c**": "<p><em>a <strong>b</strong> c</em> <strong>a<em>b</em>c</strong></p>",
    "a*b*c snake_case_name __init__.py": "<p>a<em>b</em>c snake_case_name <strong>init</strong>.py</p>",
    "2 * 3 * 4 ** 5 *open **open": "<p>2 * 3 * 4 ** 5 *open **open</p>",
    "*a**b* ~c~ ~~~d~~~": "<p><em>a**b</em> ~c~ ~~~d~~~</p>",
    "**Wichtig:**a **„b“** *(c)*": "<p>**Wichtig:**a <strong>„b“</strong> <em>(c)</em></p>",
    "`a*b*` ``c`d`` ` e ` `open *f*": "<p><code>a*b*</code> <code>c`d</code> <code>e</code> `open <em>f</em></p>",
    r"\*a\* \` \[b](c) \q": r"<p>*a* ` [b](c) \q</p>",
    "[a *b*](https://x.org/?a=1&b=2 \"title\")":
        f"<p>{link('https://x.org/?a=1&amp;b=2', 'a <em>b</em>')}</p>",
    "[a](<https://x.org/a b>) [b](mailto:a@b.org)":
        f"<p>{link('https://x.org/a%20b', 'a')} {link('mailto:a@b.org', 'b')}</p>",
    "[a](/relative) [b](#c) [c] [d]() [e](f": "<p><span>a</span> <span>b</span> [c] <span>d</span> [e](f</p>",
    "[a [b](https://x.org) c](https://y.org)":
        f"<p>[a {link('https://x.org/', 'b')} c]({link('https://y.org/', 'https://y.org')})</p>",
    "*[a](https://x.org)*": f"<p><em>{link('https://x.org/', 'a')}</em></p>",
    "[*a](https://x.org)*": f"<p>{link('https://x.org/', '*a')}*</p>",
    "![a](https://x.org/a.png)": f"<p>{link('https://x.org/a.png', 'a')}</p>",
    "[![a](https://x.org/a.png)](https://y.org)": f"<p>{link('https://y.org/', 'a')}</p>",
    "![](https://x.org/a.png)": f"<p>{link('https://x.org/a.png', 'https://x.org/a.png')}</p>",
    "<https://x.org/a_b_c> <a@b.org>": f"<p>{link('https://x.org/a_b_c', 'https://x.org/a_b_c')} &lt;a@b.org&gt;</p>",
    "See https://x.org/a_b_(c)_d. (http://y.org) xhttps://z.org":
        f"<p>See {link('https://x.org/a_b_(c)_d', 'https://x.org/a_b_(c)_d')}. ({link('http://y.org/', 'http://y.org')}) "
        "xhttps://z.org</p>",
    "**https://x.org**": f"<p><strong>{link('https://x.org/', 'https://x.org')}</strong></p>",
    "a &amp; b &lt;i&gt;": "<p>a &amp;amp; b &amp;lt;i&amp;gt;</p>",
    "<b>a</b>\n<div>\n*b*\n</div>": "<p>&lt;b&gt;a&lt;/b&gt;<br>&lt;div&gt;<br><em>b</em><br>&lt;/div&gt;</p>",
}


def test_the_subset_is_rendered(page):
    got = {text: html(page, text) for text in CASES}
    assert got == CASES
    assert page.value("[...render('- [ ] a\\n- [x] b').querySelectorAll('input')].map(box => box.checked)") == [False, True]


def test_a_text_that_grows_ends_as_the_whole(page):
    texts = [*CASES, "\n\n".join(CASES), "\n".join(CASES), "x\n\n".join(reversed(CASES))]
    for text in texts:
        assert [html(page, text, step) for step in (1, 2, 3, 7)] == [html(page, text)] * 4, text


# Random texts of what matters to Markdown and to HTML.
FUZZ = """
(async seed => {
    const pieces = ["a", "b ", " ", "\\n", "\\n\\n", "*", "**", "_", "`", "```", "~~", "[", "](", ")", "![", "<", ">", "> ", "- ",
        "1. ", "  ", "    ", "|", "|-|", "\\n|-|-|\\n", "#", "# ", "---", "\\\\", "&lt;",
        "\\t", "\\r\\n", "é", "😀", "\\0", "\\u2028",
        "https://x.org", "javascript:", "<script>", "<img src=x onerror=alert(1)>", "[x] ", "\\"", "'", "=", "~~~\\n"];
    const allowed = { A: ["href", "title", "target", "rel"], DIV: ["class", "tabindex", "role", "aria-label"], PRE: ["tabindex"],
        OL: ["start"], LI: ["class"], INPUT: ["type", "disabled"], TD: ["class"], TH: ["class", "scope"] };
    for (const name of ["H3", "H4", "H5", "H6"]) allowed[name] = ["class"];
    for (const name of "P EM STRONG DEL CODE SPAN BR HR BLOCKQUOTE UL TABLE THEAD TBODY TR".split(" ")) allowed[name] = [];
    const random = () => (seed = Math.imul(seed, 1103515245) + 12345 & 0x7fffffff) / 0x80000000;
    for (let round = 0; round < 1500; round++) {
        let text = "";
        for (let n = random() * 40; n > 0; n--) text += pieces[Math.floor(random() * pieces.length)];
        const whole = render(text);
        for (const node of whole.querySelectorAll("*")) {
            if (!allowed[node.tagName] || node.getAttributeNames().some(name => !allowed[node.tagName].includes(name))) {
                return "forbidden: " + text;
            }
            if (node.tagName === "A" && !/^(https?|mailto):/.test(node.href)) return "address: " + text;
        }
        if (render(text, 1 + Math.floor(random() * 5)).innerHTML !== whole.innerHTML) return "not the whole: " + text;
        // Letters are never lost.
        const letters = text => text.replace(/[^ab]/g, "").length;
        const code = [...text.matchAll(/(?:```|~~~)[^\\n]*/g)].map(([line]) => line).join("");
        const hidden = letters(code) + [...text.matchAll(/\\]\\([^\\n]*/g)].reduce((sum, [target]) => sum + letters(target), 0)
            + letters(text.split("\\n").filter(line => line.includes("|")).join(""));
        if (letters(whole.textContent) < letters(text) - hidden) return "lost: " + text;
    }
    return "";
})(%d)
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_texts_become_nothing_but_the_subset(page, seed):
    assert page.value(FUZZ % seed) == ""


# Each would be slow if a rule read a line again for each of its marks. 200,000 characters each.
HOSTILE = {
    "openers": "*a " * 66_000, "closers": "a* " * 66_000, "mixed": "*a_ " * 50_000, "both": "a*b_" * 50_000,
    "runs": "*" * 200_000,
    "ticks": "".join("`" * n + " " for n in range(1, 620)), "brackets": "[" * 200_000, "pairs": "[]" * 100_000,
    "images": "![" * 100_000, "links": "[a](" * 50_000, "nested links": "[a](x)" * 33_000, "targets": "](" * 100_000,
    "nested images": "![" * 30_000 + "](a)" * 30_000, "quotes": ">" * 200_000, "deep quotes": "> " * 100_000,
    "lists": "- " * 100_000, "deep lists": "\n".join("  " * n + "- a" for n in range(400)), "bars": "|" * 200_000,
    "table": "|a" * 500 + "\n" + "|-" * 500 + "\n" + "|\n" * 60_000,
    "hashes": "# " + "#" * 200_000, "spaces": "# a" + " " * 200_000 + "b",
    "blank": "a\n" + " " * 200_000 + "\n" + "\n" * 100_000, "dashes": "- - " * 50_000, "angles": "<" * 200_000,
    "addresses": "http://" * 28_000, "backslashes": "\\" * 200_000, "fences": "```\n" * 50_000,
    "nested emphasis": "*a **b " * 28_000 + "c** d*" * 28_000, "digits": "1" * 200_000, "paragraph": "word\n" * 40_000,
}


def test_no_text_is_slow_or_deep(page):
    slow = {}
    for name, text in HOSTILE.items():
        page.value(f"window.text = {json.dumps(text)}; 0")
        took, depth = page.value("""
            (() => {
                const begin = performance.now();
                const node = render(text);
                const took = performance.now() - begin;
                const depth = node => Math.max(0, ...[...node.children].slice(0, 1000).map(child => depth(child) + 1));
                return [took, depth(node)];
            })()""")
        if took > 8000 or depth > 60:
            slow[name] = took, depth
    assert slow == {}


def test_a_long_reply_costs_no_more_by_the_token(page):
    """The part of a reply that is finished is not made again."""
    took, kept = page.value("""
        (() => {
            const node = document.createElement("div");
            const view = new MarkdownView(node);
            let text = "";
            const first = [];
            const begin = performance.now();
            for (let round = 0; round < 4000; round++) {
                text += "Some *words* and a [link](https://x.org).\\n\\n- one\\n- two\\n\\n";
                view.update(text);
                if (round === 10) first.push(...[...node.children].slice(0, 10));
            }
            return [performance.now() - begin, first.every((child, index) => node.children[index] === child)];
        })()""")
    assert kept and took < 8000, took


ATTACKS = [
    "<script>window.hacked = 1</script>", "<img src=x onerror='window.hacked=1'>", "<svg onload=window.hacked=1>",
    "[a](javascript:window.hacked=1)", "[a](JaVaScRiPt:window.hacked=1)", "[a](java\tscript:window.hacked=1)",
    "[a](<java\nscript:window.hacked=1>)", "[a](&#106;avascript:window.hacked=1)",
    "[a](data:text/html,<script>alert(1)</script>)",
    "[a](vbscript:x)", "[a](blob:http://x/1)", "[a](file:///etc/passwd)",
    "<javascript:window.hacked=1>", "![a](javascript:window.hacked=1)",
    "![a](x\" onerror=\"window.hacked=1)", "[a](https://x.org\"onmouseover=\"window.hacked=1)",
    "```\"><img src=x onerror=hacked=1>\n</code></pre><script>",
    "| <img src=x onerror=hacked=1> |\n|-|\n| <script>hacked=1</script> |",
    "# <iframe srcdoc='<script>parent.hacked=1</script>'>",
    "</div></article><script>window.hacked=1</script>", "<style>*{display:none}</style>",
    "<form action=x><button>b", "<base href=//x>",
    "<meta http-equiv=refresh content=0>", "<a href=x ping=y>", "`<b>`", "&lt;script&gt;", "${window.hacked=1}", "{{hacked=1}}",
]


def test_nothing_that_anybody_writes_runs(page):
    assert page.value("document.querySelectorAll('#chat *').length") == 0
    for attack in ATTACKS:
        page.ask(attack)
        page.delta(reasoning=attack)
        page.delta(content=attack)
        page.delta(tool_calls=[{"index": 0, "id": attack, "function": {"name": attack, "arguments": json.dumps({"a": attack})}}])
        page.finish("tool_calls")
        page.value(f"document.querySelector('.results textarea').value = {json.dumps(attack)}")
        page.click(".results button")
        page.until("document.getElementById('chat').ariaBusy == 'true'")
        page.delta(content=attack)
        page.finish()
    # A file with the same, and attacks in each of its members.
    for attack in ATTACKS:
        message = {"role": "assistant", "content": attack, "reasoning": attack, "note": attack, "fault": attack, "tool_calls": [
            {"id": attack, "type": attack, "function": {"name": attack, "arguments": attack}}]}
        conversation = {"id": attack, "title": attack, "system": attack, "created": attack, "messages": [
            {"role": "user", "content": attack}, message, {"role": "tool", "tool_call_id": attack, "content": attack}]}
        page.value(f"store.import({json.dumps(json.dumps({'conversations': [conversation]}))}); showList()")
    for _ in range(2):
        for index in range(len(ATTACKS)):
            page.value(f"openConversation(store.list[{index}])")
            assert page.value("[...document.querySelectorAll('#chat a')].every(link => /^https?:/.test(link.href))")
        page.settle()
        assert page.value("window.hacked") is None
        tags = page.value("[...new Set([...document.querySelectorAll('#chat *, #conversations *')].map(node => node.localName))]")
        assert not {"script", "img", "iframe", "style", "base", "meta", "object", "embed", "link"} & set(tags), tags
        assert page.value("[...document.querySelectorAll('#chat svg')].every(node => node.parentNode.matches('button'))")
        assert page.value("getComputedStyle(document.getElementById('chat')).display") == "block"
        page.reload()
    # The browser would refuse too: this is no page that takes markup from text.
    assert page.value("try { document.body.innerHTML = '<b>'; 'taken' } catch { 'refused' }") == "refused"
    page.errors.clear()
