"""``halfsilver diff``: are two captures the same, and if not, where is the first difference?"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.commands.common import NothingRan, Subparsers, plural
from halfsilver.harness.commands.frames import report_damage
from halfsilver.harness.errors import EXIT_MISMATCH, EXIT_OK, UsageError
from halfsilver.harness.report.header_fields import field_at

__all__ = ["add", "run"]


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "diff",
        help="compare two captures",
        description="Compare two captures packet by packet; exit code 1 if they differ.",
    )
    parser.add_argument("first", metavar="A", help="capture, pcap or pcapng; - is standard input")
    parser.add_argument("second", metavar="B", help="capture, pcap or pcapng; - is standard input")
    parser.add_argument("--ignore-timestamps", action="store_true", help="compare the bytes only")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class _Difference:
    """The first difference: packet (from 1), what differs, both values; for bytes, their offset and field."""

    packet: int
    what: str
    first: str
    second: str
    offset: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        where = f"first difference: packet {self.packet}"
        if self.offset is not None:
            return f"{where}, byte {self.offset}, {self.field}: {self.first} and {self.second}"
        return f"{where}, {self.what}: {self.first} and {self.second}"


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 if the captures are the same, 1 if not or if one is damaged.

    NothingRan if both are empty.
    """
    if arguments.first == arguments.second == "-":
        raise UsageError("only one of the two captures can be standard input")
    counts = [0, 0]
    differing = 0
    first_difference: _Difference | None = None
    with open_capture(arguments.first) as one, open_capture(arguments.second) as two:
        for packet, (left, right) in enumerate(zip_longest(one, two), 1):
            counts[0] += left is not None
            counts[1] += right is not None
            difference = _compare(packet, left, right, arguments.ignore_timestamps)
            if difference is not None:
                differing += 1
                first_difference = first_difference or difference
        damaged = [report_damage(reader) for reader in (one, two)]
    if not any(counts) and not any(damaged):
        raise NothingRan(f"{one.name} and {two.name}: both hold no packet, nothing was compared")
    if arguments.json:
        print(json.dumps(_to_json(counts, differing, first_difference), indent=2))
    else:
        print(f"{one.name}: {plural(counts[0], 'packet')}\n{two.name}: {plural(counts[1], 'packet')}")
        print(f"different: {plural(differing, 'packet')}\n{first_difference}" if differing else "the same")
    return EXIT_MISMATCH if differing or any(damaged) else EXIT_OK


def _compare(
    packet: int, left: CapturedFrame | None, right: CapturedFrame | None, ignore_timestamps: bool
) -> _Difference | None:
    if left is None or right is None:
        one, two = ("absent" if frame is None else f"{len(frame.data)} bytes" for frame in (left, right))
        return _Difference(packet, "presence", one, two)
    if left.data != right.data:
        return _compare_bytes(packet, left.data, right.data)
    if left.original_length != right.original_length:
        return _Difference(packet, "length on the wire", str(left.original_length), str(right.original_length))
    if left.timestamp != right.timestamp and not ignore_timestamps:
        return _Difference(packet, "timestamp", _seconds(left.timestamp), _seconds(right.timestamp))
    return None


def _compare_bytes(packet: int, left: bytes, right: bytes) -> _Difference:
    common = min(len(left), len(right))
    offset = next((at for at in range(common) if left[at] != right[at]), common)
    field = field_at(left if len(left) >= len(right) else right, offset)
    if offset < common:
        return _Difference(packet, "bytes", f"{left[offset]:#04x}", f"{right[offset]:#04x}", offset, field)
    return _Difference(packet, "bytes", f"{len(left)} bytes", f"{len(right)} bytes", offset, field)


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09d}"


def _to_json(counts: list[int], differing: int, first: _Difference | None) -> dict[str, Any]:
    return {
        "same": differing == 0,
        "packets": counts,
        "differing": differing,
        "first_difference": None
        if first is None
        else {
            "packet": first.packet,
            "what": first.what,
            "offset": first.offset,
            "field": first.field,
            "values": [first.first, first.second],
        },
    }
