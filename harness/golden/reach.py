"""Which rules of a policy frames reach: how often each decided, was tried in vain, or came too late."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from halfsilver.harness.golden.model import Trace
from halfsilver.harness.golden.select import RuleTest
from halfsilver.harness.policy.lint import covers
from halfsilver.harness.policy.policy import Interface, Rule, Session
from halfsilver.harness.policy.types import Filter
from halfsilver.harness.verdict import Direction

__all__ = ["Reach", "RuleReach", "Standing"]


class Standing(enum.StrEnum):
    """What frames made of a rule."""

    HIT = "hit"
    SHADOWED = "shadowed"
    UNMATCHED = "never matched"
    UNREACHED = "never reached"


@dataclass(slots=True)
class RuleReach:
    """A rule, and the frames that it decided (``hits``), that it was tried on in vain (``misses``), and that it would
    have matched but for another rule, by that rule's id (``taken``).

    ``covered_by`` is an earlier rule of the list that matches all its frames, whatever they are.
    """

    filter_id: str
    direction: Direction
    rule: Rule
    covered_by: str | None = None
    hits: int = 0
    misses: int = 0
    taken: Counter[str] = field(default_factory=Counter)

    @property
    def evaluated(self) -> int:
        """Frames that it was tried on."""
        return self.hits + self.misses

    @property
    def standing(self) -> Standing:
        if self.hits:
            return Standing.HIT
        if self.taken or self.covered_by is not None:
            return Standing.SHADOWED
        return Standing.UNMATCHED if self.misses else Standing.UNREACHED

    @property
    def shadows(self) -> list[str]:
        """Ids of the rules that are in its way, the one that took most first."""
        found = [rule_id for rule_id, _ in self.taken.most_common()]
        return found or ([] if self.covered_by is None else [self.covered_by])


class Reach:
    """All rules of ``filters``, summed up over the traces it is given.

    A rule is one whichever session uses its filter. What no session's search came to, because an earlier rule had
    decided, was not tried; whether it would have matched is looked up all the same.
    """

    def __init__(self, filters: Iterable[Filter]) -> None:
        self.frames = 0
        self._lists: dict[tuple[str, Direction], list[RuleReach]] = {}
        self._tests: dict[tuple[str, Direction], list[RuleTest]] = {}
        for each in filters:
            for direction, rules in ((Direction.INGRESS, each.ingress), (Direction.EGRESS, each.egress)):
                key = each.filter_id, direction
                self._lists[key] = [
                    RuleReach(each.filter_id, direction, rule, _cover(rules[:place], rule))
                    for place, rule in enumerate(rules)
                ]
                self._tests[key] = [RuleTest(rule) for rule in rules]

    @property
    def rules(self) -> list[RuleReach]:
        """In order of filters, directions and rule numbers."""
        return [rule for rules in self._lists.values() for rule in rules]

    def add(self, trace: Trace) -> None:
        """Take in the judgement on one frame."""
        self.frames += 1
        if trace.interface is None or not trace.walk:
            return
        interface, direction = trace.interface, trace.record.direction
        winner: str | None = None
        for walk in trace.walk:
            rules = self._of(interface, walk.session, direction)
            for rule, mismatch in zip(rules, walk.tests, strict=False):
                if mismatch is None:
                    rule.hits += 1
                    winner = rule.rule.rule_id
                else:
                    rule.misses += 1
            if walk.matched is not None and winner is not None:
                self._late(trace, interface.sessions[walk.session], len(walk.tests), winner)
        for session in interface.sessions[len(trace.walk) :]:
            if winner is not None:
                self._late(trace, session, 0, winner)

    def _late(self, trace: Trace, session: Session, first: int, winner: str) -> None:
        """The rules from ``first`` on were not tried, as ``winner`` had decided; note those that would have matched."""
        key = session.filter_id, trace.record.direction
        for rule, test in zip(self._lists[key][first:], self._tests[key][first:], strict=True):
            if test.mismatch(trace.headers) is None:
                rule.taken[winner] += 1

    def _of(self, interface: Interface, session: int, direction: Direction) -> list[RuleReach]:
        return self._lists[interface.sessions[session].filter_id, direction]


def _cover(earlier: Sequence[Rule], rule: Rule) -> str | None:
    return next((each.rule_id for each in earlier if covers(each, rule)), None)
