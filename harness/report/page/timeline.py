"""Amounts over time, in spans that get longer as the run does: bounded, however long or large a capture is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

__all__ = ["BARS", "Bar", "Timeline"]

BARS = 100
"""Bars a chart has at most."""
SPANS = 10 * BARS
FINEST = 1_000
"""Shortest span, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A span of time: its start and width in nanoseconds, and what was summed up in it, by name."""

    start: int
    width: int
    amounts: Counter[str]


class Timeline:
    """Sums by time and name. Times are nanoseconds since 1970, in any order."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.last: int | None = None
        self._width = FINEST
        self._spans: dict[int, Counter[str]] = {}

    def add(self, time: int, name: str, amount: int) -> None:
        self._reach(time, time)
        self._spans.setdefault(time // self._width, Counter())[name] += amount

    def take_in(self, other: Timeline) -> None:
        """What was summed up of other frames of the run."""
        if other.first is None or other.last is None:
            return
        self._reach(other.first, other.last)
        self._widen(other._width)
        for place, amounts in _joined(other._spans, self._width // other._width).items():
            self._spans.setdefault(place, Counter()).update(amounts)

    def _reach(self, first: int, last: int) -> None:
        self.first = first if self.first is None else min(first, self.first)
        self.last = last if self.last is None else max(last, self.last)
        while self.last // self._width - self.first // self._width >= SPANS:
            self._widen(self._width * 10)

    def _widen(self, width: int) -> None:
        """Spans of this width, if they are shorter."""
        if width > self._width:
            self._spans = _joined(self._spans, width // self._width)
            self._width = width

    def bars(self) -> Iterator[Bar]:
        """The whole time without gaps, in at most ``BARS`` bars, whose width is 1, 2 or 5 times a power of ten."""
        if self.first is None or self.last is None:
            return
        steps = (step * 10**power for power in count() for step in (1, 2, 5))
        first, last = self.first // self._width, self.last // self._width
        step = next(step for step in steps if last // step - first // step < BARS)
        spans = _joined(self._spans, step)
        width = self._width * step
        for place in range(first // step, last // step + 1):
            yield Bar(place * width, width, spans.get(place, Counter()))


def _joined(spans: dict[int, Counter[str]], step: int) -> dict[int, Counter[str]]:
    joined: dict[int, Counter[str]] = {}
    for place, amounts in spans.items():
        joined.setdefault(place // step, Counter()).update(amounts)
    return joined
