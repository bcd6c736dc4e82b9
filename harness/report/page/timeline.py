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
        self.first = time if self.first is None else min(time, self.first)
        self.last = time if self.last is None else max(time, self.last)
        while self.last // self._width - self.first // self._width >= SPANS:
            self._width *= 10
            self._spans = _joined(self._spans, 10)
        self._spans.setdefault(time // self._width, Counter())[name] += amount

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
