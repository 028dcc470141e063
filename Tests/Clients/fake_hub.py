"""A Hugging Face Hub on the loopback interface, which can fail in every way that a test asks for.

Files above `LARGE` bytes are large (LFS): their hash is SHA-256, and their content is on a second server, as on the real one.
"""

import contextlib
import hashlib
import http.server
import json
import re
import ssl
import threading
import time
import urllib.parse

LARGE = 4096
COMMIT = "1234567890abcdef1234567890abcdef12345678"


def git_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def blob_name(content):
    """The name of a file's content in the cache."""
    return hashlib.sha256(content).hexdigest() if len(content) > LARGE else git_hash(content)


class Request:
    """What a server got."""

    def __init__(self, handler):
        self.path = handler.path
        self.headers = dict(handler.headers.items())
        self.range = self.headers.get("Range")
        self.authorization = self.headers.get("Authorization")


class Fault:
    """What goes wrong with the next `times` requests whose path has `part`."""

    def __init__(self, part, times=1, status=None, headers=None, cut=None, silent=0.0, content=None, length=None):
        self.part = part
        self.times = times
        self.status = status
        self.headers = headers or {}
        # The connection breaks after so many bytes of the body.
        self.cut = cut
        # Seconds without a byte, after the first half of the body.
        self.silent = silent
        # Another content than the right one.
        self.content = content
        # A Content-Length that is not true.
        self.length = length


class FakeHub:
    """Repositories as {name: {path: bytes}}, all at one commit; with `tls`, files of a certificate and a key, over https."""

    def __init__(self, repositories, token=None, commit=COMMIT, tls=None):
        self.repositories = repositories
        self.token = token
        self.commit = commit
        self.faults = []
        self.requests = []
        self.content_requests = []
        self.gated = set()
        # Changes the description of a repository.
        self.edit = lambda description: description
        self.ranges = True
        self.redirect_scheme = None
        self.chunked = False
        self.lock = threading.Lock()
        self.tls = tls
        self.scheme = "https" if tls else "http"
        self.api = self.start(self.requests, self.answer)
        self.content = self.start(self.content_requests, self.answer_content)

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.api.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in (self.api, self.content):
            server.shutdown()
            server.server_close()

    def fail(self, part, **options):
        self.faults.append(Fault(part, **options))

    def fault(self, path, has_body=True):
        with self.lock:
            for fault in self.faults:
                if fault.part in path and fault.times > 0 and (fault.status or has_body):
                    fault.times -= 1
                    return fault
        return None

    def start(self, log, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                log.append(Request(self))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    answer(self)
                self.close_connection = True

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            # The handshake is the handler's, so that one that fails ends no other connection.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            server.handle_error = lambda *_: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def reply(self, handler, status, body=b"", headers=None, fault=None):
        """Sends a reply, with the fault in it."""
        if fault and fault.content is not None:
            body = fault.content
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Connection", "close")
        if self.chunked and not fault:
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for start in range(0, len(body), 1000):
                piece = body[start:start + 1000]
                handler.wfile.write(b"%x;note=1\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.write(b"0\r\nTrailer: 1\r\n\r\n")
            return
        handler.send_header("Content-Length", fault.length if fault and fault.length is not None else len(body))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if fault and fault.cut is not None:
            body = body[:fault.cut]
        if fault and fault.silent:
            handler.wfile.write(body[:len(body) // 2])
            handler.wfile.flush()
            time.sleep(fault.silent)
            body = body[len(body) // 2:]
        handler.wfile.write(body)

    def refuse(self, handler, status, code=None, message="", headers=None):
        fields = dict(headers or {})
        if code:
            fields["X-Error-Code"] = code
        fields["X-Error-Message"] = message
        self.reply(handler, status, json.dumps({"error": message}).encode(), fields)

    def answer(self, handler):
        path = urllib.parse.unquote(handler.path)
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        # A redirect has no body that could break.
        is_redirect = match and len(self.repositories.get(match[1], {}).get(match[3], b"")) > LARGE
        fault = self.fault(handler.path, has_body=not is_redirect)
        if fault and fault.status:
            return self.refuse(handler, fault.status, message="a fault", headers=fault.headers)
        given = handler.headers.get("Authorization")
        if given and given != f"Bearer {self.token}":
            return self.refuse(handler, 401, message="Invalid credentials in Authorization header")
        if model := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^?]+))?(\?.*)?", path):
            return self.describe(handler, model[1], model[2], fault)
        if model := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^?]+?)(\?.*)?", path):
            return self.tree(handler, model[1])
        if match:
            return self.resolve(handler, match[1], match[3], fault)
        return self.refuse(handler, 404)

    def files(self, handler, repository):
        if repository not in self.repositories:
            self.refuse(handler, 404 if handler.headers.get("Authorization") else 401, "RepoNotFound")
            return None
        return self.repositories[repository]

    def describe(self, handler, repository, revision, fault):
        files = self.files(handler, repository)
        if files is None:
            return
        if revision not in (None, "main", "v1", "refs/pr/1", self.commit):
            return self.refuse(handler, 404, "RevisionNotFound")
        siblings = []
        for path, content in files.items():
            sibling = {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
            if len(content) > LARGE:
                sibling["lfs"] = {"sha256": blob_name(content), "size": len(content), "pointerSize": 130}
            siblings.append(sibling)
        description = self.edit(
            {"id": repository, "modelId": repository, "sha": self.commit, "private": False, "siblings": siblings})
        body = description if isinstance(description, bytes) else json.dumps(description).encode()
        self.reply(handler, 200, body, {"Content-Type": "application/json"}, fault)

    def tree(self, handler, repository):
        files = self.files(handler, repository)
        if files is None:
            return
        entries = []
        for path, content in files.items():
            entry = {"type": "file", "path": path, "size": len(content), "oid": git_hash(content)}
            if len(content) > LARGE:
                entry["lfs"] = {"oid": blob_name(content), "size": len(content), "pointerSize": 130}
            entries.append(entry)
        self.reply(handler, 200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def resolve(self, handler, repository, path, fault):
        files = self.files(handler, repository)
        if files is None:
            return
        if repository in self.gated:
            if handler.headers.get("Authorization") is None:
                return self.refuse(handler, 401, "GatedRepo", "Access to this model is restricted")
            return self.refuse(handler, 403, "GatedRepo", "You are not in the authorized list")
        if path not in files:
            return self.refuse(handler, 404, "EntryNotFound")
        content = files[path]
        fields = {
            "X-Repo-Commit": self.commit, "ETag": f'"{blob_name(content)}"', "Accept-Ranges": "bytes"}
        if len(content) > LARGE:
            host = f"{self.redirect_scheme or self.scheme}://localhost:{self.content.server_port}"
            location = f"{host}/{repository}/{urllib.parse.quote(path)}?Signature=a%2Fb"
            fields |= {
                "Location": location, "X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{blob_name(content)}"'}
            return self.reply(handler, 302, b"", fields)
        self.send_content(handler, content, fields, fault)

    def answer_content(self, handler):
        if handler.headers.get("Authorization"):
            return self.refuse(handler, 400, message="a token for another host")
        if not handler.path.endswith("?Signature=a%2Fb"):
            return self.refuse(handler, 403, message="no signature")
        fault = self.fault(handler.path)
        if fault and fault.status:
            return self.refuse(handler, fault.status, message="a fault", headers=fault.headers)
        _, owner, name, path = urllib.parse.unquote(handler.path.split("?")[0]).split("/", 3)
        content = self.repositories[f"{owner}/{name}"][path]
        self.send_content(handler, content, {"ETag": f'"{blob_name(content)}"'}, fault)

    def send_content(self, handler, content, fields, fault):
        match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        if match and self.ranges:
            start = int(match[1])
            if start >= len(content):
                return self.reply(handler, 416)
            fields = fields | {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            return self.reply(handler, 206, content[start:], fields, fault)
        self.reply(handler, 200, content, fields, fault)
