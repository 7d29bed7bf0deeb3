"""A receiver of webhooks: a real HTTP server on this machine that does as it is told.

What it does with each request is a function of the request; what came in is kept in order.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLASb"


@dataclass(frozen=True)
class Request:
    """One that came in; `event` is its JSON where its signature is right, else an error is raised
    in the receiver, which answers 400."""

    event_id: str
    event: dict
    path: str
    host: str


#: Told by a request what to do: answer a status, or write on the connection itself.
Behaviour = Callable[[Request, BaseHTTPRequestHandler], int | None]


@dataclass
class Receiver:
    """Made by `receiving`. `answers` are the statuses of the first requests, then 204."""

    port: int = 0
    secret: str = SECRET
    answers: list[int] = field(default_factory=list)
    behave: Behaviour | None = None
    requests: list[Request] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/hook?from=tally"

    @property
    def ids(self) -> list[str]:
        return [request.event_id for request in self.requests]

    def take(self, handler: BaseHTTPRequestHandler) -> int | None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        try:
            event = Webhook(self.secret).verify(body, dict(handler.headers))
        except Exception as fault:
            self.faults.append(fault)
            return 400
        request = Request(
            handler.headers["webhook-id"], event, handler.path, handler.headers["Host"]
        )
        with self.lock:
            self.requests.append(request)
            answer = self.answers.pop(0) if self.answers else 204
        return self.behave(request, handler) if self.behave else answer


@contextmanager
def receiving(
    answers: Sequence[int] = (),
    behave: Behaviour | None = None,
    secret: str = SECRET,
    certificate: str | None = None,
) -> Iterator[Receiver]:
    """A receiver while the block runs; with a certificate's file it speaks TLS."""
    receiver = Receiver(secret=secret, answers=list(answers), behave=behave)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status = receiver.take(self)
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            # Only one that follows a redirect asks.
            receiver.faults.append(AssertionError(f"GET {self.path}"))
            self.send_error(405)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def hang(request: Request, handler: BaseHTTPRequestHandler) -> None:
    """Say nothing for a while."""
    time.sleep(20)


def drip(request: Request, handler: BaseHTTPRequestHandler) -> None:
    """A header that never ends, a byte at a time: no single read takes long."""
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(400):
            handler.wfile.write(b".")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        # The other side has had enough.
        pass
