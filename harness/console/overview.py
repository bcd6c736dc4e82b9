"""The first page: engine, interfaces of the NIC, and how much there is of everything."""

from __future__ import annotations

from halfsilver.harness.console.visit import Visit, page
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError

__all__ = ["overview"]

_KINDS = (
    ("targets", "mirror targets", "DescribeTrafficMirrorTargets", "TrafficMirrorTargets"),
    ("filters", "mirror filters", "DescribeTrafficMirrorFilters", "TrafficMirrorFilters"),
    ("sessions", "mirror sessions", "DescribeTrafficMirrorSessions", "TrafficMirrorSessions"),
)


@page("GET", "/?")
def overview(visit: Visit) -> Response:
    counts = [(address, words, _count(visit, action, result)) for address, words, action, result in _KINDS]
    status = None if visit.region else visit.control.status(visit.caller.account)  # of the NIC, and where that is
    if status is not None and counts[-1][2] is None:
        status = {**status, "interfaces": None}  # with their sessions, which this user may not see
    return visit.show("overview.html", status_of=status, counts=counts)


def _count(visit: Visit, action: str, result: str) -> str | None:
    """How many there are, None where the user may not see them."""
    try:
        answer = visit.ask(action)
    except ApiError:
        return None
    return f"{len(answer[result]):,}{' and more' if 'NextToken' in answer else ''}"
