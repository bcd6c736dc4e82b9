"""Who talked most and was not mirrored, and why: addresses and reason, with bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

from halfsilver.harness.report.dissection import dissect, meaning
from halfsilver.harness.report.run_sums import Fate, FateSum
from halfsilver.harness.verdict import VerdictRecord

__all__ = ["KEPT", "Talker", "Talkers", "endpoints"]

KEPT = 4096
"""Talkers held at a time; beyond, the smaller half is summed up as others."""
NETWORKS = ("IPv4", "outer IPv4", "IPv6", "outer IPv6")


@dataclass(frozen=True, slots=True)
class Talker:
    """From where to where, and what became of it. Addresses are those of IP, else those of Ethernet."""

    source: str
    destination: str
    fate: Fate


class Talkers:
    """Sums by talker; ``others`` are those that were too many to hold, so that nothing is missing from the whole."""

    def __init__(self) -> None:
        self.others = FateSum()
        self._sums: dict[Talker, FateSum] = {}

    def add(self, frame: bytes, number: int, record: VerdictRecord) -> None:
        talker = Talker(*endpoints(frame), Fate.of(record))
        self._sums.setdefault(talker, FateSum()).add(FateSum(1, record.length, record.copied, [number]))
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


def endpoints(frame: bytes) -> tuple[str, str]:
    """Source and destination of a frame's outermost IP header, or of Ethernet; ``?`` where the frame ends before."""
    words = {(row.header, row.field): meaning(row, row.actual or b"") for row in dissect(frame)}
    for header in NETWORKS:
        if (header, "destination address") in words:
            return words[header, "source address"], words[header, "destination address"]
    mac = {field: word for (header, field), word in words.items() if header.endswith("Ethernet")}
    return mac.get("source MAC", "?"), mac.get("destination MAC", "?")
