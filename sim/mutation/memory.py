"""What the golden model said in a first run, for all later runs of the same traffic.

The traffic of the regression does not depend on the gateware, so the n-th question to the n-th golden model of a run
is the same in every run. A question that differs is an error, not an answer from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from halfsilver.harness.engine import Result
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.golden.model import Trace
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.sim.traffic import Situation

__all__ = ["Memory", "Remembered"]

_DEFAULTS = Flags()

Place = tuple[int, int]
"""Number of the engine in a run, number of the question to it."""


class Memory:
    """Answers by place, and traffic that is long to draw. ``rewind`` at the start of each run."""

    def __init__(self) -> None:
        self._drawn: dict[str, Sequence[Situation]] = {}
        self.answers: dict[Place, tuple[Any, Any]] = {}
        self._engines = 0

    def rewind(self) -> None:
        """The next engine is the first of a run."""
        self._engines = 0

    def drawn(self, name: str, make: Callable[[], Sequence[Situation]]) -> Sequence[Situation]:
        """What ``make`` gave the first time for this name."""
        if name not in self._drawn:
            self._drawn[name] = make()
        return self._drawn[name]

    def engine(self, golden: GoldenEngine) -> Remembered:
        """The next engine of the run, fresh like ``golden``."""
        self._engines += 1
        return Remembered(self, golden, self._engines)


class Remembered:
    """A golden engine that is only asked what it has not been asked before."""

    def __init__(self, memory: Memory, golden: GoldenEngine, number: int) -> None:
        self._memory, self._golden, self._number = memory, golden, number
        self._questions = 0

    def configure(self, policy: Policy, flags: Flags = _DEFAULTS) -> int:
        return int(self._ask(self._golden.configure, policy, flags))

    def process(self, frames: Sequence[Frame]) -> Result:
        result: Result = self._ask(self._golden.process, frames)
        return result

    def explain(self, frame: Frame) -> Trace:
        trace: Trace = self._ask(self._golden.explain, frame)
        return trace

    def _ask(self, method: Any, *question: Any) -> Any:
        self._questions += 1
        place = self._number, self._questions
        if place not in self._memory.answers:
            self._memory.answers[place] = question, method(*question)
        asked, answer = self._memory.answers[place]
        if asked != question:
            raise ValueError(f"question {self._questions} to golden model {self._number} is not that of the first run")
        return answer
