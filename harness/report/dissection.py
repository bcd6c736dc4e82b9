"""A frame field by field, as rows for people."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from halfsilver.harness.report.header_fields import fields_of

__all__ = ["Row", "dissect", "meaning", "names"]


@dataclass(frozen=True, slots=True)
class Row:
    """A field: its header (``outer IPv4``), name and first byte; the bytes expected and there, None where that frame
    does not have it; ``compared`` as the mask says, ``differs`` only where it is."""

    header: str
    field: str
    start: int
    expected: bytes | None
    actual: bytes | None
    compared: bool
    differs: bool

    def __post_init__(self) -> None:
        assert self.expected is not None or self.actual is not None


def dissect(frame: bytes) -> list[Row]:
    """The fields of one frame."""
    return [
        Row(*names(field.name), field.start, None, frame[field.start : field.end], False, False)
        for field in fields_of(frame)
    ]


def meaning(row: Row, data: bytes) -> str:
    """The bytes as people write them: addresses, small numbers; nothing for payload."""
    if row.field.endswith("MAC"):
        return data.hex(":")
    if row.field.endswith("address") and len(data) in (4, 16):
        return str(IPv4Address(data) if len(data) == 4 else IPv6Address(data))
    return str(int.from_bytes(data)) if 0 < len(data) <= 4 and "payload" not in row.field else ""


def names(name: str) -> tuple[str, str]:
    """``outer IPv4`` and ``time to live``."""
    words = name.split()
    head = 2 if words[0] in ("outer", "inner") else 1
    return " ".join(words[:head]), " ".join(words[head:]) or words[-1]
