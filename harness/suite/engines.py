"""Engines of a run of tests: each is opened once, given one policy after the other, and closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from halfsilver.harness.bench.recording import Recorder
from halfsilver.harness.engine import Engine, Identity, Result
from halfsilver.harness.engines.registry import EngineEntry, entry_of, make_engine
from halfsilver.harness.errors import CapacityExceeded
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Flags, Frame
from halfsilver.harness.verdict import Direction

__all__ = ["EngineUnderTest", "Engines", "MakeEngine", "recorded"]

MakeEngine = Callable[[str, int], Engine]


def _make(name: str, seed: int) -> Engine:
    return make_engine(name, seed=seed)


@contextmanager
def recorded(path: str | None) -> Iterator[MakeEngine]:
    """What makes engines; all that goes to and from a card is written to ``path``, where that is given.

    RecordingIncomplete, behind the run, if the file took not all of it.
    """
    if path is None:
        yield _make
        return
    recorder = Recorder(path)
    yield lambda name, seed: make_engine(name, seed=seed, recorder=recorder)
    recorder.close()


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
        first policy then has; CapacityExceeded if that has none either, and of a card, which stays what it is."""
        if self._engine is not None:
            try:
                self.generation = self._engine.configure(policy, flags)
                return
            except CapacityExceeded:
                if self.entry.wired:
                    raise
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
