"""Connections: how many there may be, how long each may wait, and which one goes when there are too many.

A connection waits while it has no request under way: from its opening, or the end of an answer, until the last byte of
the next head. Waiting costs a client nothing, so those who wait must not count against those who ask: when there are
too many, each new one takes the place of the one that has waited longest, and where none waits, of the one that has
left an answer unread for longest. A request under way is never cut. ``App`` bounds how many of these there are, and
refuses the others in words that clients understand; it leaves room for connections whose request is still to come.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from halfsilver.harness.control.http.crowding import Bounds
from halfsilver.harness.control.http.gathering import Gathered

__all__ = ["CONNECTIONS", "FIRST_HEAD_SECONDS", "HEAD_SECONDS", "Connection"]

FIRST_HEAD_SECONDS = 5
"""How long a new connection may be without a whole request head: who connects has something to ask."""
HEAD_SECONDS = 20
"""How long a connection may be without one between two requests; and how long a client may leave an answer unread."""
CONNECTIONS = Bounds(256, 128)
"""Open at once."""


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1, which waits forever for the first request and for the rest of a head; this does not."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None
        self._waiting_since = self.loop.time()
        self._asked = False

    @property
    def address(self) -> str:
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(Gathered(transport, self.loop))  # type: ignore[arg-type]  # it does what one does
        self._await_head()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._asked = True
            self._stop_timer()
        elif self._head_timer is None and not self.transport.is_closing():
            self._await_head()

    def on_response_complete(self) -> None:
        self._waiting_since = self.loop.time()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Called by uvicorn, and by us, when the time to wait is over."""
        if self._unread():
            self.transport.abort()  # a client that does not read would keep the rest, and the connection, for ever
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._waiting_since = self.loop.time()
        self._reading_timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_reading_timer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_reading_timer()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        """Close a connection that waits for its client if there are too many."""
        present = [
            each for each in self.connections if isinstance(each, Connection) and not each.transport.is_closing()
        ]
        waiting = sorted(
            (each for each in present if each._waits() or each._unread()),
            key=lambda each: (each._unread(), each._waiting_since),
        )
        addresses = [each.address for each in present]
        last = CONNECTIONS.gives_way(addresses, self.address, ((each, each.address) for each in waiting))
        if last is not None:
            last.transport.abort()

    def _waits(self) -> bool:
        """No request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def _unread(self) -> bool:
        """The client has not taken all of an answer."""
        return self.transport.get_write_buffer_size() > 0

    def _await_head(self) -> None:
        seconds = HEAD_SECONDS if self._asked else FIRST_HEAD_SECONDS
        self._head_timer = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_reading_timer(self) -> None:
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None
