"""A role's trust policy: who may assume it.

Source: IAM User Guide, "AWS JSON policy elements: Principal" and "Policy evaluation logic": a principal of the role's
account that the policy names itself needs no more; where it names an account, that account's own policies decide as
well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from halfsilver.harness.control.iam.conditions import Condition
from halfsilver.harness.control.iam.patterns import Pattern, PolicyError, RequestContext
from halfsilver.harness.control.iam.policies import (
    action_of,
    condition_of,
    effect_of,
    members_of,
    statements_of,
    texts_of,
)
from halfsilver.harness.control.operations.call import Caller

__all__ = ["Admission", "TrustPolicy", "load_trust_policy"]

_PRINCIPALS = {"AWS", "CanonicalUser", "Federated", "Service"}
_AWS = re.compile(
    r"\*|[0-9]{12}|arn:[\w-]+:iam::[0-9]{12}:(root|(user|role)/[\w+=,.@/-]+)"
    r"|arn:[\w-]+:sts::[0-9]{12}:assumed-role/[\w+=,.@/-]+",
    re.ASCII,
)
_ACCOUNT = re.compile(r"(?:arn:[\w-]+:iam::)?([0-9]{12})(?::root)?", re.ASCII)


class Admission(IntEnum):
    """What a trust policy says of a caller; a higher one is stronger."""

    NONE = 0
    ACCOUNT = 1
    """The caller's account is trusted."""
    SELF = 2
    """The caller itself is."""
    DENIED = 3


@dataclass(frozen=True, slots=True)
class _Statement:
    """``principals`` are those of AWS; who signs with an access key is never a service or federated."""

    allow: bool
    principals: tuple[str, ...]
    actions: tuple[Pattern, ...]
    condition: Condition


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """A trust policy as loaded."""

    statements: tuple[_Statement, ...]

    def admits(self, caller: Caller, action: str, context: RequestContext) -> Admission:
        """What it says of an action (in lower case) of the caller."""
        said = [Admission.NONE]
        for each in self.statements:
            named = _named(each.principals, caller)
            if named and any(one.matches(action, context) for one in each.actions) and each.condition.holds(context):
                said.append(named if each.allow else Admission.DENIED)
        return max(said)


def load_trust_policy(document: object, where: str) -> TrustPolicy:
    """Check a trust policy (JSON, read) and prepare it. PolicyError names the statement and the key."""
    return TrustPolicy(tuple(_statement(*each) for each in statements_of(document, where)))


def _statement(document: object, variables: bool, where: str) -> _Statement:
    members = members_of(document, where, {"Sid", "Effect", "Principal", "Action", "Condition"})
    allow = effect_of(members, where)
    actions = texts_of(members.get("Action"), f"{where}.Action")
    return _Statement(
        allow,
        _principals(members.get("Principal"), f"{where}.Principal"),
        tuple(action_of(text, f"{where}.Action") for text in actions),
        condition_of(members, variables, where),
    )


def _principals(written: object, where: str) -> tuple[str, ...]:
    if written == "*":
        return ("*",)
    members = members_of(written, where, _PRINCIPALS)
    for kind, values in members.items():
        texts_of(values, f"{where}.{kind}")
    found = texts_of(members["AWS"], f"{where}.AWS") if "AWS" in members else []
    for each in found:
        if not _AWS.fullmatch(each):
            raise PolicyError(
                f"{where}.AWS: {each!r} is no principal: an account's twelve digits, the ARN of its root, of a user, a "
                "role or an assumed role, or *"
            )
    return tuple(found)


def _named(principals: Sequence[str], caller: Caller) -> Admission:
    """Whether principals have the caller itself or its account among them."""
    if any(each in ("*", caller.arn, caller.principal) for each in principals):
        return Admission.SELF
    accounts = [_ACCOUNT.fullmatch(each) for each in principals]
    if any(each is not None and each.group(1) == caller.account for each in accounts):
        return Admission.ACCOUNT
    return Admission.NONE
