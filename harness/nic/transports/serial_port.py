"""A serial port as a line of bytes: a device, a pseudo-terminal or one of pyserial's URLs (socket://, rfc2217://)."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
import termios
import time
from collections.abc import Iterator
from typing import Any

import serial

from halfsilver.harness.errors import CardUnreachable, UsageError
from halfsilver.harness.nic.transports.lock import claim, in_use

__all__ = ["PATIENCE", "SILENCE_BYTES", "SILENCE_SECONDS", "SerialPort"]

PATIENCE = 1.0
"""Seconds that an answer, or the taking of what is sent, may take beside its own bytes on the line."""

SILENCE_SECONDS, SILENCE_BYTES = 0.12, 24
"""A pause after which a card begins a command anew, in seconds and in bytes of the line: a fifth more than what the
gateware waits for (`halfsilver.hdl.bus.uartbone`)."""

_BYTE_BITS = 10
_SLICE = 0.02
"""Seconds that one read of pyserial's waits. To set its timeout each time would be a negotiation over RFC 2217."""
_PIECE_BYTES = 4096
"""The longest that is sent at once; pyserial's time limit of a write is set when a port is opened."""
_BABBLE_SECONDS = 1.5
_SHOWN_BYTES = 16


class SerialPort:
    """A port that nobody else drives meanwhile: 8N1, no flow control.

    url       device, or URL of pyserial
    baud      bits per second; over ``socket://`` the other end sets it, and time limits follow from it all the same
    patience  seconds; see PATIENCE

    CardUnreachable, which says what to do, if the port is not there, not allowed, in use, or goes away; if it takes
    nothing; if it never is silent. UsageError for a URL or a rate that cannot be. A lock is released when the process
    ends, however it ends.
    """

    def __init__(self, url: str, baud: int, *, patience: float = PATIENCE) -> None:
        if baud < 1:
            raise UsageError(f"{baud:,} baud: must be at least 1")
        self._url, self._baud, self._patience = url, baud, patience
        self._lock = claim(url) if "://" in url else None
        self._free_at = 0.0  # when the line will have carried all that was sent
        try:
            self._port = self._open()
        except BaseException:
            self._unlock()
            raise

    @property
    def name(self) -> str:
        return self._url if self.rate_is_theirs else f"{self._url} at {self._baud:,} baud"

    @property
    def rate_is_theirs(self) -> bool:
        """Whether the rate is set elsewhere, and unknown."""
        return self._url.startswith("socket://")

    @contextlib.contextmanager
    def at(self, baud: int) -> Iterator[None]:
        """The port at another rate, for a while. ValueError if it does not have that."""
        before = self._baud
        try:
            with self._present():
                self._port.baudrate = self._baud = baud
            yield
        finally:
            self._baud = before
            with self._present():
                self._port.baudrate = before

    def send(self, octets: bytes) -> None:
        """Hand bytes to the port; a line that is slower than that takes them later."""
        for at in range(0, len(octets), _PIECE_BYTES):
            piece = octets[at : at + _PIECE_BYTES]
            with self._present():
                self._port.write(piece)
            self._free_at = max(self._free_at, time.monotonic()) + self._seconds(len(piece))

    def ask(self, octets: bytes, count: int, patience: float | None = None) -> bytes:
        """Send a command, and wait for its answer of ``count`` bytes: all of it, or as much as came in time.

        What came before, unasked, is forgotten, and then the line must be silent first.
        """
        with self._present():
            unasked = self._port.in_waiting
        if unasked:
            self.settle()
        self.send(octets)
        until = self._free_at + self._seconds(count) + (self._patience if patience is None else patience)
        answer = b""
        while len(answer) < count and time.monotonic() < until:
            with self._present():
                answer += self._port.read(count - len(answer))
        return answer

    def settle(self) -> None:
        """Be silent until the card begins a command anew, and forget what came. CardUnreachable if that has no end."""
        silence = max(SILENCE_SECONDS, self._seconds(SILENCE_BYTES))
        quiet_since = begin = max(time.monotonic(), self._free_at)
        heard = b""
        while time.monotonic() < quiet_since + silence:
            with self._present():
                octets = self._port.read(max(1, self._port.in_waiting))
            if octets:
                heard = (heard + octets)[:_SHOWN_BYTES]
                quiet_since = max(time.monotonic(), self._free_at)
            if quiet_since > begin + silence + _BABBLE_SECONDS:
                raise CardUnreachable(
                    f"{self.name}: what is there speaks without being asked ({heard!r} ...): see that it is a card, "
                    "and that this is its rate"
                )

    def close(self) -> None:
        with contextlib.suppress(OSError, termios.error):
            self._port.close()
        self._unlock()

    def _open(self) -> Any:
        remote = self._lock is not None
        # Over RFC 2217 pyserial has no time limit of its own for writes; its socket's is 5 s.
        limit = None if self._url.startswith("rfc2217://") else self._seconds(_PIECE_BYTES) + self._patience
        try:
            return serial.serial_for_url(
                self._url, baudrate=self._baud, timeout=_SLICE, write_timeout=limit, exclusive=None if remote else True
            )
        except (ValueError, OverflowError) as error:
            raise UsageError(f"{self._url} at {self._baud:,} baud: {error}") from None
        except OSError as error:
            raise self._why_closed(error) from None

    def _why_closed(self, error: OSError) -> CardUnreachable:
        if error.errno in (errno.EBUSY, errno.EWOULDBLOCK):
            return in_use(self._url, self._url)
        if error.errno == errno.ENOENT:
            return CardUnreachable(f"there is no serial port {self._url}: `halfsilver list` shows those there are")
        if error.errno == errno.EACCES:
            return CardUnreachable(f"{self._url} may not be opened by this user: {_who_may(self._url)}")
        return CardUnreachable(f"{self._url} cannot be opened as a serial port: {_reason(error)}")

    @contextlib.contextmanager
    def _present(self) -> Iterator[None]:
        """What is done in it needs the other end: CardUnreachable if that is gone."""
        try:
            yield
        except serial.SerialTimeoutException:
            raise CardUnreachable(f"{self.name} takes nothing more: see that the board runs") from None
        except (OSError, termios.error) as error:
            raise CardUnreachable(
                f"{self.name} went away ({_reason(error)}): see that board and cable are as they were"
            ) from None

    def _seconds(self, octets: int) -> float:
        """Of so many bytes on the line."""
        return octets * _BYTE_BITS / self._baud

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _reason(error: Exception) -> str:
    """In one line; pyserial puts the system's words behind its own, or a question."""
    return " ".join(str(error).removesuffix(" (device disconnected or multiple access on port?)").split())


def _who_may(path: str) -> str:
    """What its file's mode says, or what would help."""
    with contextlib.suppress(OSError, KeyError):
        file = os.stat(path)
        if file.st_mode & stat.S_IRGRP and file.st_mode & stat.S_IWGRP:
            return f"become a member of its group, {grp.getgrgid(file.st_gid).gr_name}"
        return f"only its owner, {pwd.getpwuid(file.st_uid).pw_name}, may"
    return "see who owns it"
