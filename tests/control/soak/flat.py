"""Is what a server keeps flat? Its memory, descriptors, threads, log and files against the requests it has answered.

A leak is so much per request, whatever else comes and goes; so what is judged is a slope. It is robust twice: within a
stretch of a life it is the median of the slopes between all pairs of samples (Theil and Sen), which some peaks do not
move; and of all stretches of all lives the median is taken, which a step does not move, such as a cache that is filled
once, or a heap that grows for a burst.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

from halfsilver.harness.speed.client import Memory

SAMPLES_OF_LIFE = 240


@dataclass(frozen=True, slots=True)
class Figure:
    """bound      how much more there may be for each request
    least      how much more there must be in all, or nothing is said: below, it is what comes and goes
    stretches  of a life behind its beginning: more of them for what grows in steps, fewer for what is a small number
    """

    bound: float
    least: float
    stretches: int


FIGURES: Mapping[str, Figure] = {
    "memory": Figure(2_000, 10_000_000, 6),
    "descriptors": Figure(0.002, 5, 1),
    "threads": Figure(0.002, 5, 1),
    "log": Figure(100, 1_000_000, 1),
    "files": Figure(0.002, 5, 1),
}
"""Bytes of memory, descriptors, threads, bytes of write-ahead log, and files, temporary ones included."""


@dataclass(frozen=True, slots=True)
class Sample:
    """requests  answered in this life so far
    figures   by the names of ``FIGURES``
    """

    requests: int
    figures: Mapping[str, float]


class Watch:
    """Samples of one life, taken in a thread until ``close``.

    folders  that the server writes to
    every    seconds between two samples
    """

    def __init__(self, process: int, folders: Sequence[Path], answered: Callable[[], int], every: float) -> None:
        self.samples: list[Sample] = []
        self._process, self._folders, self._answered = process, folders, answered
        self._memory, self._before = Memory(process), answered()
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> list[Sample]:
        self._stop.set()
        self._thread.join()
        return self.samples

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.samples.append(Sample(self._answered() - self._before, self._figures()))

    def _figures(self) -> dict[str, float]:
        process = Path(f"/proc/{self._process}")
        files = [each for folder in self._folders for each in folder.rglob("*")]
        return {
            "memory": self._memory.now(),
            "descriptors": count(process / "fd"),
            "threads": count(process / "task"),
            "log": sum(_size(each) for each in files if each.name.endswith("-wal")),
            "files": len(files),
        }


def count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):  # it has just gone
        return path.stat().st_size
    return 0


def slope(points: Iterable[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs of points whose first members differ; 0 without any."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    return median(slopes) if slopes else 0.0


def stretches(samples: Sequence[Sample], number: int) -> list[Sequence[Sample]]:
    """A life behind its first third, in which caches are filled and threads begun."""
    rest = samples[len(samples) // 3 :]
    size = len(rest) // number
    return [rest[size * each : size * (each + 1)] for each in range(number)]


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one figure, over the requests of all lives behind their beginnings."""

    figure: Figure
    each: float
    requests: int

    @property
    def is_leak(self) -> bool:
        return self.each > self.figure.bound and self.each * self.requests > self.figure.least


def growth(lives: Sequence[Sequence[Sample]], name: str) -> Growth:
    """By the median of all stretches of all lives, each weighing as much as it has requests."""
    figure = FIGURES[name]
    found = [
        (slope((each.requests, each.figures[name]) for each in stretch), stretch[-1].requests - stretch[0].requests)
        for life in lives
        for stretch in stretches(life, figure.stretches)
        if stretch
    ]
    return Growth(figure, _middle(found), sum(requests for _, requests in found))


def _middle(weighted: Sequence[tuple[float, int]]) -> float:
    """The value that has half of the weight on either side; 0 where there is none."""
    half, below = sum(weight for _, weight in weighted) / 2, 0
    for value, weight in sorted(weighted):
        below += weight
        if weight and below >= half:
            return value
    return 0.0
