"""The minutes in the store as series: one per session, in periods of one or more minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from halfsilver.harness.control.metrics.book import MINUTE, minute_of
from halfsilver.harness.control.state.store import Transaction
from halfsilver.harness.records import METRICS

__all__ = ["KEPT", "Point", "series"]

KEPT = timedelta(days=15)
"""How long a minute is kept: as long as CloudWatch keeps those of one minute."""


@dataclass(frozen=True, slots=True)
class Point:
    """One period: its start, and its sums by AWS's name of the metric (``METRICS``)."""

    at: datetime
    counts: Mapping[str, int]


def series(
    transaction: Transaction, start: datetime, end: datetime, *, account: str | None = None, period: int = MINUTE
) -> dict[str, list[Point]]:
    """By session id, the periods from ``start`` that began before ``end``, in order; only those that have data.

    account   only sessions of this account's interfaces
    period    seconds, a multiple of 60; ValueError for another

    A minute is there when it has ended, and is kept for ``KEPT``. A session that mirrored nothing has zeros, as long as
    an engine had it.
    """
    if period < MINUTE or period % MINUTE:
        raise ValueError(f"a period of {period} seconds: it must be a multiple of {MINUTE}")
    first = minute_of(start)
    found: dict[str, dict[int, Counter[str]]] = {}
    for each in transaction.minutes.find(first, int(end.timestamp()), account):
        at = first + (each.minute - first) // period * period
        sums = found.setdefault(each.session, {}).setdefault(at, Counter(dict.fromkeys(METRICS, 0)))
        for name, count in each.counts.items():
            sums[name] += count
    return {
        session: [Point(datetime.fromtimestamp(at, UTC), dict(sums)) for at, sums in sorted(periods.items())]
        for session, periods in found.items()
    }
