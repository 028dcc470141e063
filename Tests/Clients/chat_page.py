"""The page at `/` in a browser, with replies that a test writes itself or those of the server."""

import contextlib
import json

import browser
import pytest

needs_browser = pytest.mark.skipif(not browser.EXECUTABLE, reason="Chromium is not installed")

# Answers requests for chats in the server's place: `test.delta(...)` and `test.finish(...)` write the stream, and `test.bodies`
# has what was asked. Everything else goes to the server.
SCRIPTED = """
window.test = { bodies: [], refusal: null };
window.fetch = (original => (url, options = {}) => {
    if (!String(url).endsWith("chat/completions")) return original(url, options);
    test.bodies.push(JSON.parse(options.body));
    if (test.refusal) {
        return Promise.resolve(new Response(JSON.stringify({ error: { message: test.refusal } }), { status: 400 }));
    }
    const encoder = new TextEncoder();
    return Promise.resolve(new Response(new ReadableStream({ start(stream) {
        const push = value => stream.enqueue(encoder.encode(`data: ${JSON.stringify(value)}\\n\\n`));
        const delta = (delta, reason = null) => push({ choices: [{ index: 0, delta, finish_reason: reason }] });
        const finish = (reason = "stop") => {
            delta({}, reason);
            stream.close();
        };
        const fail = () => stream.error(new TypeError("network error"));
        Object.assign(test, { push, delta, finish, fail });
        options.signal.addEventListener("abort", () => stream.error(new DOMException("aborted", "AbortError")));
    } })));
})(window.fetch);
"""


class ChatPage(browser.Browser):
    """The page, with what tests do with it."""

    def script_replies(self):
        self.value(SCRIPTED + "0")

    def ask(self, text="Hello"):
        """Sends a message; a scripted reply can begin."""
        count = self.value("window.test?.bodies.length ?? 0")
        self.type("#text", text + "\n")
        if self.value("Boolean(window.test)"):
            self.until(f"test.bodies.length > {count}")
            self.value("new Promise(requestAnimationFrame)")

    def delta(self, **members):
        """Writes one chunk of a scripted reply, and waits until it is drawn."""
        self.value(f"test.delta({json.dumps(members)})")
        self.settle()

    def finish(self, reason="stop"):
        self.value(f"test.finish({json.dumps(reason)})")
        self.until("document.getElementById('chat').ariaBusy == 'false'")

    def settle(self):
        """Waits until what was done is drawn."""
        self.value("new Promise(done => setTimeout(done, 20))")
        # On a busy machine the page draws less often.
        self.until("[...replies.values()].every(reply => !reply.isPlanned)")
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def reply(self, text, question="Hello"):
        """One turn with a scripted reply."""
        self.ask(question)
        self.delta(content=text)
        self.finish()

    @property
    def messages(self):
        return self.value("current.messages")

    @property
    def texts(self):
        """What the messages on the page say, in order."""
        return self.value("[...document.querySelectorAll('article .body')].map(body => body.textContent)")


@contextlib.contextmanager
def open_page(server, scripted=False):
    """The page in a browser of its own, which must log no error and ask nobody but the server."""
    with contextlib.closing(ChatPage(server.url)) as page:
        page.resize(1280, 800)
        if scripted:
            page.script_replies()
        yield page
        assert page.errors == []
        assert all(url.startswith((server.url, "data:", "blob:" + server.url)) for url in page.urls), page.urls
