"""Which header field lies at a byte offset of an Ethernet frame: names for differences between two frames.

Understands Ethernet, VLAN tags, ARP, IPv4, IPv6, UDP, TCP, ICMP and VXLAN with its inner frame. It names
bytes for people and decides nothing, so it follows the headers as far as they are there and calls the rest
payload.
"""

from __future__ import annotations

from dataclasses import dataclass

from halfsilver.harness.law import VXLAN_PORT

__all__ = ["Field", "field_at", "fields_of"]

_ETHERTYPES = {0x0800: "IPv4", 0x86DD: "IPv6", 0x0806: "ARP"}
_TAGS = (0x8100, 0x88A8)
_Layout = tuple[tuple[str, int], ...]

_ETHERNET: _Layout = (("destination MAC", 6), ("source MAC", 6), ("ethertype", 2))
_TAG: _Layout = (("tag control information", 2), ("ethertype", 2))
_IPV4: _Layout = (
    ("version and header length", 1),
    ("type of service", 1),
    ("total length", 2),
    ("identification", 2),
    ("flags and fragment offset", 2),
    ("time to live", 1),
    ("protocol", 1),
    ("header checksum", 2),
    ("source address", 4),
    ("destination address", 4),
)
_IPV6: _Layout = (
    ("version, traffic class and flow label", 4),
    ("payload length", 2),
    ("next header", 1),
    ("hop limit", 1),
    ("source address", 16),
    ("destination address", 16),
)
_UDP: _Layout = (("source port", 2), ("destination port", 2), ("length", 2), ("checksum", 2))
_TCP: _Layout = (
    ("source port", 2),
    ("destination port", 2),
    ("sequence number", 4),
    ("acknowledgement number", 4),
    ("data offset", 1),
    ("flags", 1),
    ("window", 2),
    ("checksum", 2),
    ("urgent pointer", 2),
)
_ICMP: _Layout = (("type", 1), ("code", 1), ("checksum", 2), ("rest of header", 4))
_ARP: _Layout = (
    ("hardware type", 2),
    ("protocol type", 2),
    ("address lengths", 2),
    ("operation", 2),
    ("sender MAC", 6),
    ("sender address", 4),
    ("target MAC", 6),
    ("target address", 4),
)
_VXLAN: _Layout = (("flags", 1), ("reserved (first)", 3), ("network identifier (VNI)", 3), ("reserved (last)", 1))


@dataclass(frozen=True, slots=True)
class Field:
    """Bytes ``start`` up to, not including, ``end`` of the frame."""

    name: str
    start: int
    end: int


def field_at(frame: bytes, offset: int) -> str:
    """Name of the field that holds byte ``offset``, such as ``outer IPv4 header checksum``."""
    for field in fields_of(frame):
        if field.start <= offset < field.end:
            return field.name
    return "end of frame"


def fields_of(frame: bytes) -> list[Field]:
    """The fields of a frame, in order and without gaps, clipped to the bytes present.

    Names start with ``outer`` and ``inner`` where the frame carries another one in VXLAN.
    """
    return _Walk(frame).ethernet(0)


class _Walk:
    """Follows the headers of one frame; each method takes the offset of its header."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.fields: list[Field] = []

    def ethernet(self, at: int) -> list[Field]:
        at = self._header("Ethernet", _ETHERNET, at)
        kind = self._number(at - 2, 2)
        while kind in _TAGS:
            at = self._header("VLAN", _TAG, at)
            kind = self._number(at - 2, 2)
        name = _ETHERTYPES.get(kind)
        if name == "ARP":
            at = self._header(name, _ARP, at)
        elif name == "IPv4":
            self._ipv4(at)
            return self.fields
        elif name == "IPv6":
            protocol = self._number(at + 6, 1)
            self._transport(protocol, self._header(name, _IPV6, at), "IPv6")
            return self.fields
        self._rest("payload", at)
        return self.fields

    def _ipv4(self, at: int) -> None:
        options = at + (self._number(at, 1) & 0xF) * 4
        protocol, fragment = self._number(at + 9, 1), self._number(at + 6, 2) & 0x1FFF
        at = self._header("IPv4", _IPV4, at)
        if options > at:
            at = self._header("IPv4", (("options", options - at),), at)
        self._transport(None if fragment else protocol, at, "IPv4")

    def _transport(self, protocol: int | None, at: int, network: str) -> None:
        if protocol == 17:
            port = self._number(at + 2, 2)
            at = self._header("UDP", _UDP, at)
            if port == VXLAN_PORT and self._number(at, 1) & 0x08 and len(self.frame) >= at + 8:
                at = self._header("VXLAN", _VXLAN, at)
                self._inner(at)
                return
            self._rest("UDP payload", at)
        elif protocol == 6:
            options = at + (self._number(at + 12, 1) >> 4) * 4
            at = self._header("TCP", _TCP, at)
            if options > at:
                at = self._header("TCP", (("options", options - at),), at)
            self._rest("TCP payload", at)
        elif protocol in (1, 58):
            self._rest("ICMP payload", self._header("ICMP" if protocol == 1 else "ICMPv6", _ICMP, at))
        else:
            self._rest(f"{network} payload", at)

    def _inner(self, at: int) -> None:
        outer: list[Field] = []
        for field in self.fields:
            name = field.name if field.name.startswith("VXLAN") else f"outer {field.name}"
            outer.append(Field(name, field.start, field.end))
        for field in fields_of(self.frame[at:]):
            outer.append(Field(f"inner {field.name}", field.start + at, field.end + at))
        self.fields = outer

    def _number(self, at: int, size: int) -> int:
        """Big-endian number at ``at``; 0 where the frame ends before it."""
        return int.from_bytes(self.frame[at : at + size], "big") if len(self.frame) >= at + size else 0

    def _header(self, layer: str, layout: _Layout, at: int) -> int:
        """Add a header's fields; returns the offset behind it."""
        for name, size in layout:
            end = min(at + size, len(self.frame))
            if at < end:
                self.fields.append(Field(f"{layer} {name}", at, end))
            at += size
        return at

    def _rest(self, name: str, at: int) -> None:
        if at < len(self.frame):
            self.fields.append(Field(name, at, len(self.frame)))
