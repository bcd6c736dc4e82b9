"""The verdicts in a sentence each, and in four groups, as a page draws them."""

from __future__ import annotations

import enum

from halfsilver.harness.verdict import Verdict

__all__ = ["Group", "MEANING", "group_of"]


class Group(enum.Enum):
    """Why a frame was copied or not, at a glance; the value is what the page calls it."""

    COPIED = "copied"
    FILTERED = "left out by the rules"
    EXEMPT = "decided before any rule"
    LOST = "due, but lost"


MEANING = {
    Verdict.MIRRORED: (Group.COPIED, "a session took it, and its copy left"),
    Verdict.MALFORMED: (Group.EXEMPT, "its headers are broken, or it is too short or too long"),
    Verdict.NO_ENI: (Group.EXEMPT, "it is no interface's frame"),
    Verdict.DROPPED: (Group.EXEMPT, "the security group or network ACL dropped it"),
    Verdict.NOT_ELIGIBLE: (Group.EXEMPT, "traffic of a service that is never mirrored"),
    Verdict.NO_SESSION: (Group.EXEMPT, "its interface has no session"),
    Verdict.NOT_IP: (Group.EXEMPT, "rules match IP packets only"),
    Verdict.REJECTED: (Group.FILTERED, "a rule rejected it, and no session accepted it"),
    Verdict.NO_MATCH: (Group.FILTERED, "no rule of any session matches"),
    Verdict.SAMPLED_OUT: (Group.FILTERED, "sampling left it out"),
    Verdict.RATE_LIMITED: (Group.LOST, "its session was over its rate"),
    Verdict.CONGESTED: (Group.LOST, "the copy found no room behind production frames"),
    Verdict.TARGET_DOWN: (Group.LOST, "a session took it, but its target cannot be reached"),
}
"""Group and sentence of each verdict (``docs/mirroring.md`` section 1)."""


def group_of(verdict: Verdict) -> Group:
    return MEANING[verdict][0]
