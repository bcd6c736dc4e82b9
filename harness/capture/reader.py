"""Captures read frame by frame: pcap and pcapng, as they are or compressed.

Stands between files and engines; knows nothing of mirroring. Sources: draft-ietf-opsawg-pcap (pcap) and
draft-ietf-opsawg-pcapng (pcapng).

Reading and writing are done here, and not by scapy, for four reasons: a damaged file must be read up to the
damage and the damage named by its byte offset; timestamps must stay whole nanoseconds; a large capture is
streamed, never held; and scapy's licence (GPL-2.0) stays out of the installed program. The tests check this
room against scapy.
"""

from __future__ import annotations

import os
import struct
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from halfsilver.harness.capture.byte_source import ByteSource, ByteStream
from halfsilver.harness.capture.formats import (
    BYTE_ORDER_MAGIC,
    INTERFACE,
    MAX_RECORD,
    NANOSECONDS,
    OLD_PACKET,
    OPTION_COMMENT,
    OPTION_FCSLEN,
    OPTION_FLAGS,
    OPTION_TSOFFSET,
    OPTION_TSRESOL,
    OPTION_VERDICT,
    PACKET,
    PCAP_MAGIC,
    SECTION,
    SIMPLE_PACKET,
    CapturedFrame,
    Damage,
)
from halfsilver.harness.capture.link import (
    LINK_ETHERNET,
    LINK_NAMES,
    OTHER_LINKS,
    HeaderCutOff,
    Stations,
    with_ethernet,
)
from halfsilver.harness.errors import UsageError

__all__ = ["CaptureReader", "NotACapture", "open_capture"]

MAX_BLOCK = 16 * 1024 * 1024
"""Longest pcapng block believed in, in bytes."""


PACKET_ERRORS = 0xF700_0000
"""Bits of a packet's flags that a MAC sets on a damaged frame: wrong CRC, length, preamble or symbols, but not gap."""
DIRECTIONS = {1: False, 2: True}
"""The two lowest bits of a packet's flags, where they say whether it came in or left."""
DROP_VERDICTS = ((1, 2), (2, 1))
"""Verdicts of a packet that say it went no further, each with its kind: TC_ACT_SHOT and XDP_DROP of Linux."""
DROPPED_COMMENT = b"halfsilver:dropped"
"""The comment that says so where a capture has no verdicts: ``editcap -a 3:halfsilver:dropped``."""

_Frames: TypeAlias = Generator["CapturedFrame | None", None, None]
"""Frames in order; None: nothing more has come just now, and asking for the next one waits."""


class NotACapture(UsageError):
    """The file is of another kind."""


class _Broken(Exception):
    """The record or block being read is damaged (message says how)."""


@dataclass(frozen=True, slots=True)
class _Interface:
    """An interface of a pcapng section: link type, clock ticks per second, clock offset in s, FCS bytes."""

    link: int
    snaplen: int
    ticks: int
    offset: int
    fcs: int


class CaptureReader:
    """Frames of a pcap or pcapng stream, in order, one at a time.

    ``stream`` is binary and need not seek; what is compressed with gzip or Zstandard is unpacked. ``size`` is its
    length in bytes where known, ``consumed`` how many of them have been read. Iterate once.
    Everything readable is yielded; where the file is damaged an entry is added to ``damage`` and reading goes
    on behind the block (pcapng, if its two lengths agree) or ends. ``offset`` is the number of bytes taken so
    far, unpacked; ``short`` counts frames captured with fewer bytes than they had on the wire, ``lifted`` those that
    were given an Ethernet header, by their link type.

    NotACapture: another file. UsageError: a frame of a link type that cannot be mirrored. EnvironmentMissing:
    compressed in a way that this Python cannot unpack.
    """

    def __init__(self, stream: ByteStream, name: str, size: int | None = None) -> None:
        self.name = name
        self.size = size
        self.damage: list[Damage] = []
        self.offset = 0
        self.short = 0
        self.lifted: Counter[int] = Counter()
        self.left_out: Sequence[str] = ()
        self._stations: Stations = {}
        self._start = 0
        self._source = ByteSource(stream)
        self._order = "<"
        self._interfaces: list[_Interface] = []

    def __iter__(self) -> Iterator[CapturedFrame]:
        return (frame for frame in self.flow() if frame is not None)

    @property
    def consumed(self) -> int:
        return self._source.consumed

    @property
    def readers(self) -> Sequence[CaptureReader]:
        """Itself, as one of several captures."""
        return (self,)

    def know(self, stations: Stations) -> None:
        """Interfaces whose MAC addresses frames without any are given."""
        self._stations = stations

    def stop(self) -> None:
        """Called by a signal: the frames end soon, with what has come of a stream."""
        self._source.stop()

    def flow(self) -> Iterator[CapturedFrame | None]:
        """The frames as they come: None says that the next one has not come yet, and asking for it waits."""
        magic = yield from self._read(4)
        little, big = int.from_bytes(magic, "little"), int.from_bytes(magic, "big")
        if len(magic) < 4 and (self._source.fault or not magic):
            self._end()
            return
        if len(magic) == 4 and little == SECTION:
            frames = self._pcapng(magic)
        elif len(magic) == 4 and little in PCAP_MAGIC:
            frames = self._pcap("<", PCAP_MAGIC[little])
        elif len(magic) == 4 and big in PCAP_MAGIC:
            frames = self._pcap(">", PCAP_MAGIC[big])
        else:
            raise NotACapture(f"{self.name}: not a pcap or pcapng file, it starts with {magic.hex(' ')}")
        for frame in frames:
            if frame is None:
                yield None
            elif frame.data:
                self.short += frame.cut
                yield frame
            else:
                self._note("a frame without bytes, which no wire carries")

    def _end(self) -> None:
        """Between two records or blocks nothing is missing, unless what is behind could not be unpacked."""
        if self._source.fault is not None:
            self._note(self._source.fault)

    def _note(self, message: str) -> None:
        """Damage in the record or block being read."""
        self.damage.append(Damage(self._start, message))

    def _read(self, count: int) -> Generator[None, None, bytes]:
        """Up to ``count`` bytes; fewer only at the end of the stream. Yields where it has to wait for them."""
        source = self._source
        while not source.has(count):
            if source.would_wait():
                yield
            source.fill()
        data = source.take(count)
        self.offset += len(data)
        return data

    def _read_exactly(self, count: int, what: str) -> Generator[None, None, bytes]:
        data = yield from self._read(count)
        if len(data) < count:
            raise self._cut_off(what, count, len(data))
        return data

    def _cut_off(self, what: str, needed: int, present: int) -> _Broken:
        if self._source.fault is not None:
            return _Broken(self._source.fault)
        return _Broken(f"the file ends inside {what}: {needed} bytes needed, {present} present")

    def _check_link(self, link: int, where: str) -> None:
        if link != LINK_ETHERNET and link not in OTHER_LINKS:
            known = ", ".join(sorted({LINK_NAMES[each] for each in OTHER_LINKS}))
            raise UsageError(
                f"{self.name}: link type {link} ({LINK_NAMES.get(link, 'unknown')}){where}; only Ethernet (1) can be "
                f"mirrored, and what can be given its header: {known}"
            )

    def _frame(self, link: int, data: bytes, timestamp: int, original: int, fcs: int) -> CapturedFrame:
        """A frame as on the wire without its FCS of ``fcs`` bytes (which may be cut off already)."""
        if fcs:
            original = max(0, original - fcs)
            data = data[:original]
        outbound = None
        if link != LINK_ETHERNET and data:
            try:
                data, longer, outbound = with_ethernet(link, data, self._stations)
            except HeaderCutOff:
                raise _Broken(f"a frame of {len(data)} bytes ends in its {LINK_NAMES[link]} header") from None
            original += longer
            self.lifted[link] += 1
        return CapturedFrame(data, min(max(timestamp, 0), 2**64 - 1), original, outbound=outbound)

    # pcap ------------------------------------------------------------------------------------------------

    def _pcap(self, order: str, ticks: int) -> _Frames:
        record = struct.Struct(order + "IIII")
        number = 0
        try:
            header = yield from self._read_exactly(20, "the file header")
            snaplen, link = struct.unpack(order + "12xII", header)
            # Link type in the low 16 bits; bit 26: FCS present, as many 16-bit words as the top 4 bits say.
            fcs = (link >> 28) * 2 if link & (1 << 26) else 0
            link &= 0xFFFF
            self._check_link(link, "")
            while True:
                self._start, number = self.offset, number + 1
                raw = yield from self._read(record.size)
                if not raw:
                    return self._end()
                if len(raw) < record.size:
                    raise self._cut_off(f"the header of frame {number}", record.size, len(raw))
                seconds, fraction, captured, original = record.unpack(raw)
                if captured > max(MAX_RECORD, snaplen if snaplen < MAX_BLOCK else 0):
                    raise _Broken(f"frame {number} claims {captured} captured bytes")
                data = yield from self._read_exactly(captured, f"frame {number}")
                timestamp = seconds * NANOSECONDS + fraction * (NANOSECONDS // ticks)
                try:
                    yield self._frame(link, data, timestamp, original, fcs)
                except _Broken as broken:  # costs this frame only
                    self._note(str(broken))
        except _Broken as broken:
            self._note(str(broken))

    # pcapng ----------------------------------------------------------------------------------------------

    def _pcapng(self, magic: bytes) -> _Frames:
        kind_bytes = magic
        while kind_bytes:
            try:
                kind, body = yield from self._block(kind_bytes)
            except _Broken as broken:
                self._note(str(broken))
                return
            try:
                frame = self._take_block(kind, body)
            except _Broken as broken:
                self._note(str(broken))
                frame = None
            if frame is not None:
                yield frame
            self._start = self.offset
            kind_bytes = yield from self._read(4)
        self._end()

    def _block(self, kind_bytes: bytes) -> Generator[None, None, tuple[int, bytes]]:
        """One block behind its first four bytes: its type and body (without both total lengths)."""
        if len(kind_bytes) < 4:
            raise self._cut_off("a block", 4, len(kind_bytes))
        length_bytes = yield from self._read_exactly(4, "a block")
        head = b""
        if int.from_bytes(kind_bytes, "little") == SECTION:  # the same in both byte orders
            head = yield from self._read_exactly(4, "a section header")
            orders = {BYTE_ORDER_MAGIC.to_bytes(4, "little"): "<", BYTE_ORDER_MAGIC.to_bytes(4, "big"): ">"}
            if head not in orders:
                raise _Broken(f"byte-order magic is {head.hex(' ')}, not 1a 2b 3c 4d in either order")
            self._order = orders[head]
        (kind,), (length,) = (struct.unpack(self._order + "I", part) for part in (kind_bytes, length_bytes))
        if length % 4 or not 12 + len(head) <= length <= MAX_BLOCK:
            raise _Broken(f"block total length is {length}")
        rest = yield from self._read_exactly(length - 8 - len(head), f"a block of {length} bytes")
        if rest[-4:] != length_bytes:
            raise _Broken(
                f"block total length is {length} in front of the block, "
                f"{struct.unpack(self._order + 'I', rest[-4:])[0]} behind it"
            )
        return kind, head + rest[:-4]

    def _take_block(self, kind: int, body: bytes) -> CapturedFrame | None:
        if kind == SECTION:
            self._interfaces = []
        elif kind == INTERFACE:
            self._interfaces.append(self._interface(body))
        elif kind == PACKET:
            index, high, low, captured, original = self._fields("IIIII", body, "an enhanced packet block")
            return self._packet(index, (high << 32) | low, captured, original, body[20:])
        elif kind == OLD_PACKET:
            index, _drops, high, low, captured, original = self._fields("HHIIII", body, "a packet block")
            return self._packet(index, (high << 32) | low, captured, original, body[20:])
        elif kind == SIMPLE_PACKET:
            (original,) = self._fields("I", body, "a simple packet block")
            snaplen = self._interfaces[0].snaplen if self._interfaces else 0
            captured = min(original, snaplen) if snaplen else original
            return self._packet(0, 0, captured, original, body[4:])
        return None

    def _fields(self, layout: str, body: bytes, what: str) -> tuple[int, ...]:
        fields = struct.Struct(self._order + layout)
        if len(body) < fields.size:
            raise _Broken(f"{what} of {len(body)} bytes is too short")
        return fields.unpack_from(body)

    def _interface(self, body: bytes) -> _Interface:
        link, _reserved, snaplen = self._fields("HHI", body, "an interface description block")
        ticks, offset, fcs = 1_000_000, 0, 0
        for code, value in self._options(body, 8):
            if code == OPTION_TSRESOL and len(value) == 1:
                exponent = value[0] & 0x7F
                ticks = 2**exponent if value[0] & 0x80 else 10**exponent
            elif code == OPTION_TSOFFSET and len(value) == 8:
                (offset,) = struct.unpack(self._order + "q", value)
            elif code == OPTION_FCSLEN and len(value) == 1:
                fcs = value[0]
        return _Interface(link, snaplen, ticks, offset, fcs)

    def _options(self, body: bytes, position: int) -> Iterator[tuple[int, bytes]]:
        while position + 4 <= len(body):
            code, size = struct.unpack_from(self._order + "HH", body, position)
            if code == 0:
                return
            yield code, body[position + 4 : position + 4 + size]
            position += 4 + size + -size % 4

    def _marked(self, frame: CapturedFrame, rest: bytes, captured: int) -> CapturedFrame:
        """The frame with what the options behind it say: that it came damaged, was dropped, came in or left."""
        bad = dropped = False
        outbound = frame.outbound
        for code, value in self._options(rest, captured + -captured % 4):
            if code == OPTION_FLAGS and len(value) == 4:
                (flags,) = struct.unpack(self._order + "I", value)
                bad = bool(flags & PACKET_ERRORS)
                outbound = DIRECTIONS.get(flags & 3, outbound)
            elif code == OPTION_VERDICT and len(value) == 9:
                dropped |= (value[0], struct.unpack(self._order + "Q", value[1:])[0]) in DROP_VERDICTS
            elif code == OPTION_COMMENT:
                dropped |= value == DROPPED_COMMENT
        return replace(frame, bad=bad, dropped=dropped, outbound=outbound)

    def _packet(self, index: int, clock: int, captured: int, original: int, rest: bytes) -> CapturedFrame:
        if index >= len(self._interfaces):
            raise _Broken(f"a frame of interface {index}, but the section describes {len(self._interfaces)}")
        if captured > len(rest):
            raise _Broken(f"a frame claims {captured} captured bytes, its block holds {len(rest)}")
        interface = self._interfaces[index]
        self._check_link(interface.link, f" on interface {index}")
        timestamp = clock * NANOSECONDS // interface.ticks + interface.offset * NANOSECONDS
        frame = self._frame(interface.link, rest[:captured], timestamp, original, interface.fcs)
        return frame if len(rest) - captured < 4 else self._marked(frame, rest, captured)


@contextmanager
def open_capture(path: str | Path) -> Iterator[CaptureReader]:
    """A reader of a file, or of standard input if ``path`` is ``-``; closes the file behind it."""
    if str(path) == "-":
        with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stream:
            yield CaptureReader(stream, "standard input")
        return
    with open(path, "rb", buffering=0) as stream:
        yield CaptureReader(stream, str(path), os.fstat(stream.fileno()).st_size or None)
