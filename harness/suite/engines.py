"""Engines of a run of tests: each is opened once, given one policy after the other, and closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from halfsilver.harness.engine import Engine, Identity, Result
from halfsilver.harness.engines.registry import EngineEntry, entry_of, make_engine
from halfsilver.harness.errors import CapacityExceeded
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Flags, Frame
from halfsilver.harness.verdict import Direction

__all__ = ["EngineUnderTest", "Engines", "MakeEngine"]

MakeEngine = Callable[[str, int], Engine]


def _make(name: str, seed: int) -> Engine:
    return make_engine(name, seed=seed)


class EngineUnderTest:
    """One engine, by its name in the registry, for many tests.

    ``generation``: of the policy in force, 0 before the first. ``counters``: what the engine last said; they are totals
    since it was opened. ``sequences``: by direction, the number that the next frame's record must have.
    """

    def __init__(self, name: str, seed: int, make: MakeEngine = _make) -> None:
        self.name = name
        self.entry: EngineEntry = entry_of(name)
        self.seed = seed
        self._make = make
        self._engine: Engine | None = None
        self._forget()

    def configure(self, policy: Policy, flags: Flags) -> None:
        """Put a policy in force. An engine that has no room for it is opened anew, as one whose build follows from its
        first policy then has; CapacityExceeded if that has none either."""
        if self._engine is not None:
            try:
                self.generation = self._engine.configure(policy, flags)
                return
            except CapacityExceeded:
                self.close()
        self._engine = self._make(self.name, self.seed)
        self.generation = self._engine.configure(policy, flags)

    def process(self, frames: Sequence[Frame]) -> Result:
        """Judge frames in order; ``configure`` comes before."""
        assert self._engine is not None, "an engine without a policy"
        result = self._engine.process(frames)
        self.counters = result.counters
        for record in result.verdicts:
            self.sequences[record.direction] = (record.sequence + 1) & 0xFFFFFFFF
        return result

    def identify(self) -> Identity | None:
        """Who answers; None while it is closed."""
        return None if self._engine is None else self._engine.identify()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
        self._engine = None
        self._forget()

    def _forget(self) -> None:
        self.generation = 0
        self.counters = Counters()
        self.sequences = dict.fromkeys(Direction, 0)


@dataclass
class Engines:
    """The engines of a run, by name; ``met`` says of each that was opened who it was, as it was known last."""

    seed: int
    make: MakeEngine = _make
    met: dict[str, Identity] = field(default_factory=dict)
    _open: dict[str, EngineUnderTest] = field(default_factory=dict)

    def get(self, name: str) -> EngineUnderTest:
        """The engine of this name; UsageError if there is none."""
        if name not in self._open:
            self._open[name] = EngineUnderTest(name, self.seed, self.make)
        return self._open[name]

    def note(self) -> None:
        """Remember who the open engines are."""
        for name, engine in self._open.items():
            identity = engine.identify()
            if identity is not None:
                self.met[name] = identity

    def close(self) -> None:
        self.note()
        for engine in self._open.values():
            engine.close()
        self._open.clear()
