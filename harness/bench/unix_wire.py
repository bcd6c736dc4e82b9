"""A wire to a board that is a process: a Unix socket that keeps messages apart (SOCK_SEQPACKET, unix(7)); no root.

One message is one frame without FCS. Nothing is ever lost on it: who is faster than the other end waits.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

from halfsilver.harness.bench.wire import PATIENCE, Received
from halfsilver.harness.errors import CardUnreachable, UsageError

__all__ = ["UnixWire"]

_LONGEST = 1 << 16
_REASONS = {
    FileNotFoundError: "there is no such socket: see that the board runs, and that this is its path",
    ConnectionRefusedError: "nobody listens there any more: start the board again",
    PermissionError: "this user may not open it: see who owns it",
}


class UnixWire:
    """The client's end; the board listens. CardUnreachable if it does not, or goes away."""

    shortest = 0

    def __init__(self, path: str) -> None:
        self.name = f"unix:{path}"
        self._came: list[Received] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(PATIENCE)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            reason = _REASONS.get(type(error), f"cannot be opened: {error.strerror or error}")
            raise CardUnreachable(f"{self.name}: {reason}") from None
        self._socket.setblocking(False)

    def send(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            self._send(frame)

    def receive(self, seconds: float) -> list[Received]:
        if not self._came:
            select.select([self._socket], [], [], seconds)
        self._take()
        came, self._came = self._came, []
        return came

    def close(self) -> None:
        self._socket.close()

    def _send(self, frame: bytes) -> None:
        """What comes meanwhile is taken, or two ends that are both full would wait for each other."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._socket.send(frame)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise CardUnreachable(f"{self.name}: the board takes no frame: see that it runs") from None
                select.select([self._socket], [self._socket], [], PATIENCE)
                self._take()
            except (BrokenPipeError, ConnectionResetError):
                raise self._gone() from None
            except OSError as error:
                raise UsageError(f"{self.name}: a frame of {len(frame):,} bytes: {error.strerror}") from None

    def _take(self) -> None:
        while True:
            try:
                data = self._socket.recv(_LONGEST)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                raise self._gone()
            self._came.append(Received(time.time_ns(), data))

    def _gone(self) -> CardUnreachable:
        return CardUnreachable(f"{self.name}: the board went away")
