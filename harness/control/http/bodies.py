"""Reading the bodies of requests: bounded in size, in time, and in how many are waited for at once.

A body that is there is read at once, so only slow clients wait here. When there are too many of them, the one that
has taken longest is told to try again later.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from typing import Any

from halfsilver.harness.control.http.crowding import Bounds
from halfsilver.harness.control.http.protocols.limits import MAX_BODY
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["BODIES", "BODY_SECONDS", "Bodies", "GaveWay", "MAX_DRAINED", "Receive", "too_large"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BODY_SECONDS = 20.0
"""How long a client may take to send a body. A megabyte in that time is a modem of 1998."""
BODIES = Bounds(64, 32)
"""Waited for at once. With a megabyte each they fill 64 MB."""
MAX_DRAINED = 8 * MAX_BODY
"""Bytes of a body that are read, though not kept, so that the client gets to read why it was refused."""


class GaveWay(Exception):
    """The body was waited for the longest when there were too many."""


class Bodies:
    """Those that are waited for. ``seconds``: for each."""

    def __init__(self, seconds: float, bounds: Bounds) -> None:
        self._seconds = seconds
        self._bounds = bounds
        self._awaited: dict[asyncio.Timeout, str] = {}
        """With their clients' addresses, the oldest first."""

    async def read(self, receive: Receive, address: str) -> bytes | None:
        """The whole body; None when the client has gone. ApiError, GaveWay."""
        reading = _whole(receive)
        try:
            awaited = reading.send(None)
        except StopIteration as end:  # it was there: nothing is waited for, and no time taken
            body: bytes | None = end.value
            return body
        return await self._wait(_rest(reading, awaited), address)

    async def _wait(self, rest: Awaitable[bytes | None], address: str) -> bytes | None:
        gave_way = False
        try:
            async with asyncio.timeout(self._seconds) as clock:
                self._awaited[clock] = address
                try:
                    self._make_room(address)
                    return await rest
                finally:
                    gave_way = self._awaited.pop(clock, None) is None
        except TimeoutError:
            if gave_way:
                raise GaveWay from None
            reason = f"The body did not arrive in {self._seconds:g} seconds."
            raise ApiError("RequestTimeout", reason, 408) from None

    def _make_room(self, address: str) -> None:
        slowest = self._bounds.gives_way(self._awaited.values(), address, self._awaited.items())
        if slowest is not None:
            del self._awaited[slowest]
            slowest.reschedule(asyncio.get_running_loop().time())


@types.coroutine
def _rest(begun: Coroutine[Any, None, bytes | None], awaited: Any) -> Generator[Any, None, bytes | None]:
    """The rest of a coroutine that has begun, and waits for something."""
    try:
        yield awaited
    except BaseException:
        begun.close()
        raise
    body: bytes | None = yield from begun
    return body


async def _whole(receive: Receive) -> bytes | None:
    pieces: list[bytes] = []
    size = 0
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
        if size > MAX_BODY and (whole or size > MAX_DRAINED):
            raise too_large()
        if whole:
            return b"".join(pieces)


def too_large() -> ApiError:
    return ApiError("RequestEntityTooLarge", f"The body is longer than {MAX_BODY} bytes.", 413)
