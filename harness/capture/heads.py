"""What frames of a capture depend on beside their own record: the file's head, and where in the file one is.

With it reading can begin between any two records. ``walk`` of a head finds them by their lengths, many times as fast as
frames are read. Sources: draft-ietf-opsawg-pcap (pcap) and draft-ietf-opsawg-pcapng (pcapng).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from halfsilver.harness.capture.formats import (
    BYTE_ORDER_MAGIC,
    INTERFACE,
    MAX_RECORD,
    OPTION_FCSLEN,
    OPTION_TSOFFSET,
    OPTION_TSRESOL,
    SECTION,
)

__all__ = ["MAX_BLOCK", "Broken", "Interface", "PcapHead", "PcapngHead", "Place", "Walk", "fields", "options"]

MAX_BLOCK = 16 * 1024 * 1024
"""Longest pcapng block believed in, in bytes."""

_ORDERS = {BYTE_ORDER_MAGIC.to_bytes(4, "little"): "<", BYTE_ORDER_MAGIC.to_bytes(4, "big"): ">"}
_SHORTEST_BLOCK, _SHORTEST_SECTION = 12, 16
"""Type and both total lengths of a pcapng block; of a section the byte-order magic, too."""


class Broken(Exception):
    """The record or block being read is damaged (message says how)."""


class Walk(NamedTuple):
    """How far whole records reach: where they end, how many, the head behind them, and whether what follows is none.

    Of what is none, ``end`` is behind as much of it as shows that.
    """

    end: int
    records: int
    head: PcapHead | PcapngHead
    broken: bool = False


@dataclass(frozen=True, slots=True)
class PcapHead:
    """The file header of a pcap: byte order, clock ticks per second, link type, FCS bytes, longest record."""

    order: str
    ticks: int
    link: int
    fcs: int
    longest: int

    @classmethod
    def parse(cls, order: str, ticks: int, header: bytes) -> PcapHead:
        """``header``: the 20 bytes behind the magic number."""
        snaplen, link = struct.unpack(order + "12xII", header)
        # Link type in the low 16 bits; bit 26: FCS present, as many 16-bit words as the top 4 bits say.
        fcs = (link >> 28) * 2 if link & (1 << 26) else 0
        return cls(order, ticks, link & 0xFFFF, fcs, max(MAX_RECORD, snaplen if snaplen < MAX_BLOCK else 0))

    @property
    def record(self) -> struct.Struct:
        """In front of each frame: seconds, fraction, bytes captured, bytes on the wire."""
        return struct.Struct(self.order + "IIII")

    def walk(self, held: bytes | bytearray, at: int, records: int, octets: int) -> Walk:
        """From ``at`` over whole records, until there are so many of them, or bytes, or no more is held."""
        captured = struct.Struct(self.order + "8xI").unpack_from
        head, last, limit, left = self.record.size, len(held) - self.record.size, at + octets, records
        while left and at <= last and at < limit:
            (size,) = captured(held, at)
            if size > self.longest:
                return Walk(at + head, records - left, self, broken=True)
            behind = at + head + size
            if behind > len(held):
                break
            at, left = behind, left - 1
        return Walk(at, records - left, self)


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of a pcapng section: link type, clock ticks per second, clock offset in s, FCS bytes."""

    link: int
    snaplen: int
    ticks: int
    offset: int
    fcs: int

    @classmethod
    def parse(cls, order: str, body: bytes) -> Interface:
        """From the body of its block. Broken if that is too short."""
        link, _reserved, snaplen = fields(order, "HHI", body, "an interface description block")
        ticks, offset, fcs = 1_000_000, 0, 0
        for code, value in options(order, body, 8):
            if code == OPTION_TSRESOL and len(value) == 1:
                exponent = value[0] & 0x7F
                ticks = 2**exponent if value[0] & 0x80 else 10**exponent
            elif code == OPTION_TSOFFSET and len(value) == 8:
                (offset,) = struct.unpack(order + "q", value)
            elif code == OPTION_FCSLEN and len(value) == 1:
                fcs = value[0]
        return cls(link, snaplen, ticks, offset, fcs)


@dataclass(frozen=True, slots=True)
class PcapngHead:
    """What the blocks of a pcapng so far say of those that follow: the section's byte order and interfaces."""

    order: str = "<"
    interfaces: tuple[Interface, ...] = ()

    def in_order_of(self, magic: bytes) -> PcapngHead:
        """In the byte order of a section that begins, by its magic. Broken if that is none."""
        if magic not in _ORDERS:
            raise Broken(f"byte-order magic is {magic.hex(' ')}, not 1a 2b 3c 4d in either order")
        return PcapngHead(_ORDERS[magic], self.interfaces)

    def behind(self, kind: int, body: bytes) -> PcapngHead:
        """Behind a block, which may begin a section or describe an interface. Broken if it cannot be read."""
        if kind == SECTION:
            return PcapngHead(self.order)
        if kind == INTERFACE:
            return PcapngHead(self.order, (*self.interfaces, Interface.parse(self.order, body)))
        return self

    def walk(self, held: bytes | bytearray, at: int, records: int, octets: int) -> Walk:
        """From ``at`` over whole blocks, until there are so many of them, or bytes, or no more is held."""
        head, limit, left = self, at + octets, records
        lengths = struct.Struct(head.order + "II").unpack_from
        while left and at < limit and at + _SHORTEST_BLOCK <= len(held):
            kind, length = lengths(held, at)
            if kind == SECTION:
                try:
                    head = head.in_order_of(bytes(held[at + 8 : at + 12]))
                except Broken:
                    return Walk(at + _SHORTEST_BLOCK, records - left, head, broken=True)
                lengths = struct.Struct(head.order + "II").unpack_from
                kind, length = lengths(held, at)
            if not _is_length(kind, length):
                return Walk(at + _SHORTEST_BLOCK, records - left, head, broken=True)
            behind = at + length
            if behind > len(held):
                break
            if held[at + 4 : at + 8] != held[behind - 4 : behind]:
                return Walk(behind, records - left, head, broken=True)
            if kind in (SECTION, INTERFACE):
                with suppress(Broken):  # who reads the frames says so
                    head = head.behind(kind, bytes(held[at + 8 : behind - 4]))
            at, left = behind, left - 1
        return Walk(at, records - left, head)

    def check_length(self, kind: int, length: int) -> None:
        """Broken if no block of this type has this total length."""
        if not _is_length(kind, length):
            raise Broken(f"block total length is {length}")


class Place(NamedTuple):
    """Between two records: bytes and records in front of it, and what is known there of those that follow."""

    offset: int
    records: int
    head: PcapHead | PcapngHead


def fields(order: str, layout: str, body: bytes, what: str) -> tuple[int, ...]:
    """The numbers that a block begins with. Broken if it is too short."""
    numbers = struct.Struct(order + layout)
    if len(body) < numbers.size:
        raise Broken(f"{what} of {len(body)} bytes is too short")
    return numbers.unpack_from(body)


def options(order: str, body: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option of a block, from ``position`` on."""
    while position + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, position)
        if code == 0:
            return
        yield code, body[position + 4 : position + 4 + size]
        position += 4 + size + -size % 4


def _is_length(kind: int, length: int) -> bool:
    shortest = _SHORTEST_SECTION if kind == SECTION else _SHORTEST_BLOCK
    return length % 4 == 0 and shortest <= length <= MAX_BLOCK
