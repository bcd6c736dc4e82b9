"""A frame opened layer by layer, as a page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from halfsilver.harness.report.dissection import Row, dissect, meaning

__all__ = ["SHOWN", "Layer", "Line", "layers_of"]

SHOWN = 64
"""Bytes of a field that are shown; a payload has more."""


@dataclass(frozen=True, slots=True)
class Line:
    """A field: its first byte in the frame, its name, its bytes in hexadecimal and as people write them."""

    start: int
    field: str
    octets: str
    words: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A header: name, length in bytes, from where to where if it says so, and its fields."""

    name: str
    length: int
    way: str
    lines: tuple[Line, ...]


def layers_of(frame: bytes) -> list[Layer]:
    """The headers of a frame, outermost first."""
    return [_layer(name, list(rows)) for name, rows in groupby(dissect(frame), lambda row: row.header)]


def _layer(name: str, rows: list[Row]) -> Layer:
    lines = tuple(_line(row, row.actual or b"") for row in rows)
    words = {line.field: line.words for line in lines}
    ways = ((f"source {what}", f"destination {what}") for what in ("MAC", "address", "port"))
    way = next((f"{words[one]} → {words[other]}" for one, other in ways if one in words and other in words), "")
    return Layer(name, sum(len(row.actual or b"") for row in rows), way, lines)


def _line(row: Row, data: bytes) -> Line:
    more = f" … and {len(data) - SHOWN:,} more" if len(data) > SHOWN else ""
    return Line(row.start, row.field, data[:SHOWN].hex(" ") + more, meaning(row, data))
