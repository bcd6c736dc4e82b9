"""What has been mirrored: totals of sessions and rules, renewed while one looks, and the last hour minute by minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from halfsilver.harness.console.places import PATH
from halfsilver.harness.console.visit import Visit, page
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.metrics.history import Point
from halfsilver.harness.records import Tally
from halfsilver.harness.report.page.charts import Chart, stacked

__all__ = ["LIVE", "charts_of", "may_count"]

LIVE = f"{PATH}/counters/live"
"""Below it is what a page asks for again and again by itself; that does not count as use of a sign-in."""
SPAN = timedelta(hours=1)
_ACTION = "GetMetricData"
_LEGEND = {"copies": "mirrored", "LOST": "left out for want of room"}
_WAYS = ("ingress", "egress")


@dataclass(slots=True)
class SessionCount:
    """A session since the server began: copies and those left out, by direction; its rules with frames and bytes."""

    session: Any
    interface: str
    copies: dict[str, Tally] = field(default_factory=dict)
    skipped: dict[str, Tally] = field(default_factory=dict)
    rules: list[tuple[str, str, Tally]] = field(default_factory=list)


def may_count(visit: Visit) -> None:
    """ApiError unless the user's policies allow what CloudWatch would be asked for."""
    visit.control.permit(visit.beside(_ACTION, "cloudwatch"), f"cloudwatch:{_ACTION}")


@page("GET", "/counters")
def show_counters(visit: Visit) -> Response:
    may_count(visit)
    charts = list(charts_of(visit))
    return visit.show("counters.html", charts=charts, session_id="", counts=list(_counts(visit)), ways=_WAYS)


@page("GET", "/counters/live")
def renew_counters(visit: Visit) -> Response:
    """The part of the page that changes all the time."""
    may_count(visit)
    return visit.show("counters_live.html", counts=list(_counts(visit)), ways=_WAYS)


@page("GET", "/counters/live/charts")
def renew_charts(visit: Visit) -> Response:
    """The charts of all sessions, or of one."""
    may_count(visit)
    session_id = visit.query.get("session")
    charts = list(charts_of(visit, session_id or None))
    return visit.show("charts_live.html", charts=charts, session_id=session_id)


def charts_of(visit: Visit, session_id: str | None = None) -> Iterator[Chart]:
    """Packets and bytes of the last hour, of one session or of all that are on this account's interfaces."""
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    found = visit.control.history(end - SPAN, end, visit.caller.account, visit.region)
    points = [point for each in found if session_id in (None, each) for point in found[each]]
    for name, title, unit in (("NetworkPackets", "Packets", "packets"), ("Network", "Bytes", "bytes")):
        bars = list(_bars(points, name, end))
        yield stacked(unit, f"{title} mirrored", f"{unit} a minute", _LEGEND, bars)


def _bars(points: Sequence[Point], name: str, end: datetime) -> Iterator[tuple[str, dict[str, int]]]:
    """A bar for each minute, those without data too."""
    sums: dict[datetime, Counter[str]] = {}
    for point in points:
        minute = sums.setdefault(point.at, Counter())
        for style, word in (("copies", "Mirror"), ("LOST", "SkipMirror")):
            minute[style] += sum(point.counts[f"{name}{word}{way}"] for way in ("In", "Out"))
    for back in range(int(SPAN.total_seconds()) // 60, 0, -1):
        at = end - timedelta(minutes=back)
        yield f"{at:%H:%M}", dict(sums.get(at, {}))


def _counts(visit: Visit) -> Iterator[SessionCount]:
    """Of this account's sessions that the NIC carries: none in another region than its own."""
    if visit.region:
        return
    account, totals = visit.caller.account, visit.control.totals()
    for interface in visit.control.status(account)["interfaces"]:
        for session in interface["sessions"]:
            if session["owner"] != account:
                continue
            place = interface["id"], session["id"]
            yield SessionCount(
                session,
                interface["id"],
                {way: totals.sessions.get((way, *place), Tally()) for way in _WAYS},
                {way: totals.skipped.get((way, *place), Tally()) for way in _WAYS},
                [(way, rule, tally) for (way, *of, rule), tally in sorted(totals.rules.items()) if (*of,) == place],
            )
