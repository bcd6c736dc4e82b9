"""Network namespaces of a test's own: made, entered by a thread, removed."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA = 263, 8
SO_RCVBUFFORCE = 33
VLAN_VALID, VLAN_TPID_VALID = 1 << 4, 1 << 6
"""Linux: sched.h, if_ether.h, if_packet.h, socket.h."""

ROOM = 1 << 25
"""Bytes that wait for whoever reads a device."""

PATIENCE = 30
"""Seconds that a command may take."""

needs_root = [
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root for a network namespace"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="ip is missing (apt install iproute2)"),
]

_numbers = itertools.count()


class Namespace:
    """A network namespace by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command in it, and how it ended."""
        return _command("ip", "netns", "exec", self.name, *words, text=text)

    def links(self, *steps: str) -> None:
        """``ip`` commands; skips the test, with the kernel's words, if one is refused."""
        for step in steps:
            done = _command("ip", "-n", self.name, *step.split())
            if done.returncode:
                pytest.skip(f"this kernel refuses `ip {step}`: {done.stderr.strip()}")

    def enter(self, make: Callable[[], T]) -> T:
        """What ``make()`` returns in it; only the thread that runs it is moved there."""
        made: list[T] = []

        def work() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{self.name}") as place:
                if libc.setns(place.fileno(), CLONE_NEWNET):
                    return
            made.append(make())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(PATIENCE)
        if not made:
            pytest.skip("this machine does not let a thread into a network namespace")
        return made[0]

    def open_devices(self, *names: str) -> list[socket.socket]:
        """A raw socket on each of these devices."""
        return self.enter(lambda: [_open_device(name) for name in names])


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A new one, removed at the end; skips the test where that is not allowed."""
    name = f"halfsilver-{os.getpid()}-{next(_numbers)}"
    if _command("ip", "netns", "add", name).returncode:
        pytest.skip("this machine does not allow network namespaces")
    try:
        yield Namespace(name)
    finally:
        _command("ip", "netns", "delete", name)


def _command(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, input=text, capture_output=True, text=True, timeout=PATIENCE, check=False)


def _open_device(name: str) -> socket.socket:
    device = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    device.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    device.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    device.bind((name, ETH_P_ALL))
    return device


def with_vlan(data: bytes, control: list[tuple[int, int, bytes]]) -> bytes:
    """Linux takes the outermost VLAN tag out of a frame and hands it over beside it."""
    for _, kind, value in control:
        if kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack_from("=IIIHHHH", value)
            if status & VLAN_VALID:
                return data[:12] + struct.pack("!HH", tpid if status & VLAN_TPID_VALID else 0x8100, tci) + data[12:]
    return data
