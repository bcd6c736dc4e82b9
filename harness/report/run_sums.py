"""The sums of a run: how many frames met which fate, and the numbers of the first few.

Whatever tells of a run afterwards, tables, hints or a page, takes it from here. Memory grows with the fates there are,
which a policy bounds, and not with the frames.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from halfsilver.harness.verdict import Direction, Service, Verdict, VerdictRecord

__all__ = ["EXAMPLES", "Fate", "FateSum", "RunSums"]

_Key = TypeVar("_Key", bound=Hashable)

EXAMPLES = 5
"""Frames of each fate that are remembered by their number."""


class Fate(NamedTuple):
    """What a verdict record says of a frame but for its lengths; indices as there (``docs/mirroring.md`` section 8)."""

    verdict: Verdict
    direction: Direction
    eni: int | None
    session: int | None
    rule: int | None
    service: Service

    @classmethod
    def of(cls, record: VerdictRecord) -> Fate:
        return cls(record.verdict, record.direction, record.eni, record.session, record.rule, record.service)


@dataclass(slots=True)
class FateSum:
    """Frames, their bytes, the bytes copied of them, and the numbers (from 1) of the first few in order."""

    frames: int = 0
    octets: int = 0
    copied: int = 0
    examples: list[int] = field(default_factory=list)

    def count(self, number: int, record: VerdictRecord) -> None:
        """One frame more."""
        self.frames += 1
        self.octets += record.length
        self.copied += record.copied
        if len(self.examples) < EXAMPLES:
            self.examples.append(number)

    def add(self, other: FateSum) -> None:
        """Take in what was summed up elsewhere."""
        self.frames += other.frames
        self.octets += other.octets
        self.copied += other.copied
        self.examples = sorted([*self.examples, *other.examples])[:EXAMPLES]


@dataclass
class RunSums:
    """All frames of a run by their fate; ``frames`` is how many there were."""

    frames: int = 0
    fates: dict[Fate, FateSum] = field(default_factory=dict)

    def add(self, records: Iterable[VerdictRecord]) -> None:
        """Take in the records of the frames that came next, in the order of the run."""
        for record in records:
            self.frames += 1
            fate = Fate.of(record)
            found = self.fates.get(fate)
            if found is None:
                found = self.fates[fate] = FateSum()
            found.count(self.frames, record)

    def take_in(self, other: RunSums) -> None:
        """The sums of the frames that came next, numbered from 1 there."""
        for fate, part in other.fates.items():
            examples = [self.frames + number for number in part.examples]
            self.fates.setdefault(fate, FateSum()).add(replace(part, examples=examples))
        self.frames += other.frames

    def by(self, key: Callable[[Fate], _Key]) -> dict[_Key, FateSum]:
        """The sums of fates that ``key`` takes for one, such as ``by(lambda fate: fate.verdict)``; in order of keys'
        first frames."""
        sums: dict[_Key, FateSum] = {}
        for fate, part in self.fates.items():
            sums.setdefault(key(fate), FateSum()).add(part)
        return sums

    @property
    def total(self) -> FateSum:
        """All frames as one sum."""
        return self.by(lambda fate: None).get(None, FateSum())
