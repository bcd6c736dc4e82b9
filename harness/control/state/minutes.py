"""What sessions have mirrored and skipped, and endpoints were sent, minute by minute: the part of the store that is not
made by clients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, bindparam, func, insert, select, update

from halfsilver.harness.control.state.tables import endpoint_minutes, minutes
from halfsilver.harness.records import METRICS

__all__ = ["EndpointMinute", "Minute", "Minutes"]

_TABLE = minutes.c
_KEY = (_TABLE.minute == bindparam("of_minute"), _TABLE.session == bindparam("of_session"))
_ADD = update(minutes).where(*_KEY).values({name: _TABLE[name] + bindparam(f"more_{name}") for name in METRICS})
_INSERT = insert(minutes)
_ENDPOINTS = endpoint_minutes.c
_ADD_TO_ENDPOINT = (
    update(endpoint_minutes)
    .where(_ENDPOINTS.minute == bindparam("of_minute"), _ENDPOINTS.endpoint == bindparam("of_endpoint"))
    .values(bytes=_ENDPOINTS.bytes + bindparam("more"))
)
_FORGET = [
    sqlalchemy.delete(table).where(table.c.minute < bindparam("before")) for table in (minutes, endpoint_minutes)
]


@dataclass(frozen=True, slots=True)
class Minute:
    """One session in one minute.

    minute    its first second, since 1970
    account   the interface's owner
    counts    by AWS's name of the metric (``METRICS``)
    """

    minute: int
    session: str
    interface: str
    instance: str
    account: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EndpointMinute:
    """One Gateway Load Balancer endpoint in one minute, and bytes of what it was sent; ``account`` is its owner."""

    minute: int
    endpoint: str
    account: str
    octets: int


class Minutes:
    """The rows of one transaction; ``check_writable`` raises where that one may only read.

    ``empty``: there is nothing to find, as in a region that mirrors nothing.
    """

    def __init__(self, connection: Connection, check_writable: Callable[[], None], *, empty: bool = False) -> None:
        self._connection = connection
        self._empty = empty
        self._check_writable = check_writable

    def add(self, found: Iterable[Minute]) -> None:
        """Add to what is there of the same minute and session: before a restart, or by another server."""
        self._check_writable()
        for each in found:
            more = {f"more_{name}": count for name, count in each.counts.items()}
            key = {"of_minute": each.minute, "of_session": each.session}
            if self._connection.execute(_ADD, {**key, **more}).rowcount:
                continue
            row = {
                "minute": each.minute,
                "session": each.session,
                "interface": each.interface,
                "instance": each.instance,
                "account": each.account,
            }
            self._connection.execute(_INSERT, {**row, **each.counts})

    def forget(self, before: int) -> None:
        """Minutes that began before this second are no longer kept."""
        self._check_writable()
        for forget in _FORGET:
            self._connection.execute(forget, {"before": before})

    def add_endpoints(self, found: Iterable[EndpointMinute]) -> None:
        """Add to what is there of the same minute and endpoint."""
        self._check_writable()
        for each in found:
            more = {"of_minute": each.minute, "of_endpoint": each.endpoint, "more": each.octets}
            if not self._connection.execute(_ADD_TO_ENDPOINT, more).rowcount:
                row = {"minute": each.minute, "endpoint": each.endpoint, "account": each.account, "bytes": each.octets}
                self._connection.execute(insert(endpoint_minutes), row)

    def of_endpoint(self, endpoint: str, start: int, end: int, account: str) -> list[tuple[int, int]]:
        """(minute, bytes) of an account's endpoint, in order of time; only minutes in which something was sent."""
        if self._empty:
            return []
        span = (_ENDPOINTS.minute >= start, _ENDPOINTS.minute < end)
        asked = select(_ENDPOINTS.minute, _ENDPOINTS.bytes).where(
            *span, _ENDPOINTS.account == account, _ENDPOINTS.endpoint == endpoint
        )
        return [(int(at), int(octets)) for at, octets in self._connection.execute(asked.order_by(_ENDPOINTS.minute))]

    def endpoints(self, account: str, since: int) -> list[str]:
        """Those of an account that were sent something since then, in order."""
        if self._empty:
            return []
        asked = select(_ENDPOINTS.endpoint).where(_ENDPOINTS.account == account, _ENDPOINTS.minute >= since)
        return sorted(self._connection.execute(asked.distinct()).scalars())

    def find(self, start: int, end: int, account: str | None = None) -> list[Minute]:
        """All that began from ``start`` on and before ``end``, in order of time; of one account or of all."""
        asked = select(minutes).where(*self._span(start, end)).order_by(_TABLE.minute, _TABLE.session)
        if account is not None:
            asked = asked.where(_TABLE.account == account)
        return [
            Minute(
                row.minute,
                row.session,
                row.interface,
                row.instance,
                row.account,
                {name: getattr(row, name) for name in METRICS},
            )
            for row in self._connection.execute(asked)
        ]

    def sums(
        self, metric: str, start: int, end: int, account: str, instances: Iterable[str] | None
    ) -> list[tuple[int, int]]:
        """One sample for each minute and instance: (minute, value), in order of time; None: of all instances."""
        asked: sqlalchemy.Select[Any] = select(_TABLE.minute, func.sum(_TABLE[metric])).where(
            *self._span(start, end), _TABLE.account == account
        )
        if instances is not None:
            asked = asked.where(_TABLE.instance.in_(sorted(instances)))
        asked = asked.group_by(_TABLE.minute, _TABLE.instance).order_by(_TABLE.minute)
        return [(int(minute), int(value)) for minute, value in self._connection.execute(asked)]

    def instances(self, account: str, since: int) -> list[str]:
        """Those that have samples since then, in order."""
        asked = select(_TABLE.instance).where(_TABLE.account == account, *self._span(since, None)).distinct()
        return sorted(self._connection.execute(asked).scalars())

    def _span(self, start: int, end: int | None) -> list[sqlalchemy.ColumnElement[bool]]:
        found = [_TABLE.minute >= start] + ([] if end is None else [_TABLE.minute < end])
        return [sqlalchemy.false()] if self._empty else found
