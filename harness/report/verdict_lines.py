"""Verdict lines: one JSON object per offered frame, with AWS ids where the record has indices."""

from __future__ import annotations

from dataclasses import dataclass

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.run_sums import Fate
from halfsilver.harness.verdict import Direction, Service, VerdictRecord

__all__ = ["Names", "VerdictLine", "names_of", "verdict_line", "why"]

VerdictLine = dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Names:
    """AWS ids of what a record or counter names by indices; None where it names none.

    An index that the policy does not have, as only a faulty engine reports, becomes ``?`` and the index.
    """

    eni: str | None = None
    session: str | None = None
    rule: str | None = None
    rule_number: int | None = None


def names_of(
    policy: Policy, direction: Direction, eni: int | None, session: int | None = None, rule: int | None = None
) -> Names:
    """The ids behind indices as a verdict record has them (``docs/mirroring.md`` section 8)."""
    eni_id, session_id, rule_id = (None if index is None else f"?{index}" for index in (eni, session, rule))
    number = None
    if eni is not None and eni < len(policy.interfaces):
        interface = policy.interfaces[eni]
        eni_id = interface.eni_id
        if session is not None and session < len(interface.sessions):
            of_session = interface.sessions[session]
            session_id = of_session.session_id
            rules = of_session.egress if direction is Direction.EGRESS else of_session.ingress
            if rule is not None and rule < len(rules):
                rule_id, number = rules[rule].rule_id, rules[rule].number
    return Names(eni_id, session_id, rule_id, number)


def verdict_line(record: VerdictRecord, frame: int, policy: Policy) -> VerdictLine:
    """The line for frame number ``frame`` (from 1); what the record does not name is None."""
    names = names_of(policy, record.direction, record.eni, record.session, record.rule)
    return {
        "frame": frame,
        "direction": str(record.direction),
        "eni": names.eni,
        "verdict": str(record.verdict),
        "service": None if record.service is Service.NONE else str(record.service),
        "session": names.session,
        "rule": names.rule,
        "rule_number": names.rule_number,
        "length": record.length,
        "copied": record.copied,
        "generation": record.generation,
    }


def why(policy: Policy, fate: Fate) -> str:
    """The verdict with what decided it: ``rejected, rule 10 (tmfr-...), session tms-...``."""
    names = names_of(policy, fate.direction, fate.eni, fate.session, fate.rule)
    parts = [str(fate.verdict)]
    if fate.service is not Service.NONE:
        parts.append(str(fate.service))
    if names.rule is not None:
        parts.append(f"rule {names.rule_number} ({names.rule})")
    if names.session is not None:
        parts.append(f"session {names.session}")
    return ", ".join(parts)
