"""A proxy on loopback in front of the S3 server that injects faults."""

from __future__ import annotations

import http.client
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ALWAYS = 1_000_000


@dataclass
class Fault:
    """What to do to the next `times` requests that `request` matches.

    `request` is a pattern for the request line's method and target, such as `GET /b/a.txt`.
    `how`: a status and code as `503 SlowDown`; `cut`, to close within the body; `drop`, to close
    without a response; `lost`, to forward the request and drop the response; `stall`, to stop
    within the body; `short`, to send half a body with its length; `plain`, to forward it.
    """

    request: str
    how: str
    times: int = 1


@dataclass
class Proxy:
    """The proxy. `requests` are the request lines so far, `faults` those to inject."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    before: dict[str, object] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, pattern: str) -> int:
        return sum(bool(re.match(pattern, line)) for line in self.requests)

    def fault_of(self, line: str) -> str | None:
        with self.lock:
            self.requests.append(line)
            for fault in self.faults:
                if fault.times and re.match(fault.request, line):
                    fault.times -= 1
                    return fault.how
        return None


def serving(upstream: str) -> tuple[Proxy, ThreadingHTTPServer]:
    """A running proxy before the server at `upstream`, and the server to shut down."""
    address = urlsplit(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def handle_request(self):
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            line = f"{self.command} {self.path}"
            for pattern, act in list(proxy.before.items()):
                if re.match(pattern, line):
                    proxy.before.pop(pattern)
                    act()
            how = proxy.fault_of(line)
            if how == "drop":
                self.close_connection = True
                return
            if how and how[0].isdigit():
                status, _, code = how.partition(" ")
                text = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
                self.respond(int(status), [("Content-Type", "application/xml")], text, len(text))
                return
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
            try:
                connection.request(self.command, self.path, sent, dict(self.headers.items()))
                response = connection.getresponse()
                body = response.read()
            finally:
                connection.close()
            if how == "lost":
                self.close_connection = True
                return
            headers = [
                (name, value)
                for name, value in response.getheaders()
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "date")
            ]
            size = int(response.getheader("Content-Length") or len(body))
            if how == "short":
                body = body[: len(body) // 2]
                size = len(body)
            if how in ("cut", "stall"):
                self.respond(response.status, headers, body[: len(body) // 2], size)
                if how == "stall":
                    time.sleep(2.5)
                self.close_connection = True
                return
            self.respond(response.status, headers, body, size)

        def respond(self, status, headers, body, size):
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
                self.wfile.flush()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_request  # noqa: N815

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # a client that went away

    server = Server(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return proxy, server
