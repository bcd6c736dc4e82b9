"""The copy that is expected, with fields that are not compared, and where another one differs from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, SupportsBytes

from halfsilver.harness.errors import UsageError
from halfsilver.harness.report.header_fields import Field, fields_of
from halfsilver.harness.spelling import rather

__all__ = ["Differing", "FrameBytes", "Mask", "differences"]

FrameBytes = SupportsBytes | bytearray | memoryview
"""A frame as on the wire, without FCS: bytes, or a packet of scapy."""


class Mask:
    """An expected copy of which some fields are not compared.

    ``Mask(copy).ignore("outer UDP source port")``; the names are those that a difference is told with: ``outer``,
    ``VXLAN`` or ``inner``, the header and the field. Which fields there are is read from the expected copy.
    """

    def __init__(self, expected: FrameBytes) -> None:
        self.expected = bytes(expected)
        self._fields = fields_of(self.expected)
        self._ignored: set[int] = set()

    def ignore(self, *names: str) -> Self:
        """Do not compare these fields; UsageError for one that the copy does not have."""
        for name in names:
            found = [field for field in self._fields if field.name == name]
            if not found:
                known = [field.name for field in self._fields]
                raise UsageError(f"the expected copy has no field {name!r}; {rather(name, known)}")
            for field in found:
                self._ignored.update(range(field.start, field.end))
        return self

    def ignore_bytes(self, start: int, end: int) -> Self:
        """Do not compare the bytes from ``start`` up to, not including, ``end``."""
        if not 0 <= start < end <= len(self.expected):
            raise UsageError(f"bytes {start} to {end} are not in a copy of {len(self.expected)} bytes")
        self._ignored.update(range(start, end))
        return self

    def compares(self, offset: int) -> bool:
        """Whether the byte at this offset has to be as expected; beyond the end it has to."""
        return offset not in self._ignored


@dataclass(frozen=True, slots=True)
class Differing:
    """A field in which two frames differ, with its bytes in each."""

    field: Field
    expected: bytes
    actual: bytes

    def __str__(self) -> str:
        return f"{self.field.name} (byte {self.field.start}): expected {_hex(self.expected)}, got {_hex(self.actual)}"


def differences(mask: Mask, actual: bytes) -> list[Differing]:
    """The fields in which a copy is not as expected, in order; a length that differs is the last one."""
    found = []
    for field in fields_of(mask.expected):
        theirs, ours = mask.expected[field.start : field.end], actual[field.start : field.end]
        wrong = [at for at, (one, two) in enumerate(zip(theirs, ours, strict=False), field.start) if one != two]
        if any(map(mask.compares, wrong)):
            found.append(Differing(field, theirs, ours))
    if len(actual) != len(mask.expected):
        shorter = min(len(actual), len(mask.expected))
        end = Field(f"length of {len(mask.expected)} bytes, not {len(actual)}", shorter, len(mask.expected))
        found.append(Differing(end, mask.expected[shorter:], actual[shorter:]))
    return found


SHOWN = 24
"""Bytes of a field that a line shows; the page has all."""


def _hex(data: bytes) -> str:
    if not data:
        return "nothing"
    return data[:SHOWN].hex(" ") + (f" ... ({len(data)} bytes)" if len(data) > SHOWN else "")
