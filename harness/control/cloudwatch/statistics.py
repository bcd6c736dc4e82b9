"""Samples of a minute put together to periods: sum, average, least, largest and number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from halfsilver.harness.control.metrics.book import MINUTE

__all__ = ["STATISTICS", "Datapoint", "datapoints"]

STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
"""Those that are kept. Percentiles and the other extended ones would need every sample of a minute."""


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One period; ``start`` is its first second since 1970."""

    start: int
    count: int
    total: int
    least: int
    largest: int

    def value(self, statistic: str) -> float:
        """One of ``STATISTICS``."""
        return {
            "SampleCount": float(self.count),
            "Average": self.total / self.count,
            "Sum": float(self.total),
            "Minimum": float(self.least),
            "Maximum": float(self.largest),
        }[statistic]


def datapoints(samples: Iterable[tuple[int, int]], start: int, period: int = MINUTE) -> list[Datapoint]:
    """Those periods from ``start`` on that have samples, in order; samples are (minute, value)."""
    periods: dict[int, list[int]] = {}
    for minute, value in samples:
        periods.setdefault(start + (minute - start) // period * period, []).append(value)
    return [Datapoint(at, len(values), sum(values), min(values), max(values)) for at, values in sorted(periods.items())]
