"""Network namespaces of our own, gone when they are not needed any more, and what passes their devices. Needs root."""

from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from halfsilver.harness.errors import EnvironmentMissing
from halfsilver.sim.board.links import enter_namespace

__all__ = ["Observer", "Seen", "ip", "namespaces", "within"]

_SECONDS = 60
_SECOND = 1_000_000_000
_ETH_P_ALL, _OUTGOING = 3, 4
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35
_BUFFER_BYTES = 32 << 20
_STAMP = struct.Struct("@ll")
"""Linux: if_ether.h, if_packet.h, socket.h."""


@contextmanager
def namespaces(*names: str) -> Iterator[list[str]]:
    """Network namespaces without IPv6, whose full names have this process in them. EnvironmentMissing without them."""
    full = [f"hs{os.getpid()}-{name}" for name in names]
    made: list[str] = []
    try:
        for name in full:
            _run("ip", "netns", "add", name)
            made.append(name)
            _run(*within(name), "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 || true")
            ip(name, "link set lo up")
        yield full
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=_SECONDS, check=False)


def ip(namespace: str, words: str) -> None:
    """`ip` in a namespace; EnvironmentMissing, with what it said, if it refuses."""
    _run("ip", "-n", namespace, *words.split())


def within(namespace: str) -> list[str]:
    """What to put before a command that is to run there."""
    return ["ip", "netns", "exec", namespace]


class Seen(NamedTuple):
    """A frame that passed a device, at a time of the kernel's; ``outgoing``: to the wire."""

    time_ns: int
    outgoing: bool
    data: bytes


class Observer:
    """All frames that pass a device, both ways, without VLAN tags, from now on."""

    def __init__(self, namespace: str, device: str) -> None:
        with enter_namespace(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.bind((device, _ETH_P_ALL))
        self.seen: list[Seen] = []

    def take(self) -> int:
        """Look at what has passed; returns how many frames have passed in all."""
        while True:
            try:
                data, control, _, address = self._socket.recvmsg(1 << 16, 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return len(self.seen)
            except OSError as error:  # said once of a device that was down when this was bound to it
                if error.errno != errno.ENETDOWN:
                    raise
                continue
            seconds, nanoseconds = _STAMP.unpack_from(control[0][2]) if control else divmod(time.time_ns(), _SECOND)
            self.seen.append(Seen(seconds * _SECOND + nanoseconds, address[2] == _OUTGOING, data))

    def close(self) -> None:
        self._socket.close()


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        raise EnvironmentMissing(f"{words[0]} is missing (apt install iproute2)") from None
    if done.returncode:
        raise EnvironmentMissing(f"this machine refuses `{' '.join(words)}`: {done.stderr.strip()}")
