"""`trinity needle`, against the real server and against servers with less of the API."""

import contextlib
import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
import xml.etree.ElementTree

import pytest
from trinity_server import BINARY, REPOSITORY, TLS_FILES, free_port

VALUE = re.compile(r"numbers for (\S+) is: (\d+)\.")


def start(url, *arguments, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
    clean.pop("OPENAI_API_KEY", None)
    return subprocess.Popen(
        [REPOSITORY / BINARY, "needle", url, *map(str, arguments)], cwd=REPOSITORY, env=clean | variables,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def needle(url, *arguments, code=0, **variables):
    process = start(url, *arguments, **variables)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == code, output + errors
    return output if code == 0 else output + errors


class OtherServer:
    """A server of another kind: what it cannot do is missing, and it finds every needle, if it is asked in its own way."""

    def __init__(
            self, chat=True, limit="max_tokens", key=None, fail_above=None, delay=0.0, tls=False, tokenize=None, usage=None,
            temperature=True, largest=None):
        """`tokenize` answers `/tokenize` with the handler, and `usage` gives the tokens of a prompt from their number."""
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            retry_after = None

            def answer(self, status, body):
                data = json.dumps(body).encode()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    if self.retry_after is not None and status != 200:
                        self.send_header("Retry-After", str(self.retry_after))
                    self.end_headers()
                    self.wfile.write(data)

            def is_refused(self):
                if key is None or self.headers["Authorization"] == f"Bearer {key}":
                    return False
                self.answer(401, {"error": {"message": "Incorrect API key"}})
                return True

            def do_GET(self):
                if not self.is_refused():
                    self.answer(200, {"data": [{"id": "other"}]} if self.path == "/v1/models" else {})

            def do_POST(self):
                if largest and int(self.headers["Content-Length"]) > largest:
                    return self.answer(413, {"error": {"message": "the body is too large"}})
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, body))
                if self.is_refused():
                    return
                if self.path == "/tokenize" and tokenize:
                    return tokenize(self)
                if self.path == "/v1/chat/completions" and chat:
                    text = body["messages"][0]["content"]
                elif self.path == "/v1/completions" and not chat:
                    text = body["prompt"]
                else:
                    return self.answer(404, {"detail": "Not Found"})
                if limit not in body:
                    return self.answer(400, {"error": {"message": f"Unsupported parameter. Use '{limit}' instead."}})
                if "temperature" in body and not temperature:
                    return self.answer(400, {"error": {"message": "'temperature' does not support 0 with this model."}})
                tokens = len(text.split())
                if fail_above and tokens > fail_above:
                    return self.answer(400, {"error": {"message": f"the limit is {fail_above} tokens"}})
                time.sleep(delay if VALUE.search(text) else 0)
                key_asked = re.findall(r"magic number for (\S+) mentioned", text)
                value = dict(VALUE.findall(text)).get(key_asked[-1] if key_asked else "", "OK")
                choice = {"message": {"content": value}} if chat else {"text": value}
                self.answer(200, {"choices": [choice], "usage": {"prompt_tokens": usage(tokens) if usage else tokens}})

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(TLS_FILES / "server.pem", TLS_FILES / "server.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *arguments):
        self.server.shutdown()
        self.server.server_close()


FEW = ("--depths", "0,100", "--samples", 1, "--digits", 4)


def test_the_real_server_counts_tokens_and_the_files_have_the_results(server, tmp_path):
    files = [tmp_path / "result.json", tmp_path / "map.svg"]
    output = needle(
        server.url, "--lengths", "400,500", "--max-tokens", 16, *FEW, "--json", files[0], "--svg", files[1])
    assert "model trinity-tiny" in output and "counted by the server's /tokenize" in output
    result = json.loads(files[0].read_text())
    assert result["complete"] and not result["failures"] and [row["samples"] for row in result["lengths"]] == [2, 2]
    for row in result["lengths"]:
        # The prompt fills what the reply leaves: at least 99 %, or up to one more sentence.
        room = row["length"] - 16
        assert room - 40 < row["mean_prompt_tokens"] <= room
    assert xml.etree.ElementTree.fromstring(files[1].read_text()).tag.endswith("svg")


def test_a_length_beyond_the_model_is_counted_as_failed(server):
    output = needle(server.url, "--lengths", "300,600", "--max-tokens", 16, *FEW)
    assert re.search(r"failed: 2 × HTTP 400: .*512", output), output


def test_without_tokenize_the_length_is_estimated_from_the_usage():
    with OtherServer() as other:
        output = needle(other.url + "/v1", "--lengths", "512,2048", *FEW)
    assert "estimated by the usage of two requests" in output and "model other" in output
    rows = re.findall(r"^ +(512|2048) +(\d+) +2 +1.00 ", output, re.M)
    assert [(length, 0.9 * room < int(tokens) < 1.1 * room)
            for (length, tokens), room in zip(rows, [384, 1920], strict=True)] == [("512", True), ("2048", True)]


def test_without_chat_completions_the_text_is_continued():
    with OtherServer(chat=False) as other:
        output = needle(other.url, "--lengths", "512", *FEW)
        assert other.requests[-1][1]["prompt"].endswith("mentioned in the provided text is")
    assert "note: no chat completions (HTTP 404: Not Found)" in output and " 1.00 " in output


def test_the_other_name_of_the_limit_is_used_where_the_server_wants_it():
    with OtherServer(limit="max_completion_tokens") as other:
        assert " 1.00 " in needle(other.url, "--lengths", "512", "--max-tokens", 77, *FEW)
        assert other.requests[-1][1]["max_completion_tokens"] == 77 and "max_tokens" not in other.requests[-1][1]


def test_the_temperature_is_left_out_where_the_server_refuses_it():
    with OtherServer(limit="max_completion_tokens", temperature=False) as other:
        output = needle(other.url, "--lengths", "512", *FEW)
        assert "temperature" not in other.requests[-1][1]
    assert "note: no temperature 0 (HTTP 400: 'temperature' does" in output and " 1.00 " in output


@pytest.mark.parametrize("count", [-2**63, 2**32 + 1, 2**63 - 1, 1e300])
def test_a_count_that_no_prompt_has_is_no_count(count):
    with OtherServer(tokenize=lambda handler: handler.answer(200, {"count": count}), usage=lambda tokens: count) as other:
        assert "estimated by bytes" in needle(other.url, "--lengths", "512", *FEW)


def test_a_count_that_does_not_grow_is_refused_before_the_prompts_do():
    with OtherServer(tokenize=lambda handler: handler.answer(200, {"count": 0})) as other:
        assert "failed: 2 × the reply counts 0 tokens with " in needle(other.url, "--lengths", "512", *FEW, code=1)
    with OtherServer(usage=lambda tokens: 9) as other:
        assert "do not grow with the prompt: 9 for" in needle(other.url, "--lengths", "512", *FEW, code=1)


def compressed(handler):
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()


@pytest.mark.parametrize("broken", [lambda handler: None, compressed, lambda handler: time.sleep(3)])
def test_a_broken_tokenize_counts_as_none(broken):
    with OtherServer(tokenize=broken) as other:
        assert "estimated by the usage" in needle(other.url, "--lengths", "512", *FEW, "--timeout", 1)


def test_a_later_failure_of_tokenize_has_its_reason():
    statuses = iter([200])
    limited = lambda handler: handler.answer(next(statuses, 429), {"count": 300, "message": "slow down"})
    with OtherServer(tokenize=limited) as other:
        assert "failed: 2 × HTTP 429: slow down" in needle(other.url, "--lengths", "512", *FEW, code=1)


@pytest.mark.parametrize(("refusals", "pause", "found"), [(5, 0, True), (1, 1, True), (99, 0, False), (99, 61, False)])
def test_a_busy_server_is_asked_again_a_few_times_after_the_pause_that_it_names(refusals, pause, found):
    statuses = iter([200] + ([503, 429] * refusals)[:refusals])
    times = []

    def busy(handler):
        times.append(time.monotonic())
        handler.retry_after = pause
        count = len(other.requests[-1][1]["messages"][0]["content"].split())
        handler.answer(next(statuses, 200), {"count": count, "message": "slow down"})

    with OtherServer(tokenize=busy) as other:
        output = needle(
            other.url, "--lengths", "512", "--depths", 0, "--samples", 1, "--digits", 4, code=0 if found else 1)
    if found:
        assert "failed" not in output and times[2] - times[1] >= pause
    else:
        assert re.search("failed: 1 × HTTP (429|503): slow down", output)
        # The probe, and one request that is repeated five times unless the pause is too long.
        assert len(times) == (2 if pause > 60 else 7)


def test_a_refusal_before_the_body_was_read_has_its_reason():
    """The body is larger than the buffers of both sides, so the request cannot be sent to its end."""
    with OtherServer(largest=1 << 20, usage=lambda tokens: None) as other:
        output = needle(other.url, "--lengths", 2_000_000, "--depths", 0, "--samples", 1, code=1)
    assert "failed: 1 × HTTP 413: the body is too large" in output, output


def test_no_control_characters_of_a_server_reach_the_terminal():
    def coded(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "\x1b[2J\x9b2J")
        handler.end_headers()

    with OtherServer(tokenize=lambda handler: handler.answer(200, {"count": 1}) if len(other.requests) < 3 else coded(handler)) as other:
        output = needle(other.url, "--lengths", "512", *FEW, code=1)
    assert "the transfer coding '[2j2j'" in output.lower() and "\x1b" not in output and "\x9b" not in output


def test_the_api_key_comes_from_the_option_or_the_environment():
    with OtherServer(key="secret") as other:
        needle(other.url, "--lengths", "512", *FEW, "--api-key", "secret")
        needle(other.url, "--lengths", "512", *FEW, OPENAI_API_KEY="secret")
        assert "401: Incorrect API key" in needle(other.url, code=1)


def test_https_needs_a_certificate_that_is_trusted():
    with OtherServer(tls=True) as other:
        needle(other.url, "--lengths", "512", *FEW, SSL_CERT_FILE=str(TLS_FILES / "ca.pem"))
        assert "certificate" in needle(other.url, code=1)


def test_earlier_results_stay_if_the_server_cannot_be_used(tmp_path):
    result = tmp_path / "result.json"
    result.write_text("{}")
    needle(f"http://127.0.0.1:{free_port()}", "--json", result, code=1)
    assert result.read_text() == "{}"


def test_a_slow_reply_is_a_failure_after_the_timeout():
    with OtherServer(delay=3) as other:
        output = needle(other.url, "--lengths", "512", *FEW, "--timeout", 1, code=1)
    assert "the server sent nothing, or sent it too slowly" in output


def test_ctrl_c_prints_what_is_there(tmp_path):
    with OtherServer(delay=0.2) as other:
        process = start(other.url, "--lengths", "512", "--samples", 100, "--json", tmp_path / "json")
        deadline = time.monotonic() + 20
        while len(other.requests) < 20:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 130 and "stopped: not all questions were asked" in output
    result = json.loads((tmp_path / "json").read_text())
    assert not result["complete"] and 0 < result["lengths"][0]["samples"] < 100 and not result["failures"]


def test_ctrl_c_in_the_first_requests_has_the_same_code(tmp_path):
    result = tmp_path / "json"
    result.write_text("{}")
    with OtherServer(tokenize=lambda handler: time.sleep(3)) as other:
        process = start(other.url, "--json", result)
        deadline = time.monotonic() + 20
        while len(other.requests) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 130 and result.read_text() == "{}"


@pytest.mark.parametrize("arguments, reason", [
    (["ftp://a"], "must begin with http"),
    ([f"http://127.0.0.1:{free_port()}"], "Connection refused"),
    (["http://a", "--lengths", "10"], "--lengths must be"), (["http://a", "--depths", "50,101"], "--depths must be"),
    (["http://a", "--depths", "50,50"], "different"), (["http://a", "--concurrency", "0"], "--concurrency must be"),
    (["http://127.0.0.1:1", "--json", "/nowhere/file"], "cannot write /nowhere/file"),
])
def test_what_cannot_work_is_refused_with_a_reason(arguments, reason):
    process = start(*arguments)
    output, errors = process.communicate(timeout=60)
    assert process.returncode in (1, 64) and not output and reason in errors, errors


def test_a_reply_as_long_as_a_prompt_is_refused_before_any_request():
    process = start(f"http://127.0.0.1:{free_port()}", "--lengths", "512,4096", "--max-tokens", 512)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0 and "--max-tokens must be less than each of --lengths" in errors
