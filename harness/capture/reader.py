"""Captures read frame by frame: pcap and pcapng, as they are or compressed.

Stands between files and engines; knows nothing of mirroring. Sources: draft-ietf-opsawg-pcap (pcap) and
draft-ietf-opsawg-pcapng (pcapng).

Reading and writing are done here, and not by scapy, for four reasons: a damaged file must be read up to the
damage and the damage named by its byte offset; timestamps must stay whole nanoseconds; a large capture is
streamed, never held; and scapy's licence (GPL-2.0) stays out of the installed program. The tests check this
room against scapy.
"""

from __future__ import annotations

import io
import os
import struct
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from halfsilver.harness.capture.byte_source import ByteSource, ByteStream
from halfsilver.harness.capture.formats import (
    NANOSECONDS,
    OLD_PACKET,
    OPTION_COMMENT,
    OPTION_FLAGS,
    OPTION_VERDICT,
    PACKET,
    PCAP_MAGIC,
    SECTION,
    SIMPLE_PACKET,
    CapturedFrame,
    Damage,
)
from halfsilver.harness.capture.heads import Broken, PcapHead, PcapngHead, Place, Walk, fields, options
from halfsilver.harness.capture.link import (
    LINK_ETHERNET,
    LINK_NAMES,
    OTHER_LINKS,
    HeaderCutOff,
    Stations,
    with_ethernet,
)
from halfsilver.harness.capture.lots import Found, Lot, Portion
from halfsilver.harness.errors import UsageError

__all__ = ["CaptureReader", "NotACapture", "open_capture"]

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


class CaptureReader:
    """Frames of a pcap or pcapng stream, in order, one at a time.

    ``stream`` is binary and need not seek; what is compressed with gzip or Zstandard is unpacked. ``size`` is its
    length in bytes where known, ``consumed`` how many of them have been read, ``path`` that of the file. Iterate once.
    Everything readable is yielded; where the file is damaged an entry is added to ``damage`` and reading goes
    on behind the block (pcapng, if its two lengths agree) or ends. ``offset`` is the number of bytes taken so
    far, unpacked; ``short`` counts frames captured with fewer bytes than they had on the wire, ``lifted`` those that
    were given an Ethernet header, by their link type.

    NotACapture: another file. UsageError: a frame of a link type that cannot be mirrored. EnvironmentMissing:
    compressed in a way that this Python cannot unpack.
    """

    def __init__(self, stream: ByteStream, name: str, size: int | None = None, path: str | None = None) -> None:
        self.name = name
        self.size = size
        self.path = path
        self.damage: list[Damage] = []
        self.offset = 0
        self.short = 0
        self.lifted: Counter[int] = Counter()
        self.left_out: Sequence[str] = ()
        self._stations: Stations = {}
        self._start = 0
        self._source = ByteSource(stream)
        self._file: PcapHead | None = None
        self._section = PcapngHead()
        self._records = 0
        self._begun = self._ended = False

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

    @classmethod
    def of_portion(cls, portion: Portion, stations: Stations) -> CaptureReader:
        """A reader of these frames alone, as one of the whole capture has them."""
        reader = cls(io.BytesIO(), portion.name)
        reader._source = ByteSource(io.BytesIO(portion.octets()), plain=True, fault=portion.fault)
        reader.offset, reader._records, head = portion.place
        if isinstance(head, PcapHead):
            reader._file = head
        else:
            reader._section = head
        reader._begun = True
        reader._stations = stations
        return reader

    def flow(self) -> Iterator[CapturedFrame | None]:
        """The frames as they come: None says that the next one has not come yet, and asking for it waits."""
        if not self._begun:
            yield from self.begin()
        if not self._ended:
            yield from self._frames()

    def lots(self, records: int, octets: int) -> Iterator[Lot]:
        """Instead of the frames, the capture in lots, each of so many records or bytes, whatever comes first.

        Their ends are found by the lengths of records alone, many times as fast as frames are read. What is damaged is
        in the last one, for who reads that to say.
        """
        for _ in self.begin():
            pass
        source = self._source
        walk = Walk(0, 0, self.place.head)
        while not self._ended:
            step = walk.head.walk(source.held, walk.end, records - walk.records, octets - walk.end)
            walk = step._replace(records=walk.records + step.records)
            is_full = walk.records >= records or walk.end >= octets
            self._ended = walk.broken or (source.ended and not is_full)
            waits = not self._ended and not is_full and source.would_wait()
            if self._ended and not walk.broken:
                walk = walk._replace(end=len(source.held))  # with what is cut off, if anything
            if is_full or self._ended or (waits and walk.records):
                if walk.end or source.fault is not None:
                    yield Lot((self._take(walk),), waits)
                walk = Walk(0, 0, walk.head)
            else:
                source.fill()

    def _take(self, walk: Walk) -> Portion:
        """What was walked over."""
        place = self.place
        data = self._source.take(walk.end)
        self.offset += walk.end
        self._records += walk.records
        if isinstance(walk.head, PcapngHead):
            self._section = walk.head
        return self._portion(0, 0, place, walk.end, data, ended=self._ended)

    def keep(self) -> None:
        """What is read from now on is kept for ``kept``."""
        if not self._in_file:
            self._source.keep()

    def kept(self, capture: int, order: int, place: Place, length: int, *, ended: bool) -> Portion:
        """So many bytes from a place on, which is where ``keep`` was called, or the end of the last portion."""
        data = b"" if self._in_file else self._source.let_go(length)
        return self._portion(capture, order, place, length, data, ended=ended)

    def _portion(self, capture: int, order: int, place: Place, length: int, data: bytes, *, ended: bool) -> Portion:
        path, octets = (self.path, b"") if self._in_file else (None, data)
        fault = self._source.fault if ended else None
        return Portion(capture, order, self.name, place, length, path, octets, fault)

    @property
    def _in_file(self) -> bool:
        """What is read stands in a file as it is."""
        return self.path is not None and self._source.is_file

    @property
    def ended(self) -> bool:
        """Its head says that no frame follows, or all lots were given."""
        return self._ended

    @property
    def place(self) -> Place:
        """Behind the last frame, or in front of the first one; once the file's head was read."""
        return Place(self.offset, self._records, self._section if self._file is None else self._file)

    def take_in(self, found: Found) -> None:
        """Count what another reader found in a portion of this capture."""
        self.damage += found.damage
        self.short += found.short
        self.lifted += found.lifted

    def begin(self) -> Generator[None, None, None]:
        """Read the head of the file, if it has one of its own; yields where it has to wait. NotACapture."""
        self._begun, self._ended = True, True
        yield from self._await(4)
        magic = bytes(self._source.held[:4])
        little, big = int.from_bytes(magic, "little"), int.from_bytes(magic, "big")
        if len(magic) < 4 and (self._source.fault or not magic):
            return self._end()
        if len(magic) < 4 or not {little, big} & {SECTION, *PCAP_MAGIC}:
            raise NotACapture(f"{self.name}: not a pcap or pcapng file, it starts with {magic.hex(' ')}")
        if little != SECTION:
            order, ticks = ("<", PCAP_MAGIC[little]) if little in PCAP_MAGIC else (">", PCAP_MAGIC[big])
            yield from self._read(4)
            try:
                header = yield from self._read_exactly(20, "the file header")
            except Broken as broken:
                return self._note(str(broken))
            self._file = PcapHead.parse(order, ticks, header)
            self._check_link(self._file.link, "")
        self._ended = False

    def _frames(self) -> _Frames:
        """Those behind the place where it is."""
        for frame in self._pcapng() if self._file is None else self._pcap(self._file):
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
        yield from self._await(count)
        data = self._source.take(count)
        self.offset += len(data)
        return data

    def _await(self, count: int) -> Generator[None, None, None]:
        source = self._source
        while not source.has(count):
            if source.would_wait():
                yield
            source.fill()

    def _read_exactly(self, count: int, what: str) -> Generator[None, None, bytes]:
        data = yield from self._read(count)
        if len(data) < count:
            raise self._cut_off(what, count, len(data))
        return data

    def _cut_off(self, what: str, needed: int, present: int) -> Broken:
        if self._source.fault is not None:
            return Broken(self._source.fault)
        return Broken(f"the file ends inside {what}: {needed} bytes needed, {present} present")

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
                raise Broken(f"a frame of {len(data)} bytes ends in its {LINK_NAMES[link]} header") from None
            original += longer
            self.lifted[link] += 1
        return CapturedFrame(data, min(max(timestamp, 0), 2**64 - 1), original, outbound=outbound)

    # pcap ------------------------------------------------------------------------------------------------

    def _pcap(self, head: PcapHead) -> _Frames:
        record = head.record
        try:
            while True:
                self._start, self._records = self.offset, self._records + 1
                raw = yield from self._read(record.size)
                if not raw:
                    return self._end()
                if len(raw) < record.size:
                    raise self._cut_off(f"the header of frame {self._records}", record.size, len(raw))
                seconds, fraction, captured, original = record.unpack(raw)
                if captured > head.longest:
                    raise Broken(f"frame {self._records} claims {captured} captured bytes")
                data = yield from self._read_exactly(captured, f"frame {self._records}")
                timestamp = seconds * NANOSECONDS + fraction * (NANOSECONDS // head.ticks)
                try:
                    yield self._frame(head.link, data, timestamp, original, head.fcs)
                except Broken as broken:  # costs this frame only
                    self._note(str(broken))
        except Broken as broken:
            self._note(str(broken))

    # pcapng ----------------------------------------------------------------------------------------------

    def _pcapng(self) -> _Frames:
        self._start = self.offset
        kind_bytes = yield from self._read(4)
        while kind_bytes:
            try:
                kind, body = yield from self._block(kind_bytes)
            except Broken as broken:
                self._note(str(broken))
                return
            try:
                frame = self._take_block(kind, body)
            except Broken as broken:
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
            self._section = self._section.in_order_of(head)
        order = self._section.order
        (kind,), (length,) = (struct.unpack(order + "I", part) for part in (kind_bytes, length_bytes))
        self._section.check_length(kind, length)
        rest = yield from self._read_exactly(length - 8 - len(head), f"a block of {length} bytes")
        if rest[-4:] != length_bytes:
            raise Broken(
                f"block total length is {length} in front of the block, "
                f"{struct.unpack(order + 'I', rest[-4:])[0]} behind it"
            )
        return kind, head + rest[:-4]

    def _take_block(self, kind: int, body: bytes) -> CapturedFrame | None:
        order = self._section.order
        if kind == PACKET:
            index, high, low, captured, original = fields(order, "IIIII", body, "an enhanced packet block")
            return self._packet(index, (high << 32) | low, captured, original, body[20:])
        if kind == OLD_PACKET:
            index, _drops, high, low, captured, original = fields(order, "HHIIII", body, "a packet block")
            return self._packet(index, (high << 32) | low, captured, original, body[20:])
        if kind == SIMPLE_PACKET:
            (original,) = fields(order, "I", body, "a simple packet block")
            interfaces = self._section.interfaces
            snaplen = interfaces[0].snaplen if interfaces else 0
            captured = min(original, snaplen) if snaplen else original
            return self._packet(0, 0, captured, original, body[4:])
        self._section = self._section.behind(kind, body)
        return None

    def _marked(self, frame: CapturedFrame, rest: bytes, captured: int) -> CapturedFrame:
        """The frame with what the options behind it say: that it came damaged, was dropped, came in or left."""
        bad = dropped = False
        outbound = frame.outbound
        for code, value in options(self._section.order, rest, captured + -captured % 4):
            if code == OPTION_FLAGS and len(value) == 4:
                (flags,) = struct.unpack(self._section.order + "I", value)
                bad = bool(flags & PACKET_ERRORS)
                outbound = DIRECTIONS.get(flags & 3, outbound)
            elif code == OPTION_VERDICT and len(value) == 9:
                dropped |= (value[0], struct.unpack(self._section.order + "Q", value[1:])[0]) in DROP_VERDICTS
            elif code == OPTION_COMMENT:
                dropped |= value == DROPPED_COMMENT
        return replace(frame, bad=bad, dropped=dropped, outbound=outbound)

    def _packet(self, index: int, clock: int, captured: int, original: int, rest: bytes) -> CapturedFrame:
        interfaces = self._section.interfaces
        if index >= len(interfaces):
            raise Broken(f"a frame of interface {index}, but the section describes {len(interfaces)}")
        if captured > len(rest):
            raise Broken(f"a frame claims {captured} captured bytes, its block holds {len(rest)}")
        interface = interfaces[index]
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
        yield CaptureReader(stream, str(path), os.fstat(stream.fileno()).st_size or None, os.path.abspath(path))
