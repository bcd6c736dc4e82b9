"""What goes over an interface of this host, both ways: a raw packet socket (packet(7)).

The kernel has frames before its NIC cuts them and behind it joins them, and packets that it sends without their TCP or
UDP checksum, which the NIC fills in. Here the checksum is filled in; cutting is the caller's (``segment.py``).
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct

from halfsilver.harness.bench.packet_wire import (
    AUXDATA,
    LONGEST,
    OUTGOING,
    ROOM,
    SOL_PACKET,
    PacketWire,
    received_frame,
)
from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.link import ETHERTYPE_IPV4, ETHERTYPE_IPV6, network_header
from halfsilver.harness.capture.segment import checksum
from halfsilver.harness.errors import CardUnreachable, EnvironmentMissing, UsageError
from halfsilver.harness.spelling import rather

__all__ = ["Tap", "open_tap", "with_checksum"]

_SIOCGIFMTU = 0x8921
_CHECKSUM_NOT_READY = 1 << 3
"""Linux: sockios.h, TP_STATUS_CSUMNOTREADY of if_packet.h."""
_CHECKSUM_AT = {6: 16, 17: 6}
"""Where TCP and UDP have theirs (RFC 9293, RFC 768)."""


class Tap(PacketWire):
    """Frames that come in and go out, as they do; the interface's settings stay as they are.

    ``lost`` counts frames that found no room in the buffer of this socket, as the kernel says.
    """

    of_board = False

    def __init__(self, interface: str) -> None:
        super().__init__(interface)
        self.lost = 0
        request = fcntl.ioctl(self._socket, _SIOCGIFMTU, struct.pack("16s16x", interface.encode()))
        (self.mtu,) = struct.unpack_from("i", request, 16)

    def take(self, seconds: float, most: int) -> list[CapturedFrame]:
        """At most so many frames that have come; if there is none, those that come within so many seconds."""
        frames: list[CapturedFrame] = []
        if select.select([self._socket], [], [], seconds)[0]:
            while len(frames) < most and (frame := self._take_one()) is not None:
                frames.append(frame)
        else:
            self._check_link()
        self.lost += self._count_lost()
        return frames

    def _take_one(self) -> CapturedFrame | None:
        try:
            data, control, _, address = self._socket.recvmsg(LONGEST, ROOM, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._gone(error) from None
        received = received_frame(data, control)
        whole = with_checksum(received.data) if _is_unfinished(control) else received.data
        return CapturedFrame(whole, received.time_ns, len(whole), outbound=address[2] == OUTGOING)


def open_tap(interface: str) -> Tap:
    """UsageError if there is no such interface; EnvironmentMissing if it is down, or this user may not."""
    names = [name for _, name in socket.if_nameindex()]
    if interface not in names:
        raise UsageError(f"-i {interface}: there is no such network interface; {rather(interface, names)}")
    try:
        return Tap(interface)
    except CardUnreachable as error:
        raise EnvironmentMissing(str(error).removeprefix("packet:")) from None


def _is_unfinished(control: list[tuple[int, int, bytes]]) -> bool:
    return any(
        struct.unpack_from("=I", value)[0] & _CHECKSUM_NOT_READY
        for level, kind, value in control
        if (level, kind) == (SOL_PACKET, AUXDATA)
    )


def with_checksum(data: bytes) -> bytes:
    """A frame whose TCP or UDP checksum so far is the sum of its pseudo-header, as the kernel hands it to a NIC."""
    ethertype, at = network_header(data)
    if ethertype == ETHERTYPE_IPV4 and len(data) >= at + 20:
        length, protocol = struct.unpack_from("!2xH5xB", data, at)
        transport, end = at + (data[at] & 0xF) * 4, at + length
    elif ethertype == ETHERTYPE_IPV6 and len(data) >= at + 40:
        length, protocol = struct.unpack_from("!4xHB", data, at)
        transport, end = at + 40, at + 40 + length
    else:
        return data
    place = transport + _CHECKSUM_AT.get(protocol, len(data))
    if not place + 2 <= end <= len(data):
        return data
    whole = bytearray(data)
    struct.pack_into("!H", whole, place, checksum(whole[transport:end]) or 0xFFFF)  # a zero in UDP means none
    return bytes(whole)
