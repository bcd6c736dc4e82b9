"""IAM policies: read, checked, and asked whether a user may do something to a resource.

    policy = load_policy({"Version": "2012-10-17", "Statement": {...}}, "policy view of user ann")
    Policies((policy,)).decide("ec2:DescribeTrafficMirrorFilters", "*", {"aws:username": ("ann",)})

Sources: IAM User Guide, "IAM JSON policy element reference", "Policy evaluation logic" and "Permissions boundaries for
IAM entities". A Deny that applies is final; otherwise the identity's policies must allow, and so must its permissions
boundary if it has one, and the policies of its session if there are any. A statement whose condition does not hold
says nothing, neither yes nor no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from halfsilver.harness.control.iam.conditions import Condition, load_condition
from halfsilver.harness.control.iam.patterns import ArnPattern, Pattern, PolicyError, RequestContext, split_arn
from halfsilver.harness.spelling import rather

__all__ = [
    *("ADMINISTRATOR", "Decision", "Later", "Policies", "Policy", "PolicyError", "RequestContext", "load_policy"),
    *("action_of", "condition_of", "effect_of", "members_of", "statements_of", "texts_of"),
]

VERSIONS = ("2012-10-17", "2008-10-17")
"""Policy variables are read in the newer only; the older is what a policy without ``Version`` is."""

_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+|\*:\*")
_SID = re.compile(r"[A-Za-z0-9]*")
_REMEMBERED = 1024
"""Decisions that one user's policies remember."""


class Later(RequestContext):
    """What is known of a request, found out when a policy first asks for any of it: most never do."""

    def __init__(self, find_out: Callable[[], RequestContext]) -> None:
        self._find_out = find_out
        self._found: RequestContext | None = None

    @property
    def asked(self) -> bool:
        return self._found is not None

    def _known(self) -> RequestContext:
        if self._found is None:
            self._found = self._find_out()
        return self._found

    def __getitem__(self, key: str) -> tuple[str, ...]:
        return self._known()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())


class Decision(Enum):
    """What came out, and the end of the sentence in which AWS tells it. ``{}`` is the action."""

    ALLOWED = "because it is allowed"
    DENIED = "with an explicit deny in an identity-based policy"
    DENIED_BY_BOUNDARY = "with an explicit deny in a permissions boundary"
    DENIED_BY_SESSION = "with an explicit deny in a session policy"
    NOT_ALLOWED = "because no identity-based policy allows the {} action"
    OUTSIDE_BOUNDARY = "because no permissions boundary allows the {} action"
    OUTSIDE_SESSION = "because no session policy allows the {} action"

    @property
    def allowed(self) -> bool:
        return self is Decision.ALLOWED

    @property
    def denied(self) -> bool:
        """A statement says no: nothing that another policy allows can help."""
        return self in (Decision.DENIED, Decision.DENIED_BY_BOUNDARY, Decision.DENIED_BY_SESSION)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; ``not_actions`` and ``not_resources`` turn the lists round (everything but these)."""

    allow: bool
    actions: tuple[Pattern, ...]
    not_actions: bool
    resources: tuple[ArnPattern, ...]
    not_resources: bool
    condition: Condition

    @property
    def allows_everything(self) -> bool:
        """Whatever is asked."""
        return (
            self.allow
            and not (self.not_actions or self.not_resources or self.condition.clauses)
            and any(pattern.is_all for pattern in self.actions)
            and any(pattern.is_all for pattern in self.resources)
        )

    def applies(self, action: str, parts: Sequence[str], context: RequestContext) -> bool:
        """``action`` in lower case, ``parts`` of the resource's ARN."""
        return (
            any(pattern.matches(action, context) for pattern in self.actions) != self.not_actions
            and any(pattern.matches(parts, context) for pattern in self.resources) != self.not_resources
            and self.condition.holds(context)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as loaded; its document is not kept."""

    statements: tuple[Statement, ...]

    def says(self, action: str, parts: Sequence[str], context: RequestContext) -> tuple[bool, bool]:
        """(a statement allows it, a statement denies it)."""
        allows = False
        for statement in self.statements:
            if (not statement.allow or not allows) and statement.applies(action, parts, context):
                if not statement.allow:
                    return allows, True
                allows = True
        return allows, False


@dataclass(frozen=True, slots=True)
class Policies:
    """All that binds one user or role: its own policies, the permissions boundary, those of the session.

    Decisions for which nothing of the request had to be known are remembered: they are the same for every request.
    """

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None
    allow_everything: bool = field(init=False, compare=False)
    """Every decision is ALLOWED, whatever the action, the resource and the request."""
    _decided: dict[tuple[str, str], Decision] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        bounds = (self.identity, None if self.boundary is None else (self.boundary,), self.session)
        object.__setattr__(self, "allow_everything", all(each is None or _allow_everything(each) for each in bounds))

    def decide(self, action: str, resource: str, context: RequestContext) -> Decision:
        """May it do ``ec2:DescribeRegions`` to ``resource`` (an ARN, or ``*`` for an action without resources)?"""
        decision = self._decided.get((action, resource))
        if decision is None:
            decision = self._decide(action, resource, context)
            if isinstance(context, Later) and not context.asked:
                if len(self._decided) >= _REMEMBERED:
                    self._decided.clear()
                self._decided[action, resource] = decision
        return decision

    def _decide(self, action: str, resource: str, context: RequestContext) -> Decision:
        action, parts = action.lower(), split_arn(resource)
        identity = _said(self.identity, action, parts, context)
        boundary = (True, False) if self.boundary is None else self.boundary.says(action, parts, context)
        session = (True, False) if self.session is None else _said(self.session, action, parts, context)
        for (_, denies), decision in (
            (identity, Decision.DENIED),
            (boundary, Decision.DENIED_BY_BOUNDARY),
            (session, Decision.DENIED_BY_SESSION),
        ):
            if denies:
                return decision
        for (allows, _), decision in (
            (identity, Decision.NOT_ALLOWED),
            (boundary, Decision.OUTSIDE_BOUNDARY),
            (session, Decision.OUTSIDE_SESSION),
        ):
            if not allows:
                return decision
        return Decision.ALLOWED


def _said(policies: Sequence[Policy], action: str, parts: Sequence[str], context: RequestContext) -> tuple[bool, bool]:
    """As ``Policy.says``, of several policies together."""
    said = [policy.says(action, parts, context) for policy in policies]
    return any(allows for allows, _ in said), any(denies for _, denies in said)


def _allow_everything(policies: Sequence[Policy]) -> bool:
    statements = [statement for policy in policies for statement in policy.statements]
    return all(each.allow for each in statements) and any(each.allows_everything for each in statements)


def load_policy(document: object, where: str) -> Policy:
    """Check a policy document (JSON, read) and prepare it. PolicyError names the statement and the key."""
    return Policy(tuple(_statement(*each) for each in statements_of(document, where)))


def statements_of(document: object, where: str) -> list[tuple[object, bool, str]]:
    """Each statement of a policy document, whether variables are read in it, and its place."""
    members = members_of(document, where, {"Version", "Id", "Statement"})
    version = members.get("Version", VERSIONS[1])
    if version not in VERSIONS:
        raise PolicyError(f"{where}: Version must be {VERSIONS[0]} (or {VERSIONS[1]}, without policy variables)")
    variables = version == VERSIONS[0]
    statements = members.get("Statement")
    if isinstance(statements, dict):
        return [(statements, variables, f"{where}: Statement")]
    if not isinstance(statements, list) or not statements:
        raise PolicyError(f"{where}: Statement must be a statement or a list of at least one")
    _unique_sids(statements, where)
    return [(statement, variables, f"{where}: Statement[{index}]") for index, statement in enumerate(statements)]


def _statement(document: object, variables: bool, where: str) -> Statement:
    for principal in ("Principal", "NotPrincipal"):
        if isinstance(document, dict) and principal in document:
            raise PolicyError(f"{where}.{principal}: the policy of a user is about that user and names no principal")
    known = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
    members = members_of(document, where, known)
    allow = effect_of(members, where)
    actions_key, actions = _one_of(members, "Action", "NotAction", where)
    resources_key, resources = _one_of(members, "Resource", "NotResource", where)
    return Statement(
        allow=allow,
        actions=tuple(action_of(text, f"{where}.{actions_key}") for text in actions),
        not_actions=actions_key == "NotAction",
        resources=tuple(
            ArnPattern(text, variables=variables, spanning=True, where=f"{where}.{resources_key}") for text in resources
        ),
        not_resources=resources_key == "NotResource",
        condition=condition_of(members, variables, where),
    )


def effect_of(members: Mapping[str, Any], where: str) -> bool:
    """Whether a statement allows; its Sid is looked at as well."""
    if members.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"{where}.Effect: must be Allow or Deny")
    if not isinstance(members.get("Sid", ""), str) or not _SID.fullmatch(members.get("Sid", "")):
        raise PolicyError(f"{where}.Sid: must be letters and digits")
    return bool(members["Effect"] == "Allow")


def condition_of(members: Mapping[str, Any], variables: bool, where: str) -> Condition:
    """A statement's condition, which always holds where there is none."""
    if members.get("Condition", {}) == {}:
        return Condition()
    return load_condition(members["Condition"], variables, f"{where}.Condition")


def members_of(document: object, where: str, known: set[str]) -> Mapping[str, Any]:
    """An object with members of these names and no others."""
    if not isinstance(document, dict):
        raise PolicyError(f"{where}: must be a JSON object")
    unknown = sorted(set(document) - known)
    if unknown:
        raise PolicyError(f"{where}: {unknown[0]!r} is not known here; {rather(unknown[0], sorted(known))}")
    return document


def texts_of(values: object, where: str) -> list[str]:
    """A string, or a list of at least one."""
    found: list[Any] = values if isinstance(values, list) else [values]
    if not found or not all(isinstance(value, str) and value for value in found):
        raise PolicyError(f"{where}: must be a string or a list of at least one")
    return found


def _one_of(members: Mapping[str, Any], name: str, opposite: str, where: str) -> tuple[str, list[str]]:
    """The element that is there, and its values."""
    found = [each for each in (name, opposite) if each in members]
    if len(found) != 1:
        raise PolicyError(f"{where}: needs either {name} or {opposite}")
    return found[0], texts_of(members[found[0]], f"{where}.{found[0]}")


def _unique_sids(statements: Iterable[object], where: str) -> None:
    seen: set[str] = set()
    for index, statement in enumerate(statements):
        sid = statement.get("Sid") if isinstance(statement, dict) else None
        if isinstance(sid, str) and sid:
            if sid in seen:
                raise PolicyError(f"{where}: Statement[{index}].Sid: {sid!r} is there twice")
            seen.add(sid)


def action_of(text: str, where: str) -> Pattern:
    """A pattern for actions in lower case."""
    if not _ACTION.fullmatch(text):
        raise PolicyError(
            f"{where}: {text!r} is not an action; an action is written service:Name, with * and ? in the name, or *"
        )
    return Pattern(text.lower(), wildcards=True, variables=False, where=where)


ADMINISTRATOR = Policies(
    (
        load_policy(
            {"Version": VERSIONS[0], "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, "administrator"
        ),
    )
)
"""Everything is allowed."""
