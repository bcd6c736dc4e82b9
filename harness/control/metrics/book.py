"""What the engine has counted since the server began, by the ids of sessions and rules.

An engine's counters have indices, which mean something else after a change of the policy, and they begin anew with a
new engine. So each reading is held against the one before, under the policy that judged, and only the difference is
taken: a total never goes back, and no minute has a negative sum. A card's counters go on while the server comes and
goes: of what it had counted before the first reading nothing is taken.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from halfsilver.harness.law import OUTER_IPV4, OUTER_IPV6
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.types import Interface, Session
from halfsilver.harness.records import METRICS, Counters, Port, Tally
from halfsilver.harness.verdict import Direction, Service, VerdictRecord

__all__ = ["MINUTE", "Book", "Clock", "EndpointKey", "SessionKey", "Totals", "minute_of", "utc_now"]

Clock = Callable[[], datetime]
"""The time, with its zone."""
SessionKey = tuple[str, str]
"""Ids of the interface and of the session."""
EndpointKey = tuple[str, str]
"""Ids of a Gateway Load Balancer endpoint and of the session that sends to it."""

MINUTE = 60
"""Seconds."""

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")
_Reading = dict[tuple[object, ...], tuple[int, int]]
"""Frames and bytes by table and index."""


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def minute_of(moment: datetime) -> int:
    """The first second of the minute, since 1970."""
    return int(moment.timestamp()) // MINUTE * MINUTE


@dataclass
class Totals:
    """Frames and bytes since the server began; keys have the direction, "ingress" or "egress", first, but for ports.

    verdicts  by verdict
    sessions  copies, by interface, session
    skipped   copies left out for want of room, by interface, session
    rules     by interface, session, rule
    services  frames that no rule sees, by what they are: arp, dhcp ...; of those alone that the server has sent
    ports     production and copies by port, and whether they were marked "bad" or are "good"
    engines   how often an engine was opened
    """

    verdicts: dict[tuple[str, str], Tally] = field(default_factory=dict)
    sessions: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    skipped: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    rules: dict[tuple[str, str, str, str], Tally] = field(default_factory=dict)
    services: dict[tuple[str, str], Tally] = field(default_factory=dict)
    ports: dict[tuple[str, str], Tally] = field(default_factory=dict)
    engines: int = 0


class Book:
    """Totals, and the minutes that have not been taken yet. Threads may share it."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._before: _Reading | None = None
        self._totals = Totals()
        self._minutes: dict[tuple[int, SessionKey], Counter[str]] = {}
        self._endpoints: Counter[tuple[int, EndpointKey]] = Counter()

    def opened(self, *, goes_on: bool = False) -> None:
        """There is a new engine, whose counters begin at zero; or ``goes_on``, as a card's do that was there before."""
        with self._lock:
            if not goes_on:
                self._before = {}
            self._totals.engines += 1

    def forget(self) -> None:
        """The last reading is not believed: the next one is where counting goes on from."""
        with self._lock:
            self._before = None

    def went_back(self, counters: Counters) -> bool:
        """Whether any counter is less than it was, as after a reset."""
        with self._lock:
            return _went_back(self._before or {}, _flat(counters))

    def absorb(
        self,
        counters: Counters,
        policies: Sequence[Policy],
        records: Sequence[VerdictRecord] = (),
        at: datetime | None = None,
    ) -> None:
        """Take what has been added to the counters since the last reading.

        policies  those that have judged since then, the oldest first: an index is the oldest one's that has it
        records   of the frames that the server has sent
        at        into whose minute it goes; None: now
        """
        with self._lock:
            reading = _flat(counters)
            before = reading if self._before is None else self._before
            if _went_back(before, reading):
                before = {}  # the engine has begun anew by itself
            minute = minute_of(at or self.clock())
            for key, (frames, octets) in reading.items():
                frames_before, octets_before = before.get(key, (0, 0))
                if frames != frames_before:
                    self._enter(key, Tally(frames - frames_before, octets - octets_before), policies, minute)
            self._before = reading
            for record in records:
                if record.service is not Service.NONE:
                    _add(self._totals.services, (str(record.direction), str(record.service)), Tally(1, record.length))

    def totals(self) -> Totals:
        """A copy."""
        with self._lock:
            totals = self._totals
            return Totals(
                _copy(totals.verdicts),
                _copy(totals.sessions),
                _copy(totals.skipped),
                _copy(totals.rules),
                _copy(totals.services),
                _copy(totals.ports),
                totals.engines,
            )

    def take(self, before: int | None = None) -> dict[tuple[int, SessionKey], Counter[str]]:
        """The sums of the minutes that began before this second, by AWS's names; None: of all. They are given once."""
        with self._lock:
            return _taken(self._minutes, before)

    def take_endpoints(self, before: int | None = None) -> dict[tuple[int, EndpointKey], int]:
        """The same of endpoints: bytes of the copies sent to them, outer IP, UDP and VXLAN headers included."""
        with self._lock:
            return _taken(self._endpoints, before)

    def _enter(self, key: tuple[object, ...], more: Tally, policies: Sequence[Policy], minute: int) -> None:
        table, direction, *indices = key
        if table == "ports":
            assert isinstance(direction, Port)
            _add(self._totals.ports, (str(direction), "bad" if indices[0] else "good"), more)
            return
        assert isinstance(direction, Direction)
        way = str(direction)
        if table == "verdicts":
            _add(self._totals.verdicts, (way, str(indices[0])), more)
            return
        places = (_place(policy, direction, *map(_index, indices)) for policy in policies)
        found = next((each for each in places if each is not None), None)
        if found is None:
            return  # of sessions that were the card's before it was ours
        interface, session, rule = found
        place = (way, interface.eni_id, session.session_id)
        if table == "rules":
            _add(self._totals.rules, (*place, rule), more)
            return
        skipped = table == "skipped"
        _add(self._totals.skipped if skipped else self._totals.sessions, place, more)
        outer = session.outer
        if outer is not None and outer.endpoint_id is not None and not skipped:
            headers = OUTER_IPV4 if outer.source.version == 4 else OUTER_IPV6
            self._endpoints[minute, (outer.endpoint_id, session.session_id)] += more.octets + more.frames * headers
        names = f"{'Skip' if skipped else ''}Mirror{'In' if direction is Direction.INGRESS else 'Out'}"
        sums = self._minutes.setdefault((minute, place[1:]), Counter(dict.fromkeys(METRICS, 0)))
        sums[f"Network{names}"] += more.octets
        sums[f"NetworkPackets{names}"] += more.frames


def _taken(table: dict[tuple[int, _Key], _Value], before: int | None) -> dict[tuple[int, _Key], _Value]:
    """What is of minutes before this one, and no longer in the table."""
    return {key: table.pop(key) for key in list(table) if before is None or key[0] < before}


def _place(
    policy: Policy, direction: Direction, eni: int, session: int, rule: int | None = None
) -> tuple[Interface, Session, str] | None:
    """Whose counter that is, and the rule's id, "" without a rule; None if the policy has nothing there."""
    try:
        interface = policy.interfaces[eni]
        found = interface.sessions[session]
        rules = found.ingress if direction is Direction.INGRESS else found.egress
        return interface, found, "" if rule is None else rules[rule].rule_id
    except IndexError:
        return None


def _flat(counters: Counters) -> _Reading:
    found: _Reading = {}
    tables: tuple[tuple[str, Mapping[Any, Tally]], ...] = (
        ("verdicts", counters.verdicts),
        ("sessions", counters.sessions),
        ("skipped", counters.skipped),
        ("rules", counters.rules),
        ("ports", counters.ports),
    )
    for name, tallies in tables:
        found.update(((name, *key), (tally.frames, tally.octets)) for key, tally in tallies.items())
    return found


def _went_back(before: _Reading, reading: _Reading) -> bool:
    """Whether any number is smaller than it was."""
    return any(
        new < old for key, each in before.items() for old, new in zip(each, reading.get(key, (0, 0)), strict=True)
    )


def _index(value: object) -> int:
    assert isinstance(value, int)
    return value


def _add(table: dict[_Key, Tally], key: _Key, more: Tally) -> None:
    tally = table.setdefault(key, Tally())
    tally.frames += more.frames
    tally.octets += more.octets


def _copy(table: dict[_Key, Tally]) -> dict[_Key, Tally]:
    return {key: Tally(tally.frames, tally.octets) for key, tally in table.items()}
