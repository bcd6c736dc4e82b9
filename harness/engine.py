"""One interface, several engines: golden model, Verilated gateware, later virtual and real boards.

An engine is configured with a policy and then judges batches of frames. ``process`` is batch-wise because
that is the one shape a Python model, a simulator and a board can all honour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord

__all__ = ["Counters", "Engine", "Flags", "Frame", "Identity", "Output", "Progress", "Result", "Tally"]

Progress = Callable[[int, int], None]
"""Called now and then with (frames done, frames in the batch)."""


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


@dataclass
class Result:
    """``verdicts[i]`` belongs to frame i of the batch; ``outputs`` are in the order they left.

    ``cycles`` is the number of clock cycles the batch took, None where the engine has no clock.
    """

    outputs: list[Output]
    verdicts: list[VerdictRecord]
    counters: Counters
    cycles: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers: ``name`` as on the command line, ``detail`` for people, ``parameters`` of the build."""

    name: str
    detail: str
    parameters: dict[str, int] = field(default_factory=dict)


class Engine(Protocol):
    """What every engine can do. Errors: ``halfsilver.harness.errors.HalfsilverError`` with the exit code it means."""

    def identify(self) -> Identity: ...

    def configure(self, policy: Policy, flags: Flags = Flags()) -> int:
        """Load a policy; returns its generation: 1 for the first, then ascending. Counters and sequences go on."""

    def process(self, frames: Sequence[Frame], progress: Progress | None = None) -> Result: ...

    def close(self) -> None: ...
