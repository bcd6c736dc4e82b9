"""Why a copy is there, in a few words: the comment that it has in a pcapng."""

from __future__ import annotations

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.report.verdict_lines import names_of
from halfsilver.harness.verdict import Service, VerdictRecord

__all__ = ["copy_comment"]


def copy_comment(record: VerdictRecord, policy: Policy) -> str:
    """``mirrored by rule 20, session 1, 128 of 804 bytes``: numbers as the policy has them."""
    names = names_of(policy, record.direction, record.eni, record.session, record.rule)
    if record.service is not Service.NONE:
        by = f"network service {record.service}"
    else:
        by = f"rule {names.rule_number if names.rule_number is not None else names.rule}"
    return (
        f"{record.verdict} by {by}, session {_session_number(record, policy)}, {record.copied} of {record.length} bytes"
    )


def _session_number(record: VerdictRecord, policy: Policy) -> int | str:
    """The index behind a ``?`` where the policy has no such session, as only a faulty engine says."""
    try:
        return policy.interfaces[record.eni or 0].sessions[record.session or 0].number
    except IndexError:
        return f"?{record.session}"
