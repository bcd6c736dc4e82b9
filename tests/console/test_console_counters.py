"""The charts of the console, from the minutes of the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from halfsilver.harness.console.counters import charts_of
from halfsilver.harness.control.metrics.history import Point
from halfsilver.harness.records import METRICS


def charts(history: dict[str, list[Point]], session: str | None = None) -> list[Any]:
    def asked(start: datetime, end: datetime, account: str, region: str) -> dict[str, list[Point]]:
        assert (account, region) == ("111122223333", "eu-west-1") and end - start == timedelta(hours=1)
        return history

    caller = SimpleNamespace(account="111122223333")
    visit: Any = SimpleNamespace(control=SimpleNamespace(history=asked), caller=caller, region="eu-west-1")
    return list(charts_of(visit, session))


def test_a_bar_is_a_minute_of_all_sessions_or_of_one():
    last = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=2)
    counts = {name: place for place, name in enumerate(METRICS, 1)}
    history = {
        "tms-1": [Point(last, counts)],
        "tms-2": [Point(last - timedelta(minutes=1), counts), Point(last, counts)],
    }
    packets, octets = charts(history)
    assert (len(packets.columns), packets.title, octets.title) == (60, "Packets mirrored", "Bytes mirrored")
    names = ("Packets", "PacketsSkip"), ("", "Skip")
    for chart, (sent, skipped) in zip((packets, octets), names, strict=True):
        one = tuple(counts[f"Network{kind}MirrorIn"] + counts[f"Network{kind}MirrorOut"] for kind in (sent, skipped))
        bars = {column.label: column.amounts for column in chart.columns if any(column.amounts)}
        assert bars == {f"{last - timedelta(minutes=1):%H:%M}": one, f"{last:%H:%M}": tuple(2 * each for each in one)}
    alone, _ = charts(history, "tms-1")
    assert sum(any(column.amounts) for column in alone.columns) == 1


def test_without_minutes_the_bars_are_empty():
    packets, _ = charts({})
    assert len(packets.columns) == 60 and packets.top == 0
