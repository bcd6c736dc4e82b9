"""Step 4: which session takes the frame, and by which rule (``docs/mirroring.md`` section 5).

Every test leaves a trace, so that the answer to "why" is the same computation as the answer itself.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple

from halfsilver.harness.golden.parse import Headers, Kind
from halfsilver.harness.policy.policy import Rule, Session
from halfsilver.harness.verdict import Direction

__all__ = ["Choice", "Mismatch", "RuleTest", "SessionTest", "SessionWalk", "choose", "dns_session"]


class Mismatch(enum.Enum):
    """The first field in which a frame and a rule differ, in the order they are compared."""

    FAMILY = "address family"
    SOURCE = "source"
    DESTINATION = "destination"
    PROTOCOL = "protocol"
    NO_PORTS = "no ports"
    SOURCE_PORT = "source port"
    DESTINATION_PORT = "destination port"


class RuleTest:
    """A rule with its networks as integers, ready to be compared with frames."""

    def __init__(self, rule: Rule) -> None:
        self.accept = rule.accept
        self.kind = Kind.IPV4 if rule.source.version == 4 else Kind.IPV6
        self.source, self.source_mask = int(rule.source.network_address), int(rule.source.netmask)
        self.destination, self.destination_mask = (int(rule.destination.network_address), int(rule.destination.netmask))
        self.protocol = rule.protocol
        self.source_ports = rule.source_ports
        self.destination_ports = rule.destination_ports

    def mismatch(self, headers: Headers) -> Mismatch | None:
        """The first field that differs; None if the rule matches."""
        if headers.kind is not self.kind:
            return Mismatch.FAMILY
        if headers.source & self.source_mask != self.source:
            return Mismatch.SOURCE
        if headers.destination & self.destination_mask != self.destination:
            return Mismatch.DESTINATION
        if self.protocol is not None and headers.protocol != self.protocol:
            return Mismatch.PROTOCOL
        if self.source_ports is None and self.destination_ports is None:
            return None
        if headers.ports is None:
            return Mismatch.NO_PORTS
        if self.source_ports and not self.source_ports[0] <= headers.ports[0] <= self.source_ports[1]:
            return Mismatch.SOURCE_PORT
        if self.destination_ports and not (self.destination_ports[0] <= headers.ports[1] <= self.destination_ports[1]):
            return Mismatch.DESTINATION_PORT
        return None


class SessionTest:
    """A session's filter, ready to be compared with frames."""

    def __init__(self, session: Session) -> None:
        self.amazon_dns = session.amazon_dns
        self.rules = {
            Direction.INGRESS: [RuleTest(rule) for rule in session.ingress],
            Direction.EGRESS: [RuleTest(rule) for rule in session.egress],
        }


class SessionWalk(NamedTuple):
    """What was tried in one session: a mismatch per rule in order; None (always last) is the match."""

    session: int
    tests: list[Mismatch | None]

    @property
    def matched(self) -> int | None:
        """Index of the rule that matched."""
        return len(self.tests) - 1 if self.tests and self.tests[-1] is None else None


class Choice(NamedTuple):
    """``session`` and ``rule`` that accepted the frame, else the first that rejected it, else None twice."""

    accepted: bool
    session: int | None
    rule: int | None
    walk: list[SessionWalk]


def choose(sessions: Sequence[SessionTest], headers: Headers, direction: Direction, terminal_reject: bool) -> Choice:
    """Try the sessions in order, in each its rules in order; a session's first matching rule decides."""
    rejected: tuple[int | None, int | None] = (None, None)
    walk: list[SessionWalk] = []
    for index, session in enumerate(sessions):
        tests: list[Mismatch | None] = []
        walk.append(SessionWalk(index, tests))
        for number, rule in enumerate(session.rules[direction]):
            mismatch = rule.mismatch(headers)
            tests.append(mismatch)
            if mismatch is not None:
                continue
            if rule.accept:
                return Choice(True, index, number, walk)
            if rejected == (None, None):
                rejected = (index, number)
            break
        if terminal_reject and rejected != (None, None):
            break
    return Choice(False, *rejected, walk)


def dns_session(sessions: Sequence[SessionTest]) -> int | None:
    """The first session whose filter mirrors Amazon DNS."""
    for index, session in enumerate(sessions):
        if session.amazon_dns:
            return index
    return None
