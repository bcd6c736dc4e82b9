"""One lot of a capture through an engine, beside the golden model: what any process of a run does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.lots import Found, Lot
from halfsilver.harness.capture.offered import Steps
from halfsilver.harness.capture.segment import Segmenter
from halfsilver.harness.capture.sources import frames_of
from halfsilver.harness.commands.common import DirectionChooser, open_engine, open_golden
from halfsilver.harness.engine import Engine, Numbered, Progress, Result
from halfsilver.harness.engines.registry import REFERENCE
from halfsilver.harness.errors import UsageError
from halfsilver.harness.policy.addresses import stations_of
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Counters, Flags, Frame
from halfsilver.harness.report.compare import compare
from halfsilver.harness.report.summary import RunTally
from halfsilver.hdl.layout.version import VERSION

__all__ = ["LotJudge", "Observer", "Part", "Run"]

Look = Callable[[Sequence[CapturedFrame], Result, int], Any]
"""Gets a batch of frames with their times, what the engine made of them, and the number of the first; gives what an
observer takes of it, which can go to another process."""


class Observer(NamedTuple):
    """Sees the batches of a run: ``look`` where they are judged; ``take`` gets what that gave, in order."""

    look: Look
    take: Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Part:
    """What was made of a lot. ``looks``: of each observer; none if nobody can tell whose a record is."""

    tally: RunTally
    found: Sequence[Found]
    segmenter: Segmenter
    looks: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What a run asks of every process that judges for it. ``steps`` are what frames go through first."""

    policy: Policy
    flags: Flags
    engine: str
    seed: int
    full_rate: bool
    width: int
    direction: str
    steps: Steps
    looks: tuple[Look, ...]
    version: str = VERSION

    def open(self) -> LotJudge:
        """A judge with an engine of its own. UsageError where another version of this program is."""
        if self.version != VERSION:
            raise UsageError(
                f"a worker has version {VERSION} of halfsilver, not {self.version}; install the same there"
            )
        engine = open_engine(self.engine, self.policy, self.flags, self.seed, self.full_rate, width=self.width)
        return LotJudge(self, engine)


class LotJudge:
    """Judges lots by an engine, which ends with it."""

    def __init__(self, run: Run, engine: Engine, progress: Progress | None = None) -> None:
        self._run = run
        self._progress = progress
        self._engine = engine
        self._alone = _Alone(engine)
        compared = run.engine != REFERENCE
        self._golden = _Alone(open_golden(run.policy, run.flags, engine.identify())) if compared else None
        self._choose = DirectionChooser(run.direction, run.policy)
        self._stations = stations_of(run.policy)

    def count(self, lot: Lot) -> int:
        """Read a lot; how many frames are to be offered."""
        steps = self._run.steps.anew()
        frames, found = frames_of(lot, self._stations)
        self._batch = [offered for frame in frames for offered in steps.take(frame)]
        self._read = found, steps.segmenter
        return len(self._batch)

    def judge(self, number: int, first: int) -> Part:
        """What is made of the lot just read."""
        batch, tally, looks = self._batch, RunTally(), []
        if batch:
            frames = [self._choose.frame(captured) for captured in batch]
            if isinstance(self._engine, Numbered):
                self._engine.number_batch(number)
            result = self._alone.process(frames, self._progress)
            differences = (
                []
                if self._golden is None
                else compare(self._golden.process(frames), result, first_frame=first, congestion=self._run.full_rate)
            )
            tally.add([frame.direction for frame in frames], result, differences)
            if len(result.verdicts) == len(frames):  # else the differences say so, and nobody can tell whose
                looks = [look(batch, result, first) for look in self._run.looks]
        found, segmenter = self._read
        return Part(tally, found, segmenter, looks)

    def close(self) -> None:
        self._engine.close()


class _Alone:
    """An engine whose counters are of each batch alone, as none knows how many others there are beside it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._before = Counters()

    def process(self, frames: Sequence[Frame], progress: Progress | None = None) -> Result:
        result = self._engine.process(frames, progress)
        before, self._before = self._before, result.counters
        return replace(result, counters=result.counters.since(before))
