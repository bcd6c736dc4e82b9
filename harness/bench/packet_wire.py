"""A wire on a network interface of this host: a raw packet socket (packet(7)), all frames of the interface.

What Linux does to frames on the way is undone or switched off: the VLAN tag it takes out is put back, frames it would
merge (generic receive offload) stay apart, what this host sends is not heard. Frames that come faster than they are
taken wait in a buffer of BUFFER_BYTES; those that find no room there, or that the interface counts as damaged or
missed, are an error and never silent.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import select
import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path

from halfsilver.harness.bench.wire import PATIENCE, FramesLost, Received
from halfsilver.harness.errors import CardUnreachable, HalfsilverError, UsageError
from halfsilver.harness.spelling import rather

__all__ = [
    "AUXDATA",
    "BUFFER_BYTES",
    "LONGEST",
    "OUTGOING",
    "ROOM",
    "SOL_PACKET",
    "PacketWire",
    "free_interfaces",
    "received_frame",
]

BUFFER_BYTES = 32 << 20

_ETH_P_ALL = 3
SOL_PACKET, AUXDATA = 263, 8
_ADD_MEMBERSHIP, _STATISTICS, _IGNORE_OUTGOING = 1, 6, 23
_MR_PROMISC = 1
OUTGOING = 4
"""Packet type of what this host sends, in the address of a frame."""
_TP_VLAN_VALID, _TP_VLAN_TPID_VALID = 1 << 4, 1 << 6
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35
_SIOCGIFFLAGS, _SIOCETHTOOL = 0x8913, 0x8946
_ETHTOOL_GLINK, _ETHTOOL_GGRO, _ETHTOOL_SGRO = 0x0A, 0x2B, 0x2C
_IFF_UP, _IFF_RUNNING = 1, 1 << 6
"""Linux: if_ether.h, if_packet.h, socket.h, sockios.h, ethtool.h, if.h."""

_TAG_AT = 12
_C_TAG = 0x8100
_AUX, _STAMP, _REQUEST = struct.Struct("=IIIHHHH"), struct.Struct("@ll"), struct.Struct("16sP16x")
LONGEST = 1 << 16
ROOM = socket.CMSG_SPACE(_AUX.size) + socket.CMSG_SPACE(_STAMP.size)
_NET = Path("/sys/class/net")
_ARPHRD_ETHER = "1"
_FAULTS = ("rx_missed_errors", "rx_fifo_errors", "rx_crc_errors")
"""What an interface counts of frames that it had to leave out, each once (sysfs-class-net-statistics)."""


def free_interfaces(net: Path = _NET, routes: Path = Path("/proc/net/route")) -> list[str]:
    """Ethernet interfaces of this host that are hardware and have no route, by name: nothing else seems to use them."""
    used = {line.split()[0] for line in _read(routes).splitlines()[1:]}
    names = sorted(place.name for place in net.iterdir() if _read(place / "type") == _ARPHRD_ETHER)
    return [name for name in names if name not in used and (net / name / "device").exists()]


class PacketWire:
    """All frames of an interface, in promiscuous mode. Needs root, or CAP_NET_RAW for it and CAP_NET_ADMIN for all.

    CardUnreachable if there is no such interface, it is not allowed, down, or without link, also later on.
    """

    of_board = True
    """The interface is the bench's own: what this host sends is not heard, what it would merge stays apart."""
    shortest = 60
    """Of Ethernet, without FCS (IEEE 802.3, 4A.4.2): the interface, or who sends to it, pads."""

    def __init__(self, interface: str, statistics: Path | None = None) -> None:
        """``statistics``: the folder where the interface's counters are, if not sysfs's."""
        self.name = f"packet:{interface}"
        self._statistics = statistics or _NET / interface / "statistics"
        self._interface = interface
        self._socket = self._open()
        self._merges = False
        try:
            self._set_up()
            self._await_link()
        except BaseException:
            self._socket.close()
            raise
        self._faults = self._count_faults()

    def send(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            self._send(frame)

    def receive(self, seconds: float) -> list[Received]:
        ready, _, _ = select.select([self._socket], [], [], seconds)
        came: list[Received] = []
        if ready:
            self._take(came)
        else:
            self._check_link()
        self._check_losses(thorough=not ready)
        return came

    def close(self) -> None:
        if self._merges:
            with contextlib.suppress(OSError):
                self._ethtool(_ETHTOOL_SGRO, 1)
        self._socket.close()

    def _open(self) -> socket.socket:
        names = [name for _, name in socket.if_nameindex()]
        if self._interface not in names:
            raise CardUnreachable(
                f"{self.name}: there is no network interface {self._interface}; {rather(self._interface, names)}"
            )
        try:
            return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # hears nothing until it is bound
        except PermissionError:
            raise CardUnreachable(
                f"{self.name}: this user may not send and receive raw frames: be root, or give Python CAP_NET_RAW and "
                "CAP_NET_ADMIN"
            ) from None

    def _set_up(self) -> None:
        ours = self._socket
        try:
            ours.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        seconds = struct.pack("@ll", int(PATIENCE), round(PATIENCE % 1 * 1e6))
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
        ours.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        ours.setsockopt(SOL_PACKET, AUXDATA, 1)
        if self.of_board:
            self._keep_apart()
        ours.bind((self._interface, _ETH_P_ALL))
        member = struct.pack("iHH8x", socket.if_nametoindex(self._interface), _MR_PROMISC, 0)
        ours.setsockopt(SOL_PACKET, _ADD_MEMBERSHIP, member)

    def _keep_apart(self) -> None:
        with contextlib.suppress(OSError):  # before Linux 4.20; _take leaves them out as well
            self._socket.setsockopt(SOL_PACKET, _IGNORE_OUTGOING, 1)
        with contextlib.suppress(OSError):  # an interface without it merges nothing
            self._merges = bool(self._ethtool(_ETHTOOL_GGRO, 0))
            if self._merges:
                self._ethtool(_ETHTOOL_SGRO, 0)

    def _ethtool(self, command: int, value: int) -> int:
        """An ioctl of ethtool's that takes and gives a word."""
        word = (ctypes.c_uint32 * 2)(command, value)
        fcntl.ioctl(self._socket, _SIOCETHTOOL, _REQUEST.pack(self._interface.encode(), ctypes.addressof(word)))
        return word[1]

    def _await_link(self) -> None:
        """Linux says up to a second later that an interface which has been brought up has a link (linkwatch)."""
        until = time.monotonic() + PATIENCE
        while not self._has_link() and time.monotonic() < until:
            time.sleep(0.02)
        self._check_link()

    def _check_link(self) -> None:
        if not self._has_link():
            raise CardUnreachable(f"{self.name} has no link: see that the cable is in and that the board has power")

    def _has_link(self) -> bool:
        """CardUnreachable if the interface is down, or is not there any more.

        The flag comes up when frames can be sent, and goes up to a second after the link has (linkwatch): the interface
        itself is asked as well.
        """
        try:
            answer = fcntl.ioctl(self._socket, _SIOCGIFFLAGS, _REQUEST.pack(self._interface.encode(), 0))
        except OSError:
            raise CardUnreachable(f"{self.name}: the network interface went away") from None
        (flags,) = struct.unpack_from("H", answer, 16)
        if not flags & _IFF_UP:
            raise CardUnreachable(f"{self.name} is down: `ip link set {self._interface} up` brings it up")
        if not flags & _IFF_RUNNING:
            return False
        try:
            return bool(self._ethtool(_ETHTOOL_GLINK, 0))
        except OSError:  # an interface that does not say
            return True

    def _send(self, frame: bytes) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._socket.send(frame)
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS or time.monotonic() > until:
                    raise self._why_unsent(frame, error) from None
            time.sleep(0.001)  # the interface's queue is full

    def _why_unsent(self, frame: bytes, error: OSError) -> HalfsilverError:
        if error.errno == errno.EMSGSIZE:
            return UsageError(
                f"{self.name}: a frame of {len(frame):,} bytes is longer than the interface takes: "
                f"`ip link set {self._interface} mtu N` changes that"
            )
        if error.errno in (errno.ENOBUFS, errno.EAGAIN):
            return CardUnreachable(f"{self.name} takes no frame any more: see that it has a link")
        return self._gone(error)

    def _take(self, came: list[Received]) -> None:
        while True:
            try:
                data, control, _, address = self._socket.recvmsg(LONGEST, ROOM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                raise self._gone(error) from None
            if address[2] != OUTGOING:
                came.append(received_frame(data, control))

    def _count_lost(self) -> int:
        """Frames that found no room in this socket since it was asked last."""
        _, lost = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, _STATISTICS, 8))  # reading it clears it
        return int(lost)

    def _check_losses(self, thorough: bool) -> None:
        """What found no room in this socket; and if there is time for it, what the interface left out."""
        lost = self._count_lost()
        if lost:
            raise FramesLost(
                f"{self.name}: this host has lost {lost:,} of the frames that came: its buffer of "
                f"{self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF):,} bytes was full"
            )
        if not thorough:
            return
        found = self._count_faults()
        if found != self._faults:
            more = [
                f"{name} {found[name] - self._faults[name]:+,}" for name in found if found[name] != self._faults[name]
            ]
            self._faults = found
            raise FramesLost(f"{self.name}: frames did not come whole: the interface counts {', '.join(more)}")

    def _count_faults(self) -> dict[str, int]:
        return {name: int(_read(self._statistics / name) or 0) for name in _FAULTS}

    def _gone(self, error: OSError) -> CardUnreachable:
        return CardUnreachable(f"{self.name} went away ({error.strerror}): see that it is up and plugged in")


def received_frame(data: bytes, control: list[tuple[int, int, bytes]]) -> Received:
    """With the VLAN tag that stands beside the frame, and the time when the kernel had it."""
    stamp = 0
    for level, kind, value in control:
        if level == SOL_PACKET and kind == AUXDATA:
            status, _, _, _, _, tci, tpid = _AUX.unpack_from(value)
            if status & _TP_VLAN_VALID:
                tag = struct.pack("!HH", tpid if status & _TP_VLAN_TPID_VALID else _C_TAG, tci)
                data = data[:_TAG_AT] + tag + data[_TAG_AT:]
        elif level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _STAMP.unpack_from(value)
            stamp = seconds * 1_000_000_000 + nanoseconds
    return Received(stamp or time.time_ns(), data)


def _read(file: Path) -> str:
    """What sysfs says; empty if it has no such file."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
