"""One interface, several engines: golden model, Verilated gateware, later virtual and real boards.

An engine is configured with a policy and then judges batches of frames. ``process`` is batch-wise because
that is the one shape a Python model, a simulator and a board can all honour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import DEFAULT_FLAGS, Counters, Flags, Frame, Output, Tally
from halfsilver.harness.verdict import Direction, VerdictRecord

__all__ = ["Carrying", "Engine", "Identity", "Numbered", "Progress", "Result"]

Progress = Callable[[int, int], None]
"""Called now and then with (frames done, frames in the batch)."""


@dataclass
class Result:
    """``verdicts[i]`` belongs to frame i of the batch; ``outputs`` are in the order they left.

    ``cycles`` is the number of clock cycles the batch took, None where the engine has no clock. ``production`` are the
    frames of the batch that came out on the other side as they went in and in order, by the direction they came in;
    None where the engine carries none. ``noise``: frames of others that came on its wires, and are in nothing else.
    """

    outputs: list[Output]
    verdicts: list[VerdictRecord]
    counters: Counters
    cycles: int | None = None
    production: dict[Direction, Tally] | None = None
    noise: int = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers: ``name`` as on the command line, ``detail`` for people, ``parameters`` of the build."""

    name: str
    detail: str
    parameters: dict[str, int] = field(default_factory=dict)


class Engine(Protocol):
    """What every engine can do. Errors: ``halfsilver.harness.errors.HalfsilverError`` with the exit code it means."""

    def identify(self) -> Identity: ...

    def configure(self, policy: Policy, flags: Flags = DEFAULT_FLAGS) -> int:
        """Load a policy; returns its generation: 1 for the first, then ascending. Counters and sequences go on."""

    def process(self, frames: Sequence[Frame], progress: Progress | None = None) -> Result: ...

    def close(self) -> None: ...


@runtime_checkable
class Carrying(Protocol):
    """An engine that frames pass between the batches, too: a card, whose ports carry what others send."""

    def everything(self) -> Counters:
        """All that it has counted since its reset, of one moment, whoever sent it.

        RigError if it cannot be reached, or does no longer what it was configured to do, as after a reset;
        TransferDamaged, which is one, if only this reading came to nothing.
        """


@runtime_checkable
class Numbered(Protocol):
    """An engine with chance in it, which is another one for each batch and can be said to be that of any of them."""

    def number_batch(self, number: int) -> None:
        """The number of the next batch, from 0."""
