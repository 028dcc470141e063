"""Stands between a client and the server: records each request with its answer, and may edit a request on its way."""

import dataclasses
import http.client
import http.server
import json
import threading


@dataclasses.dataclass
class Exchange:
    """One request as the client sent it, and the whole answer."""

    method: str
    path: str
    sent: object
    status: int = 0
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""


class RecordingProxy:
    """`edit(path, body)` may change the body of a request, a value of JSON, before the server sees it."""

    def __init__(self, port, edit=None):
        self.exchanges = []
        self.edit = edit
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                sent = json.loads(body) if body else None
                exchange = Exchange(self.command, self.path, sent)
                proxy.exchanges.append(exchange)
                if body and proxy.edit:
                    edited = json.loads(body)
                    proxy.edit(self.path, edited)
                    body = json.dumps(edited).encode()
                headers = {
                    name: value for name, value in self.headers.items()
                    if name.lower() not in ("host", "content-length", "connection", "accept-encoding")}
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
                try:
                    connection.request(self.command, self.path, body or None, headers)
                    answer = connection.getresponse()
                    exchange.status, exchange.headers = answer.status, dict(answer.getheaders())
                    self.send_response(answer.status)
                    for name, value in answer.getheaders():
                        if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                            self.send_header(name, value)
                    # The end of the connection is the end of the answer, so that a stream passes as it comes.
                    self.send_header("Connection", "close")
                    self.end_headers()
                    while piece := answer.read1(65536):
                        exchange.body += piece
                        self.wfile.write(piece)
                finally:
                    connection.close()
                self.close_connection = True

            do_GET = do_POST = do_HEAD = do_OPTIONS = do_DELETE = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
