"""Super-frames, which a host's NIC cuts or has joined (TSO, GRO), cut into the frames that there were on the wire.

A capture on a host has them as the kernel hands them on. Sources: RFC 9293 (TCP), RFC 791, RFC 8200; what is kept in
which segment is as in Linux' ``tcp_gso_segment`` (net/ipv4/tcp_offload.c).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.link import ETHERTYPE_IPV4, ETHERTYPE_IPV6, network_header
from halfsilver.harness.law import LONGEST_FRAME

__all__ = ["Segmenter", "checksum"]

_TCP, _TCP_FIXED = 6, 20
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80
_HOP_BY_HOP, _JUMBO = 0, 0xC2
"""Next header, and the option of IPv6's packets beyond 65,535 bytes (RFC 2675), as Linux' BIG TCP has them."""


@dataclass(frozen=True, slots=True)
class _Packet:
    """Where things are in a TCP frame: the IP header, the TCP header and the payload begin, and the packet ends."""

    version: int
    network: int
    transport: int
    payload: int
    end: int


class Segmenter:
    """A step between capture and engine: frames longer than an MTU become several.

    ``mtu`` (``asked``) in bytes of IP packet; without one frames are only counted. ``cut`` super-frames became
    ``segments``; ``left`` are those that stay as they are: not TCP (of joined datagrams nothing says where one ends), a
    fragment, or captured with fewer bytes than they had. Without an MTU those beyond LONGEST_FRAME count, which
    are certainly super-frames.
    """

    def __init__(self, mtu: int | None = None) -> None:
        self.cut = 0
        self.segments = 0
        self.left = 0
        self.asked = mtu

    def take_in(self, other: Segmenter) -> None:
        """What another one did with other frames."""
        self.cut += other.cut
        self.segments += other.segments
        self.left += other.left

    def __call__(self, frame: CapturedFrame) -> Sequence[CapturedFrame]:
        if self.asked is None:
            self.left += frame.original_length > LONGEST_FRAME
            return (frame,)
        if frame.original_length <= self.asked + network_header(frame.data)[1]:
            return (frame,)
        data = _without_jumbo_option(frame.data)
        packet = None if frame.cut else _parse(data)
        if packet is None:
            self.left += 1
            return (frame,)
        size = self.asked - (packet.payload - packet.network)
        if packet.end - packet.network <= self.asked:
            return (frame,)
        if size <= 0:
            self.left += 1
            return (frame,)
        segments = _segments(data, packet, size)
        self.cut += 1
        self.segments += len(segments)
        return [replace(frame, data=segment, original_length=len(segment)) for segment in segments]


def _parse(data: bytes) -> _Packet | None:
    """None if it is no whole TCP packet, or one with options between IPv6 and TCP."""
    kind, at = network_header(data)
    if kind == ETHERTYPE_IPV4 and len(data) >= at + 20:
        length, fragment, protocol = struct.unpack_from("!2xH2xHxB", data, at)
        version, transport = 4, at + (data[at] & 0xF) * 4
        if fragment & 0x3FFF:
            return None
    elif kind == ETHERTYPE_IPV6 and len(data) >= at + 40:
        length, protocol = struct.unpack_from("!4xHB", data, at)
        version, transport = 6, at + 40
        length += 40 if length else 0
    else:
        return None
    end = at + length if length else len(data)  # 0 where more than 65,535 bytes, or a driver, stand behind it
    if data[at] >> 4 != version or protocol != _TCP or len(data) < transport + _TCP_FIXED or end > len(data):
        return None
    payload = transport + (data[transport + 12] >> 4) * 4
    return _Packet(version, at, transport, payload, end) if transport + _TCP_FIXED <= payload <= end else None


def _without_jumbo_option(data: bytes) -> bytes:
    """BIG TCP over IPv6 puts a hop-by-hop header in front of TCP, which no segment has."""
    kind, at = network_header(data)
    behind = at + 40
    if kind != ETHERTYPE_IPV6 or len(data) < behind + 8 or data[at + 6] != _HOP_BY_HOP or data[behind + 2] != _JUMBO:
        return data
    return data[: at + 6] + data[behind : behind + 1] + data[at + 7 : behind] + data[behind + 8 :]


def _segments(data: bytes, packet: _Packet, size: int) -> list[bytes]:
    """Frames with ``size`` bytes of payload each, and the last with the rest."""
    starts = range(packet.payload, packet.end, size)
    return [_segment(data, packet, number, start, min(start + size, packet.end)) for number, start in enumerate(starts)]


def _segment(data: bytes, packet: _Packet, number: int, start: int, end: int) -> bytes:
    segment = bytearray(data[: packet.payload] + data[start:end])
    network, transport = packet.network, packet.transport
    (sequence,) = struct.unpack_from("!I", data, transport + 4)
    struct.pack_into("!I", segment, transport + 4, (sequence + start - packet.payload) & 0xFFFF_FFFF)
    if end < packet.end:
        segment[transport + 13] &= ~(_FIN | _PSH) & 0xFF
    if number:
        segment[transport + 13] &= ~_CWR & 0xFF
    length = len(segment) - network
    if packet.version == 4:
        (identification,) = struct.unpack_from("!H", data, network + 4)
        struct.pack_into("!HH", segment, network + 2, length, (identification + number) & 0xFFFF)
        struct.pack_into("!H", segment, network + 10, 0)
        struct.pack_into("!H", segment, network + 10, checksum(segment[network:transport]))
        addresses = segment[network + 12 : network + 20]
    else:
        struct.pack_into("!H", segment, network + 4, length - 40)
        addresses = segment[network + 8 : network + 40]
    struct.pack_into("!H", segment, transport + 16, 0)
    pseudo = addresses + struct.pack("!HH", _TCP, len(segment) - transport)  # the sum is that of RFC 8200's, too
    struct.pack_into("!H", segment, transport + 16, checksum(pseudo + segment[transport:]))
    return bytes(segment)


def checksum(data: bytes | bytearray) -> int:
    """The Internet checksum of some bytes (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", bytes(data) + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
