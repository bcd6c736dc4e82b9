"""Which objects an operation is about: what IAM's policies are asked of, declared with each operation.

Source: Service Authorization Reference, "Actions, resources, and condition keys" of Amazon EC2, AWS RAM and Amazon
CloudWatch.
"""

from __future__ import annotations

from dataclasses import dataclass

from halfsilver.harness.control.state.record import Kind

__all__ = [
    "ALARM",
    "ALARMS",
    "FILTER",
    "FILTER_OF_RULE",
    "INVITATION",
    "NAMED",
    "RULE",
    "SESSION",
    "SHARE",
    "TAGGED_ALARM",
    "TAGGED_SHARE",
    "TARGET",
    "Given",
    "New",
    "Resource",
]


@dataclass(frozen=True, slots=True)
class Given:
    """A resource that a parameter names.

    kind      of its record; None for any that can have tags
    optional  checked only if the parameter is there; otherwise a request without it is about all of this kind
    owner     what is checked is the object that the named one belongs to: the filter of a rule
    instead   another parameter that names it if the first does not
    """

    kind: Kind | None
    parameter: str
    optional: bool = False
    owner: Kind | None = None
    instead: str = ""


@dataclass(frozen=True, slots=True)
class New:
    """The resource that the operation makes."""

    kind: Kind


Resource = Given | New

FILTER = Given(Kind.FILTER, "TrafficMirrorFilterId")
RULE = Given(Kind.RULE, "TrafficMirrorFilterRuleId")
FILTER_OF_RULE = Given(Kind.RULE, "TrafficMirrorFilterRuleId", owner=Kind.FILTER)
SESSION = Given(Kind.SESSION, "TrafficMirrorSessionId")
TARGET = Given(Kind.TARGET, "TrafficMirrorTargetId")
NAMED = Given(None, "Resources")
SHARE = Given(Kind.RESOURCE_SHARE, "resourceShareArn")
TAGGED_SHARE = Given(Kind.RESOURCE_SHARE, "resourceShareArn", instead="resourceArn")
INVITATION = Given(Kind.SHARE_INVITATION, "resourceShareInvitationArn")
ALARM = Given(Kind.ALARM, "AlarmName")
ALARMS = Given(Kind.ALARM, "AlarmNames")
TAGGED_ALARM = Given(Kind.ALARM, "ResourceARN")
