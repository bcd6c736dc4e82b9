"""Captures written: pcapng with a comment per frame, or plain pcap; both with nanoseconds.

The bytes depend on the frames alone (no date, no host name), so equal runs give equal files.
"""

from __future__ import annotations

import struct
from pathlib import PurePath
from typing import BinaryIO, Protocol

from halfsilver.harness.capture.compression import compression_of_name
from halfsilver.harness.capture.formats import (
    BYTE_ORDER_MAGIC,
    INTERFACE,
    MAX_RECORD,
    NANOSECONDS,
    OPTION_APPLICATION,
    OPTION_COMMENT,
    OPTION_TSRESOL,
    PACKET,
    PCAP_NANOSECONDS,
    PCAP_VERSION,
    SECTION,
)
from halfsilver.harness.capture.link import LINK_ETHERNET
from halfsilver.harness.errors import UsageError

__all__ = ["CaptureWriter", "PcapWriter", "PcapngWriter", "writer_class"]


class CaptureWriter(Protocol):
    """What both writers can do."""

    def write(self, data: bytes, timestamp: int, *comments: str) -> None:
        """Append one frame; ``timestamp`` in nanoseconds since 1970, from 0 to 2^64 - 1."""


class PcapngWriter:
    """Writes one pcapng section with one Ethernet interface whose clock counts nanoseconds.

    ``begins``: with the head of the file, else what follows on frames that are there.
    """

    def __init__(self, stream: BinaryIO, *, begins: bool = True) -> None:
        self._stream = stream
        if not begins:
            return
        self._block(
            SECTION, struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1) + _options((OPTION_APPLICATION, b"halfsilver"))
        )
        self._block(INTERFACE, struct.pack("<HHI", LINK_ETHERNET, 0, 0) + _options((OPTION_TSRESOL, b"\x09")))

    def write(self, data: bytes, timestamp: int, *comments: str) -> None:
        """Append one frame; ``timestamp`` in nanoseconds since 1970, from 0 to 2^64 - 1."""
        options = _options(*((OPTION_COMMENT, comment.encode()) for comment in comments)) if comments else b""
        head = struct.pack("<IIIII", 0, timestamp >> 32, timestamp & 0xFFFFFFFF, len(data), len(data))
        self._block(PACKET, head + _padded(data) + options)

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", len(body) + 12)
        self._stream.write(struct.pack("<I", kind) + length + body + length)


class PcapWriter:
    """Writes a pcap with nanoseconds. The format has no place for comments; they are left out.

    ``begins``: as of `PcapngWriter`.
    """

    def __init__(self, stream: BinaryIO, *, begins: bool = True) -> None:
        self._stream = stream
        if begins:
            stream.write(struct.pack("<IHHiIII", PCAP_NANOSECONDS, *PCAP_VERSION, 0, 0, MAX_RECORD, LINK_ETHERNET))

    def write(self, data: bytes, timestamp: int, *comments: str) -> None:
        """Append one frame. UsageError for a time that 32 bits of seconds cannot hold (after 2106)."""
        seconds, fraction = divmod(timestamp, NANOSECONDS)
        if seconds >> 32:
            raise UsageError(f"a pcap cannot hold the time {seconds} s, which is after 2106; write a .pcapng")
        self._stream.write(struct.pack("<IIII", seconds, fraction, len(data), len(data)) + data)


def writer_class(path: str) -> type[PcapWriter] | type[PcapngWriter]:
    """The writer of what a file's name says. UsageError for the name of another format.

    A name without an ending (``-``, a device, a pipe) is pcapng; that of a compressed file stands behind the format's.
    """
    kind = compression_of_name(path)
    ending = PurePath(path[: -len(kind.ending)] if kind else path).suffix
    if ending.lower() == ".pcap":
        return PcapWriter
    if ending.lower() == ".pcapng" or (ending == "" and kind is None):
        return PcapngWriter
    raise UsageError(
        f"{path}: captures are written as .pcapng or .pcap, which .gz or .zst may follow, not as "
        f"{PurePath(path).suffix}; give one of these names"
    )


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    """A pcapng option list with its end mark."""
    return b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in (*options, (0, b"")))
