"""Connections: how many there may be, how long each may wait, and which one goes when there are too many.

A connection waits while it has no request under way: from its opening, or the end of an answer, until the last byte of
the next head. Waiting costs a client nothing, so those who wait must not count against those who ask: when there are
``MAX_CONNECTIONS``, each new one takes the place of the one that has waited longest. A request under way is never cut.
``App`` bounds how many of these there are, and refuses the others in words that clients understand; it leaves room
for connections whose request is still to come.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HEAD_SECONDS", "MAX_CONNECTIONS", "Connection"]

HEAD_SECONDS = 20
"""How long a connection may be open without a whole request head, between two requests as well; and how long a client
may leave an answer unread."""
MAX_CONNECTIONS = 256
"""Open at once."""


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1, which waits forever for the first request and for the rest of a head; this does not."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None
        self._waiting_since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._await_head()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
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
        self._reading_timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_reading_timer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_reading_timer()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        """Close the connection that has waited longest if there are too many."""
        present = [
            each for each in self.connections if isinstance(each, Connection) and not each.transport.is_closing()
        ]
        waiting = [each for each in present if each._waits()]
        if len(present) > MAX_CONNECTIONS and waiting:
            min(waiting, key=lambda each: each._waiting_since).transport.abort()

    def _waits(self) -> bool:
        """No request is under way, and the client has the answer to the last one."""
        return (self.cycle is None or self.cycle.response_complete) and not self._unread()

    def _unread(self) -> bool:
        return self.transport.get_write_buffer_size() > 0

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_reading_timer(self) -> None:
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None
