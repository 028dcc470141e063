"""Drives a Chromium without a screen by its DevTools protocol, over the pipe that it offers for that."""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time

EXECUTABLE = shutil.which("chromium") or shutil.which("google-chrome")


class Browser:
    """One browser with one page at `url`; what the page logs as an error, and what it asks for, is kept."""

    def __init__(self, url):
        self.profile = tempfile.TemporaryDirectory(prefix="trinity-browser-", ignore_cleanup_errors=True)
        (read_commands, self.to_browser), (self.from_browser, write_replies) = os.pipe(), os.pipe()
        # Out of the way of the two numbers that they get.
        commands, replies = (fcntl.fcntl(file, fcntl.F_DUPFD, 10) for file in (read_commands, write_replies))
        # The browser reads file 3 and writes file 4. Its sandbox needs rights that root and containers lack; the page is ours.
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--remote-debugging-pipe", f"--user-data-dir={self.profile.name}"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{commands} 4>&{replies}', EXECUTABLE, *options],
            pass_fds=(commands, replies), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for file in (read_commands, write_replies, commands, replies):
            os.close(file)
        self.buffer, self.number, self.session = b"", 0, None
        self.errors, self.urls = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)
        self.until("document.readyState == 'complete'")

    def call(self, method, **parameters):
        """The result of one command."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            reply = self.read()
            if reply.get("id") == self.number:
                assert "error" not in reply, reply
                return reply["result"]

    def read(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.from_browser, 1 << 16)
            assert piece, "the browser ended"
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(message["params"]["exceptionDetails"])
            case "Log.entryAdded" if message["params"]["entry"]["level"] == "error":
                self.errors.append(message["params"]["entry"]["text"])
            case "Network.requestWillBeSent":
                self.urls.append(message["params"]["request"]["url"])
        return message

    def value(self, expression):
        """What a JavaScript expression is; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, selector):
        return self.value(f"document.querySelector({json.dumps(selector)})?.textContent ?? null")

    def until(self, expression, seconds=30):
        deadline = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < deadline, f"{expression} did not come true; errors: {self.errors}"
            time.sleep(0.05)

    def type(self, selector, text):
        """Types as at a keyboard; a newline is the Enter key."""
        self.value(f"document.querySelector({json.dumps(selector)}).focus()")
        for number, part in enumerate(text.split("\n")):
            if number > 0:
                for kind in ("keyDown", "keyUp"):
                    self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
            if part:
                self.call("Input.insertText", text=part)

    def press(self, key, modifiers=0):
        """Presses a key that writes nothing, such as Escape."""
        code = {"Escape": 27, "Tab": 9}[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers)

    def click(self, selector):
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def choose(self, selector, *files):
        """Chooses files as in the dialog of a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def resize(self, width, height, scheme="light"):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def reload(self):
        """Loads the page again."""
        self.value("window.isOld = true")
        self.call("Page.reload")
        self.until("document.readyState == 'complete' && !window.isOld")

    def close(self):
        os.close(self.to_browser)
        self.process.terminate()
        self.process.wait(30)
        os.close(self.from_browser)
        self.profile.cleanup()
