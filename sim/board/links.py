"""The far ends of a virtual board's two Ethernet ports: TAP devices, or sockets that need no root.

A link takes frames that the board's MAC would send, gives those it would receive, and counts both. What it cannot pass
on at once waits; what finds no room, or nobody at the other end, is lost and counted, as on a cable.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import stat
import struct
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from halfsilver.harness.errors import EnvironmentMissing, UsageError
from halfsilver.hdl.layout.frames import SHORTEST_ON_WIRE

__all__ = ["LONGEST", "Link", "TapLink", "UnixLink", "enter_namespace", "open_link"]

LONGEST = 16_384
"""Bytes of a frame that a link takes; longer ones are counted and left out."""

_BATCH = 64
"""Frames taken at once."""

_QUEUE_BYTES = 4 << 20
_TUN, _TUNSETIFF, _IFF_TAP, _IFF_NO_PI = "/dev/net/tun", 0x400454CA, 0x0002, 0x1000
_CLONE_NEWNET = 0x40000000
_NAMESPACES = Path("/run/netns")
"""Linux: if_tun.h, sched.h."""


class Link(Protocol):
    """``counts``: frames by what became of them. ``present``: somebody is at the other end."""

    name: str
    counts: Counter[str]

    @property
    def present(self) -> bool: ...

    def reading(self) -> list[int]:
        """File descriptors that become readable when there is something for `receive`."""

    def writing(self) -> list[int]:
        """Those that become writable when `flush` can pass on what waits."""

    def receive(self) -> list[bytes]:
        """Frames that have come; a few at a time."""

    def send(self, frame: bytes) -> None: ...

    def flush(self) -> None:
        """Pass on what waits, as far as the other end takes it."""

    def mend(self) -> None:
        """Try to come back, where that does not happen by itself."""

    def close(self) -> None:
        """Remove what was made."""


class TapLink:
    """A TAP device, made here, in a network namespace if one is named; it is gone with the process. Needs root.

    The network stack at its other end leaves it to a MAC to pad short frames: it is done here, both ways. If somebody
    deletes the device, or its namespace, it is made again when that is possible.
    """

    def __init__(self, device: str, namespace: str | None) -> None:
        self.name = f"tap:{device}" + (f"@{namespace}" if namespace else "")
        self.counts: Counter[str] = Counter()
        self._device, self._namespace = device, namespace
        self._file: int | None = self._open()

    @property
    def present(self) -> bool:
        return self._file is not None

    def reading(self) -> list[int]:
        return [] if self._file is None else [self._file]

    def writing(self) -> list[int]:
        return []

    def receive(self) -> list[bytes]:
        frames: list[bytes] = []
        while self._file is not None and len(frames) < _BATCH:
            try:
                frame = os.read(self._file, LONGEST)
            except BlockingIOError:
                break
            except OSError:
                self.close()
                break
            frames.append(frame.ljust(SHORTEST_ON_WIRE, b"\0"))
        self.counts["received"] += len(frames)
        return frames

    def send(self, frame: bytes) -> None:
        if self._file is None:
            self.counts["lost"] += 1
            return
        try:
            os.write(self._file, frame.ljust(SHORTEST_ON_WIRE, b"\0"))
            self.counts["sent"] += 1
        except OSError as error:
            self.counts["lost"] += 1
            if error.errno == errno.EBADFD:
                self.close()

    def flush(self) -> None:
        pass

    def mend(self) -> None:
        if self._file is None:
            with contextlib.suppress(UsageError, EnvironmentMissing):
                self._file = self._open()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        with enter_namespace(self._namespace):
            try:
                file = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
            except OSError as error:
                raise EnvironmentMissing(f"{self.name}: {_TUN}: {error.strerror}: TAP devices need root") from None
            try:
                request = struct.pack("16sH22x", self._device.encode(), _IFF_TAP | _IFF_NO_PI)
                fcntl.ioctl(file, _TUNSETIFF, request)
            except OSError as error:
                os.close(file)
                if error.errno == errno.EPERM:
                    raise EnvironmentMissing(f"{self.name}: TAP devices need root") from None
                raise UsageError(f"{self.name}: no such TAP device can be made: {error.strerror}") from None
            return file


class UnixLink:
    """A socket that keeps messages apart (SOCK_SEQPACKET, unix(7)): each is a frame without FCS, of any length, exactly
    as it is. One client at a time; the next one is served when that has left.
    """

    def __init__(self, path: str) -> None:
        self.name = f"unix:{path}"
        self.counts: Counter[str] = Counter()
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._client: socket.socket | None = None
        self._queue: deque[bytes] = deque()
        self._queued = 0
        _make_way(path)
        try:
            self._listener.bind(path)
        except OSError as error:
            self._listener.close()
            raise UsageError(f"{self.name}: no socket can be made there: {error.strerror or error}") from None
        self._listener.listen(1)
        self._listener.setblocking(False)

    @property
    def present(self) -> bool:
        return self._client is not None

    def reading(self) -> list[int]:
        return [(self._client or self._listener).fileno()]

    def writing(self) -> list[int]:
        return [self._client.fileno()] if self._client is not None and self._queue else []

    def receive(self) -> list[bytes]:
        if self._client is None:
            self._accept()
        frames: list[bytes] = []
        while self._client is not None and len(frames) < _BATCH:
            try:
                frame, _, flags, _ = self._client.recvmsg(LONGEST)
            except BlockingIOError:
                break
            except OSError:
                frame, flags = b"", 0
            if not frame:
                self._leave()
            elif flags & socket.MSG_TRUNC:
                self.counts["too long"] += 1
            else:
                frames.append(frame)
        self.counts["received"] += len(frames)
        return frames

    def send(self, frame: bytes) -> None:
        if self._client is None or self._queued + len(frame) > _QUEUE_BYTES:
            self.counts["lost"] += 1
            return
        self._queue.append(frame)
        self._queued += len(frame)

    def flush(self) -> None:
        while self._queue and self._client is not None:
            try:
                self._client.send(self._queue[0])
            except BlockingIOError:
                return
            except OSError:
                self._leave()
                return
            self._queued -= len(self._queue.popleft())
            self.counts["sent"] += 1

    def mend(self) -> None:
        pass

    def close(self) -> None:
        self._leave()
        self._listener.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._client, _ = self._listener.accept()
            self._client.setblocking(False)

    def _leave(self) -> None:
        """The client has gone, and with it what waits for it."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self.counts["lost"] += len(self._queue)
        self._queue.clear()
        self._queued = 0


def open_link(address: str) -> Link:
    """``tap:NAME[@NAMESPACE]`` or ``unix:PATH``; UsageError or EnvironmentMissing if it cannot be made."""
    kind, _, place = address.partition(":")
    if kind == "tap" and place:
        device, _, namespace = place.partition("@")
        return TapLink(device, namespace or None)
    if kind == "unix" and place:
        return UnixLink(place)
    raise UsageError(f"wire {address!r}: must be tap:NAME, tap:NAME@NAMESPACE or unix:PATH")


@contextlib.contextmanager
def enter_namespace(namespace: str | None) -> Iterator[None]:
    """This thread in a network namespace of ``ip netns``, for a while; what it opens there stays there."""
    if namespace is None:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        there = os.open(_NAMESPACES / namespace, os.O_RDONLY)
    except OSError as error:
        raise UsageError(
            f"network namespace {namespace}: {error.strerror}: `ip netns add {namespace}` makes it"
        ) from None
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.setns(there, _CLONE_NEWNET):
            reason = os.strerror(ctypes.get_errno())
            raise EnvironmentMissing(f"network namespace {namespace}: {reason}: it takes root to enter one")
        yield
    finally:
        libc.setns(home, _CLONE_NEWNET)
        os.close(there)
        os.close(home)


def _make_way(path: str) -> None:
    """Remove a socket that a board left behind when it was killed; UsageError if one listens there."""
    if not stat.S_ISSOCK(os.stat(path).st_mode if os.path.exists(path) else 0):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError:
            return  # not of this kind; to make one there will fail and say why
    raise UsageError(f"unix:{path}: a board listens there already")
