"""Taking connections off a socket that listens: TLS handshakes are bounded in number and in time.

asyncio's own servers do without either bound on their number: a thousand clients that connect and say nothing hold a
thousand descriptors until they have had their time, and a server without descriptors takes no connection at all.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from halfsilver.harness.control.http.crowding import Bounds

__all__ = ["Acceptor", "HANDSHAKES", "HANDSHAKE_SECONDS"]

HANDSHAKE_SECONDS = 5.0
"""How long a client may take for the handshake."""
HANDSHAKES = Bounds(128, 64)
"""Under way at once; for one more, the one that has taken longest goes."""
_AT_ONCE = 16
"""Connections taken before others get their turn; fewer than may shake hands, so that each has begun to."""
_BACKLOG = 1024
"""Connections that the kernel may hold for us."""
_PAUSE_SECONDS = 1.0
"""How long nothing is taken after the system has refused a descriptor."""

_LOG = logging.getLogger(__name__)


class Acceptor:
    """Makes a protocol for each connection, once its handshake is done.

    listener  bound, not yet listening; whoever made it closes it
    context   None: without TLS
    """

    def __init__(
        self, listener: socket.socket, context: ssl.SSLContext | None, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._context = context
        self._protocol = protocol
        self._shaking: dict[asyncio.Task[None], str] = {}
        """With their addresses, the oldest first."""
        self._pause: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        self._watch()

    def close(self) -> None:
        """Take no more; who has not finished its handshake is cut off."""
        self._loop.remove_reader(self._listener)
        if self._pause is not None:
            self._pause.cancel()
        for task in self._shaking:
            task.cancel()

    def _watch(self) -> None:
        self._loop.add_reader(self._listener, self._take)

    def _take(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connected, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _LOG.error("no connection can be taken for a moment: %s", error.strerror)
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(_PAUSE_SECONDS, self._watch)
                return
            connected.setblocking(False)
            self._begin(connected, str(address[0]))

    def _begin(self, connected: socket.socket, address: str) -> None:
        task = self._loop.create_task(self._shake_hands(connected))
        self._shaking[task] = address
        task.add_done_callback(lambda done: self._shaking.pop(done, None))
        if self._context is not None:
            slowest = HANDSHAKES.gives_way(self._shaking.values(), address, self._shaking.items())
            if slowest is not None:
                del self._shaking[slowest]
                slowest.cancel()

    async def _shake_hands(self, connected: socket.socket) -> None:
        limit = None if self._context is None else HANDSHAKE_SECONDS
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, connected, ssl=self._context, ssl_handshake_timeout=limit
            )
        except OSError as error:  # those of TLS are such too; the connection is closed by now
            _LOG.debug("no connection: %s", error)
