"""Bytes of a capture as they come, from a file, a pipe or memory; unpacked if they are compressed."""

from __future__ import annotations

import io
import os
import select
import stat
import time
from typing import Protocol

from halfsilver.harness.capture.compression import LONGEST_MAGIC, Broken, Unpacker, compression_of

__all__ = ["ByteSource", "ByteStream"]

CHUNK = 1 << 16
"""Bytes asked for at a time; a pipe gives those that it has."""


STOP_SECONDS, QUIET_SECONDS = 1.0, 0.25
"""After a stop a stream is read for so long, as its writer may be ending too; less if nothing comes for a while."""


class ByteStream(Protocol):
    """A binary stream. Where it has a file descriptor it must not hold back what it has read (``buffering=0``)."""

    def read(self, size: int, /) -> bytes | None: ...


class ByteSource:
    """What has come and was not taken yet, and a way to more of it.

    ``held`` is what has come and was not taken; ``ended``: nothing more comes. ``fault``: it ends because what is
    compressed is damaged, and how. ``consumed`` are bytes of the stream read so far, before they are unpacked.
    ``plain``: the stream is not looked at whether it is compressed.
    """

    def __init__(self, stream: ByteStream, *, plain: bool = False, fault: str | None = None) -> None:
        self.ended = False
        self.fault = fault
        self.consumed = 0
        self.held = bytearray()
        self._stream = stream
        self._slow = _may_be_slow(stream)
        self._stopped: float | None = None
        self._begun = plain
        self._unpacker: Unpacker | None = None
        self._kept: bytearray | None = None

    @property
    def is_file(self) -> bool:
        """What is taken are the bytes of a file as they stand in it; known once something has come."""
        return self._unpacker is None and self._slow is None

    def keep(self) -> None:
        """What is taken from now on is kept for ``let_go``."""
        self._kept = bytearray()

    def let_go(self, count: int) -> bytes:
        """The first ``count`` bytes of what is kept."""
        assert self._kept is not None
        return _taken(self._kept, count)

    def has(self, count: int) -> bool:
        """Whether ``count`` bytes, or all there are to the end, can be taken at once."""
        return len(self.held) >= count or self.ended

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer if there are not so many."""
        taken = _taken(self.held, count)
        if self._kept is not None:
            self._kept += taken
        return taken

    def stop(self) -> None:
        """Called by a signal: what is read ends soon, as if nothing more came."""
        self._stopped = time.monotonic()

    def would_wait(self) -> bool:
        """Whether ``fill`` would have to wait for whoever writes into the other end."""
        if self._slow is None or (self._unpacker is not None and not self._unpacker.hungry):
            return False
        return not select.select([self._slow], [], [], 0)[0]

    def fill(self) -> None:
        """Take in a portion more, or notice the end."""
        try:
            if self._unpacker is not None and not self._unpacker.hungry:
                self.held += self._unpacker.unpack(b"")
                return
            data = self._read()
            if not self._begun:
                self._begin(data)
            elif self._unpacker is not None and data:
                self.held += self._unpacker.unpack(data)
            else:
                self.held += data
            self.ended = not data
            if self.ended and self._unpacker is not None:
                self._unpacker.finish()
        except Broken as broken:
            self.ended, self.fault = True, str(broken)

    def _begin(self, data: bytes) -> None:
        """Whether it is compressed shows in the first bytes; until there are enough they are held as they are."""
        self.held += data
        if data and len(self.held) < LONGEST_MAGIC:
            return
        self._begun = True
        kind = compression_of(self.held)
        if kind is not None:
            self._unpacker = Unpacker(kind)
            packed = self.take(len(self.held))
            self.held += self._unpacker.unpack(packed)

    def _waits_in_vain(self) -> bool:
        """Wait for bytes or the end; True if it was stopped and is not worth waiting for."""
        if self._slow is None:
            return self._stopped is not None
        while not select.select([self._slow], [], [], QUIET_SECONDS)[0]:
            if self._stopped is not None:
                return True
        return self._stopped is not None and time.monotonic() > self._stopped + STOP_SECONDS

    def _read(self) -> bytes:
        if self._waits_in_vain():
            return b""
        data = self._stream.read(CHUNK)
        while data is None:  # a descriptor that does not block, and has nothing yet
            if self._waits_in_vain():
                return b""
            data = self._stream.read(CHUNK)
        self.consumed += len(data)
        return data


def _taken(held: bytearray, count: int) -> bytes:
    taken = bytes(memoryview(held)[:count])
    del held[:count]
    return taken


def _may_be_slow(stream: ByteStream) -> int | None:
    """The file descriptor, if it is not that of a regular file, whose bytes are all there."""
    try:
        descriptor: int = stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, io.UnsupportedOperation):
        return None
    return None if stat.S_ISREG(os.fstat(descriptor).st_mode) else descriptor
