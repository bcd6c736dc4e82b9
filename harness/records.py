"""Plain records that golden model, driver and engines hand each other: frames, settings, copies, counters."""

from __future__ import annotations

from dataclasses import dataclass, field

from halfsilver.harness.verdict import Direction, Verdict

__all__ = ["DEFAULT_FLAGS", "Counters", "Flags", "Frame", "Output", "Tally"]


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

    def add(self, octets: int) -> None:
        self.frames += 1
        self.octets += octets


@dataclass
class Counters:
    """Totals since the engine was opened (``docs/mirroring.md`` section 9); only those that are not zero."""

    verdicts: dict[tuple[Direction, Verdict], Tally] = field(default_factory=dict)
    sessions: dict[tuple[int, int], Tally] = field(default_factory=dict)
    rules: dict[tuple[Direction, int, int, int], Tally] = field(default_factory=dict)
