"""The ASGI application: reads a request within its limits, has it answered in a worker thread, sends the answer.

Answers are made in threads because an operation may wait: for the disk that takes a commit, for the engine that
takes a policy. The event loop only reads and writes, so a slow client, or a slow operation, keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from halfsilver.harness.control.http.exchange import Exchange, Peer
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.protocols.limits import MAX_BODY, MAX_HEAD
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["App", "BODY_SECONDS", "MAX_REQUESTS", "WORKERS"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_SECONDS = 20.0
"""How long a client may take to send a body. A megabyte in that time is a modem of 1998."""
WORKERS = 12
"""Threads that answer. One is enough for the processor (Python runs one at a time); the others are there so that
requests which only read do not wait for those that wait for the disk or the engine. Terraform sends ten at once."""

MAX_REQUESTS = 192
"""Under way at once, fewer than there may be connections. With a body each they fill 192 MB."""
_DRAIN_SECONDS = 1.0
"""How long the body of a request that is one too many is read before the answer."""
_MAX_DRAINED = 8 * MAX_BODY
"""Bytes of a body that are read, though not kept, so that the client gets to read why it was refused."""

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
"""Names under which a client on this machine may know the server, and names under the first (``ec2.localhost``)."""


class App:
    """The application. ``close`` waits for the operations that are under way.

    exchange      what answers
    local_only    the server does not check signatures: then a web page that the user happens to look at must not
                  reach it through the user's browser, so a request made by a web page (``Origin``) is refused, and
                  one for another host's name (a name that was pointed here, "DNS rebinding") as well
    body_seconds  how long a client may take to send a body
    requests      how many may be under way at once; more are told to try again, as AWS's clients do by themselves
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        local_only: bool = False,
        body_seconds: float = BODY_SECONDS,
        requests: int = MAX_REQUESTS,
    ) -> None:
        self._exchange = exchange
        self._local_only = local_only
        self._body_seconds = body_seconds
        self._requests = requests
        self._under_way = 0
        self._workers = ThreadPoolExecutor(WORKERS, "halfsilver-answer")

    def close(self) -> None:
        """Wait for the operations that are under way, and take no more."""
        self._workers.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is spoken here, not {scope['type']}")
        request = _head(scope)
        self._under_way += 1
        try:
            if self._under_way > self._requests:
                await self._turn_away(request, receive, send)
            else:
                await self._answer(request, _peer(scope), receive, send)
        finally:
            self._under_way -= 1

    async def _answer(self, request: Request, peer: Peer, receive: Receive, send: Send) -> None:
        whole = False
        try:
            self._admit(request)
            body = await self._body(receive, self._body_seconds)
            if body is None:
                return
            whole = True
            loop = asyncio.get_running_loop()
            response = await loop.run_in_executor(
                self._workers, self._exchange.answer, replace(request, body=body), peer
            )
        except ApiError as error:
            response = self._exchange.refuse(request, error)
        await _send(response, send, keep_alive=whole)

    async def _turn_away(self, request: Request, receive: Receive, send: Send) -> None:
        """Refuse a request that is one too many. A body that comes at once is read, so that the client can read why."""
        try:
            body = await self._body(receive, _DRAIN_SECONDS)
        except ApiError:
            await _send(self._exchange.turn_away(request), send, keep_alive=False)
            return
        if body is not None:
            await _send(self._exchange.turn_away(replace(request, body=body)), send, keep_alive=True)

    def _admit(self, request: Request) -> None:
        """Refuse what is refused for its head alone."""
        size = len(request.path) + len(request.query_string)
        if size + sum(len(name) + len(value) for name, value in request.headers) > MAX_HEAD:
            raise ApiError("RequestHeaderSectionTooLarge", f"Path and headers are longer than {MAX_HEAD} bytes.", 431)
        length = request.header("content-length")
        if length is not None and length.isdecimal() and (len(length) > 12 or int(length) > _MAX_DRAINED):
            raise _too_large()
        if self._local_only:
            host = (request.header("host") or "").lower()
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if request.header("origin") is not None or not (name in _LOCAL_HOSTS or name.endswith(".localhost")):
                raise ApiError(
                    "AuthFailure",
                    "Without signatures, only programs on this machine are served, at "
                    "the address of localhost; web pages are not.",
                    403,
                )

    async def _body(self, receive: Receive, seconds: float) -> bytes | None:
        """The whole body; None when the client has gone."""
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    piece = message.get("body", b"")
                    size += len(piece)
                    if size <= MAX_BODY:
                        pieces.append(piece)
                    else:
                        pieces.clear()
                    whole = not message.get("more_body", False)
                    if size > MAX_BODY and (whole or size > _MAX_DRAINED):
                        raise _too_large()
                    if whole:
                        return b"".join(pieces)
        except TimeoutError:
            reason = f"The body did not arrive in {seconds:g} seconds."
            raise ApiError("RequestTimeout", reason, 408) from None


def _head(scope: Scope) -> Request:
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else scope["path"]
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers)


def _peer(scope: Scope) -> Peer:
    client = scope.get("client")
    return Peer(client[0] if client else "", scope.get("scheme") == "https")


def _too_large() -> ApiError:
    return ApiError("RequestEntityTooLarge", f"The body is longer than {MAX_BODY} bytes.", 413)


async def _send(response: Response, send: Send, *, keep_alive: bool) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode("ascii")))
    if not keep_alive:
        # The rest of the body is still to come; it is not read.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
