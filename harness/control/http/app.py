"""The ASGI application: reads a request within its limits, has it answered, sends the answer.

An operation may wait, for the disk that takes a commit, for the engine that takes a policy, or be long: then its answer
is made in a thread. The event loop reads, writes and does what is short, so a slow client, or a slow operation, keeps
nobody waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from halfsilver.harness.control.http.bodies import (
    BODIES,
    BODY_SECONDS,
    MAX_DRAINED,
    Bodies,
    GaveWay,
    Receive,
    too_large,
)
from halfsilver.harness.control.http.by_path import Answerer
from halfsilver.harness.control.http.crowding import Bounds
from halfsilver.harness.control.http.exchange import Peer
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.protocols.limits import MAX_HEAD
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["App", "REQUESTS", "Scope", "Send", "WORKERS"]

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

WORKERS = 12
"""Threads that answer what may take long. One is enough for the processor (Python runs one at a time); the others are
there so that a short request does not wait for a long one, or for one that waits. Terraform sends ten at once."""

REQUESTS = Bounds(128, 64)
"""Whole requests under way at once; with the bodies that are waited for, fewer than there may be connections."""

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
"""Names under which a client on this machine may know the server, and names under the first (``ec2.localhost``)."""


class App:
    """The application. ``close`` waits for the operations that are under way.

    exchange      what answers
    local_only    the server does not check signatures: then a web page that the user happens to look at must not
                  reach it through the user's browser, so a request made by a web page that is not the server's own
                  is refused, and one for another host's name (a name that was pointed here, "DNS
                  rebinding") as well
    body_seconds  how long a client may take to send a body
    bodies        how many are waited for at once
    requests      how many may be under way at once; more are told to try again, as AWS's clients do by themselves
    """

    def __init__(
        self,
        exchange: Answerer,
        *,
        local_only: bool = False,
        body_seconds: float = BODY_SECONDS,
        bodies: Bounds = BODIES,
        requests: Bounds = REQUESTS,
    ) -> None:
        self._exchange = exchange
        self._local_only = local_only
        self._bodies = Bodies(body_seconds, bodies)
        self._requests = requests
        self._under_way: list[str] = []
        """The addresses of those who asked."""
        self._workers = ThreadPoolExecutor(WORKERS, "halfsilver-answer")

    def close(self) -> None:
        """Wait for the operations that are under way, and take no more."""
        self._workers.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is spoken here, not {scope['type']}")
        request, peer = _head(scope), _peer(scope)
        whole = False
        try:
            self._admit(request)
            body = await self._bodies.read(receive, peer.address)
            if body is None:
                return
            whole = True
            request = Request(request.method, request.path, request.query_string, request.headers, body)
            response = await self._answer(request, peer)
        except ApiError as error:
            response = self._exchange.refuse(request, error)
        except GaveWay:
            response = self._exchange.turn_away(request)
        await _send(response, send, keep_alive=whole)

    async def _answer(self, request: Request, peer: Peer) -> Response:
        self._under_way.append(peer.address)
        try:
            if self._requests.too_many(self._under_way, peer.address):
                return self._exchange.turn_away(request)
            return await self._exchange.reply(request, peer, self._workers)
        finally:
            self._under_way.remove(peer.address)

    def _admit(self, request: Request) -> None:
        """Refuse what is refused for its head alone."""
        size = len(request.path) + len(request.query_string)
        if size + sum(map(len, chain.from_iterable(request.headers))) > MAX_HEAD:
            raise ApiError("RequestHeaderSectionTooLarge", f"Path and headers are longer than {MAX_HEAD} bytes.", 431)
        length = request.header("content-length")
        if length is not None and request.header("transfer-encoding") is not None:
            # Whatever stands before the server may have believed the other one (RFC 9112, section 6.1).
            why = "it has both Content-Length and Transfer-Encoding, and must have one of them"
            raise ApiError("InvalidHttpRequest", f"The HTTP request is invalid. Reason: {why}.")
        if length is not None and length.isdecimal() and (len(length) > 12 or int(length) > MAX_DRAINED):
            raise too_large()
        if self._local_only:
            host = (request.header("host") or "").lower()
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if not own_page(request) or not (name in _LOCAL_HOSTS or name.endswith(".localhost")):
                raise ApiError(
                    "AuthFailure",
                    "Without signatures, only programs on this machine are served, at "
                    "the address of localhost; web pages are not.",
                    403,
                )


def own_page(request: Request) -> bool:
    """No web page made the request, or one that came from the same host and port.

    Browsers send no ``Origin`` with what a page shows (an image) or goes to (a link), but say from where that is.
    """
    if request.header("sec-fetch-site") not in (None, "same-origin", "none"):
        return False
    host = (request.header("host") or "").lower()
    pages = (request.header("origin"), request.header("referer"))
    return all(page is None or page.lower().partition("://")[2].partition("/")[0] == host for page in pages)


def _head(scope: Scope) -> Request:
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else scope["path"]
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers)


def _peer(scope: Scope) -> Peer:
    client = scope.get("client")
    return Peer(client[0] if client else "", scope.get("scheme") == "https")


async def _send(response: Response, send: Send, *, keep_alive: bool) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode("ascii")))
    if not keep_alive:
        # The rest of the body is still to come; it is not read.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
