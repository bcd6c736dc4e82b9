"""Plain records that golden model, driver and engines hand each other: frames, settings, copies, counters."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord

__all__ = ["DEFAULT_FLAGS", "METRICS", "Counters", "Flags", "Frame", "Output", "Port", "Tally"]

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as on the wire, without FCS. ``bad``: flagged by the MAC; ``dropped``: by the security group."""

    data: bytes
    direction: Direction
    bad: bool = False
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Flags:
    """Run-time flags and settings of the data plane (``docs/mirroring.md`` sections 2, 5 and 7)."""

    tap: bool = False
    terminal_reject: bool = False
    source_port_base: int = 0xFF80
    source_port_mask: int = 0x7F


DEFAULT_FLAGS = Flags()


@dataclass(frozen=True, slots=True)
class Output:
    """A copy as it leaves: ``frame`` is the index (from 0) of the frame in the batch, ``data`` the outer frame."""

    frame: int
    data: bytes


@dataclass(slots=True)
class Tally:
    """Frames and bytes of one counter."""

    frames: int = 0
    octets: int = 0

    def add(self, octets: int, times: int = 1) -> None:
        self.frames += times
        self.octets += octets * times


class Port(enum.IntEnum):
    """Where frames are counted as they pass; the values are those of the NIC's counters."""

    NETWORK_IN = 0
    NETWORK_OUT = 1
    HOST_IN = 2
    HOST_OUT = 3
    COPIES_OUT = 4

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def direction(self) -> Direction | None:
        """Whose frames pass; None for the copies, which are of both."""
        if self is Port.COPIES_OUT:
            return None
        return Direction.INGRESS if self in (Port.NETWORK_IN, Port.HOST_OUT) else Direction.EGRESS

    @property
    def enters(self) -> bool:
        """Frames come in here; by the others they leave."""
        return self in (Port.NETWORK_IN, Port.HOST_IN)


_WAYS = {Direction.INGRESS: (Port.NETWORK_IN, Port.HOST_OUT), Direction.EGRESS: (Port.HOST_IN, Port.NETWORK_OUT)}

METRICS = (
    "NetworkMirrorIn",
    "NetworkMirrorOut",
    "NetworkPacketsMirrorIn",
    "NetworkPacketsMirrorOut",
    "NetworkSkipMirrorIn",
    "NetworkSkipMirrorOut",
    "NetworkPacketsSkipMirrorIn",
    "NetworkPacketsSkipMirrorOut",
)
"""AWS's metrics of Traffic Mirroring in CloudWatch (guide "Traffic Mirroring metrics and dimensions")."""


@dataclass
class Counters:
    """Totals since the engine was opened (``docs/mirroring.md`` section 9); only those that are not zero.

    ``sessions`` and ``skipped``, by direction, ENI and session: copies sent, and those left out as ``congested``.
    ``ports``: frames that passed, by whether they were marked bad.
    """

    verdicts: dict[tuple[Direction, Verdict], Tally] = field(default_factory=dict)
    sessions: dict[tuple[Direction, int, int], Tally] = field(default_factory=dict)
    skipped: dict[tuple[Direction, int, int], Tally] = field(default_factory=dict)
    rules: dict[tuple[Direction, int, int, int], Tally] = field(default_factory=dict)
    ports: dict[tuple[Port, bool], Tally] = field(default_factory=dict)

    def count(
        self, record: VerdictRecord, copy: int = 0, *, bad: bool = False, stopped: bool = False, times: int = 1
    ) -> None:
        """One frame more, or with ``times`` -1 one less (``docs/mirroring.md`` section 9).

        ``copy`` are bytes of its copy with outer headers; ``bad``: marked by the MAC; ``stopped``: went no further.
        """
        self.count_alike(
            record, times, record.length * times, record.copied * times, copy * times, bad=bad, stopped=stopped
        )

    def count_alike(
        self, like: VerdictRecord, frames: int, length: int, copied: int, copy: int, *, bad: bool, stopped: bool
    ) -> None:
        """Frames of one fate: all of ``like`` is theirs but sequence, length and what was copied.

        ``length``, ``copied`` and ``copy`` (with outer headers) are bytes in all; ``bad``, ``stopped``: as of `count`.
        """
        way = like.direction
        octets = copied if like.verdict is Verdict.MIRRORED else length

        def add(table: dict[_Key, Tally], key: _Key, octets: int = octets) -> None:
            tally = table.setdefault(key, Tally())
            tally.frames += frames
            tally.octets += octets
            if not tally.frames:
                del table[key]

        add(self.verdicts, (way, like.verdict))
        for port in _WAYS[way][: 1 if stopped else 2]:
            add(self.ports, (port, bad), length)
        if like.verdict is Verdict.MIRRORED:
            add(self.ports, (Port.COPIES_OUT, False), copy)
        if like.eni is None or like.session is None:
            return
        if like.verdict is Verdict.MIRRORED:
            add(self.sessions, (way, like.eni, like.session))
        if like.verdict is Verdict.CONGESTED:
            add(self.skipped, (way, like.eni, like.session))
        if like.rule is not None:
            add(self.rules, (way, like.eni, like.session, like.rule))

    def add(self, other: Counters) -> None:
        """What another one has counted, too."""
        _merge(self.verdicts, other.verdicts)
        _merge(self.sessions, other.sessions)
        _merge(self.skipped, other.skipped)
        _merge(self.rules, other.rules)
        _merge(self.ports, other.ports)

    def since(self, before: Counters) -> Counters:
        """What was counted since there were those counters of ``before``."""
        return Counters(
            _less(self.verdicts, before.verdicts),
            _less(self.sessions, before.sessions),
            _less(self.skipped, before.skipped),
            _less(self.rules, before.rules),
            _less(self.ports, before.ports),
        )

    def metrics(self, eni: int) -> dict[str, int]:
        """AWS's eight sums for one interface, by name (``docs/mirroring.md`` section 9)."""
        sums = dict.fromkeys(METRICS, 0)
        for skip, table in (("", self.sessions), ("Skip", self.skipped)):
            for (direction, of, _), tally in table.items():
                if of == eni:
                    way = "In" if direction is Direction.INGRESS else "Out"
                    sums[f"Network{skip}Mirror{way}"] += tally.octets
                    sums[f"NetworkPackets{skip}Mirror{way}"] += tally.frames
        return sums

    def passed(self, port: Port) -> int:
        """Frames that passed a port, bad ones included."""
        return sum(tally.frames for (at, _), tally in self.ports.items() if at is port)


def _merge(table: dict[_Key, Tally], other: dict[_Key, Tally]) -> None:
    for key, tally in other.items():
        mine = table.setdefault(key, Tally())
        mine.frames += tally.frames
        mine.octets += tally.octets


def _less(table: dict[_Key, Tally], before: dict[_Key, Tally]) -> dict[_Key, Tally]:
    zero = Tally()
    less = {}
    for key, tally in table.items():
        was = before.get(key, zero)
        if tally != was:
            less[key] = Tally(tally.frames - was.frames, tally.octets - was.octets)
    return less
