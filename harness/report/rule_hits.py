"""What each rule of a policy decided in a run; which ones no frame met, and which ones none can meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from halfsilver.harness.policy.lint import covers
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.policy.types import Interface, Rule, Session
from halfsilver.harness.report.run_sums import FateSum, RunSums
from halfsilver.harness.verdict import Direction

__all__ = ["RuleHits", "rule_hits"]


@dataclass(frozen=True, slots=True)
class RuleHits:
    """A rule in its place, and the frames whose verdict names it.

    ``shadowed_by`` is an earlier rule that matches all frames of this one. A frame that one session rejects and a later
    one accepts names the rule that accepts it, alone (``docs/mirroring.md`` section 5).
    """

    interface: Interface
    session: Session
    direction: Direction
    rule: Rule
    hits: FateSum
    shadowed_by: Rule | None


def rule_hits(policy: Policy, sums: RunSums) -> Iterator[RuleHits]:
    """Every rule of every session, in the order in which they are tried."""
    met = sums.by(lambda fate: (fate.eni, fate.session, fate.direction, fate.rule))
    for eni, interface in enumerate(policy.interfaces):
        for index, session in enumerate(interface.sessions):
            for direction, rules in ((Direction.INGRESS, session.ingress), (Direction.EGRESS, session.egress)):
                for number, rule in enumerate(rules):
                    earlier = next((each for each in rules[:number] if covers(each, rule)), None)
                    hits = met.get((eni, index, direction, number), FateSum())
                    yield RuleHits(interface, session, direction, rule, hits, earlier)
