"""A server with moto behind it, and look-alikes that misbehave."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.control.kits.serve_kit import Server

ACCOUNT = "123456789012"
IMAGE = "ami-12c6146b"
"""One of the images that moto has from the beginning."""


@contextmanager
def with_moto(state: Path, *options: str) -> Iterator[Server]:
    """A server with a moto of its own. Whatever was sent to it, it had no internal error and stopped when told to."""
    pytest.importorskip("moto", reason="moto is not installed")
    with Server(state, "--with-moto", *options, inventory=None) as server:
        yield server
        assert server.end() == 0
        log = server.log.read_text()
        assert "Traceback" not in log and "internal error" not in log, log


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def look_alike(answer: Callable[[BaseHTTPRequestHandler, bytes], None]) -> Iterator[str]:
    """The URL of a server whose every request is answered so."""

    class Handler(_Quiet):
        def do_POST(self) -> None:
            answer(self, self.rfile.read(int(self.headers.get("content-length", 0))))

        do_GET = do_PUT = do_POST

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Relay:
    """Passes requests on to the look-alike at ``to``; None: it breaks the connection off."""

    to: str | None = None

    def __call__(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.to is None:
            handler.close_connection = True
            return
        headers = {name: value for name, value in handler.headers.items() if name.lower() != "connection"}
        asked = urllib.request.Request(self.to + handler.path, body or None, headers, method=handler.command)
        try:
            answer: Any = urllib.request.urlopen(asked, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
        handler.send_response(answer.status)
        handler.send_header("content-type", answer.headers["content-type"])
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)


def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
