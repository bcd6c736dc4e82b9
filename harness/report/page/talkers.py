"""Who talked most and was not mirrored, and why: addresses and reason, with bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from halfsilver.harness.report.header_fields import fields_of
from halfsilver.harness.report.run_sums import Fate, FateSum
from halfsilver.harness.verdict import VerdictRecord

__all__ = ["KEPT", "Talker", "Talkers", "endpoints", "in_words"]

KEPT = 4096
"""Talkers held at a time; beyond, the smaller half is summed up as others."""
SOURCES = ("IPv4 source address", "IPv6 source address")
DESTINATIONS = ("IPv4 destination address", "IPv6 destination address")


@dataclass(frozen=True, slots=True)
class Talker:
    """From where to where, and what became of it. Addresses are those of IP, else those of Ethernet."""

    source: bytes
    destination: bytes
    fate: Fate


class Talkers:
    """Sums by talker; ``others`` are those that were too many to hold, so that nothing is missing from the whole."""

    def __init__(self) -> None:
        self.others = FateSum()
        self._sums: dict[Talker, FateSum] = {}

    def add(self, frame: bytes, number: int, record: VerdictRecord) -> None:
        talker = Talker(*endpoints(frame), Fate.of(record))
        part = self._sums.setdefault(talker, FateSum())
        part.count(number, record)
        self._bound()

    def take_in(self, other: Talkers) -> None:
        """Those of other frames of the run."""
        self.others.add(other.others)
        for talker, part in other._sums.items():
            self._sums.setdefault(talker, FateSum()).add(part)
        self._bound()

    def _bound(self) -> None:
        if len(self._sums) > KEPT:
            ranked = self._ranked()
            self._sums = dict(ranked[: KEPT // 2])
            for _, part in ranked[KEPT // 2 :]:
                self.others.add(part)

    def top(self, count: int) -> tuple[list[tuple[Talker, FateSum]], FateSum]:
        """Those with most bytes, and the sum of all others."""
        ranked = self._ranked()
        others = FateSum()
        for part in (self.others, *(part for _, part in ranked[count:])):
            others.add(part)
        return ranked[:count], others

    def _ranked(self) -> list[tuple[Talker, FateSum]]:
        return sorted(self._sums.items(), key=lambda item: -item[1].octets)


def endpoints(frame: bytes) -> tuple[bytes, bytes]:
    """Source and destination of a frame's outermost IP header, or of Ethernet, as far as they are there."""
    source = None
    for field in fields_of(frame):
        if field.name.endswith(SOURCES):
            source = frame[field.start : field.end]
        elif source is not None and field.name.endswith(DESTINATIONS):
            return source, frame[field.start : field.end]
    return frame[6:12], frame[:6]


def in_words(address: bytes) -> str:
    """An address of IP or of Ethernet as people write it."""
    if len(address) in (4, 16):
        return str(IPv4Address(address) if len(address) == 4 else IPv6Address(address))
    return address.hex(":") or "?"
