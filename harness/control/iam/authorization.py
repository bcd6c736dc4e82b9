"""May they? Which action on which resources an operation is to IAM, what is known of the request, and the refusal.

Sources: Service Authorization Reference, "Actions, resources, and condition keys" of Amazon EC2, Elastic Load
Balancing V2 and AWS RAM; IAM User Guide, "AWS global condition context keys". Every resource that an operation names
is checked, and the one that it makes (as ``.../*``, since it has no id yet); tags given at the creation need
``ec2:CreateTags`` as well. Operations that only describe have no resources: a policy allows them on ``*``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from halfsilver.harness.control.iam import condition_keys as authorization_keys
from halfsilver.harness.control.iam.condition_keys import Values
from halfsilver.harness.control.iam.policies import Decision, Policies
from halfsilver.harness.control.iam.sigv4 import SIGNING_NAMES
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Call, Parameters, Record, Settings, Transaction
from halfsilver.harness.control.operations.tag_rules import RESOURCE_TYPES

__all__ = ["RESOURCES", "authorize"]

LONGEST_ID = 2048
"""Characters of an id or ARN; no ARN of AWS is longer."""


@dataclass(frozen=True, slots=True)
class Given:
    """A resource that a parameter names.

    kind      of its record
    optional  checked only if the parameter is there; otherwise a request without it is about all of this kind
    owner     what is checked is the object that the named one belongs to: the filter of a rule
    instead   another parameter that names it if the first does not
    """

    kind: str
    parameter: str
    optional: bool = False
    owner: str = ""
    instead: str = ""


@dataclass(frozen=True, slots=True)
class New:
    """The resource that the operation makes."""

    kind: str


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the policies."""

    action: str
    resource: str
    known: Values = field(default_factory=dict)


_FILTER = Given("filter", "TrafficMirrorFilterId")
_RULE = Given("rule", "TrafficMirrorFilterRuleId")
_FILTER_OF_RULE = Given("rule", "TrafficMirrorFilterRuleId", owner="filter")
_SESSION = Given("session", "TrafficMirrorSessionId")
_TARGET = Given("target", "TrafficMirrorTargetId")
_SHARE = Given("resource-share", "resourceShareArn")
_TAGGED_SHARE = Given("resource-share", "resourceShareArn", instead="resourceArn")
_INVITATION = Given("share-invitation", "resourceShareInvitationArn")

RESOURCES: Mapping[tuple[str, str], tuple[Given | New, ...]] = {
    ("ec2", "CreateTrafficMirrorFilter"): (New("filter"),),
    ("ec2", "CreateTrafficMirrorFilterRule"): (_FILTER, New("rule")),
    ("ec2", "CreateTrafficMirrorSession"): (Given("interface", "NetworkInterfaceId"), _FILTER, New("session"), _TARGET),
    ("ec2", "CreateTrafficMirrorTarget"): (
        New("target"),
        Given("interface", "NetworkInterfaceId", optional=True),
        Given("endpoint", "GatewayLoadBalancerEndpointId", optional=True),
    ),
    ("ec2", "DeleteTrafficMirrorFilter"): (_FILTER,),
    ("ec2", "DeleteTrafficMirrorFilterRule"): (_FILTER_OF_RULE, _RULE),
    ("ec2", "DeleteTrafficMirrorSession"): (_SESSION,),
    ("ec2", "DeleteTrafficMirrorTarget"): (_TARGET,),
    ("ec2", "ModifyTrafficMirrorFilterNetworkServices"): (_FILTER,),
    ("ec2", "ModifyTrafficMirrorFilterRule"): (_FILTER_OF_RULE, _RULE),
    ("ec2", "ModifyTrafficMirrorSession"): (
        _SESSION,
        Given("filter", "TrafficMirrorFilterId", optional=True),
        Given("target", "TrafficMirrorTargetId", optional=True),
    ),
    ("ec2", "CreateTags"): (Given("", "Resources"),),
    ("ec2", "DeleteTags"): (Given("", "Resources"),),
    ("ram", "CreateResourceShare"): (New("resource-share"),),
    ("ram", "AssociateResourceShare"): (_SHARE,),
    ("ram", "DisassociateResourceShare"): (_SHARE,),
    ("ram", "DeleteResourceShare"): (_SHARE,),
    ("ram", "UpdateResourceShare"): (_SHARE,),
    ("ram", "TagResource"): (_TAGGED_SHARE,),
    ("ram", "UntagResource"): (_TAGGED_SHARE,),
    ("ram", "AcceptResourceShareInvitation"): (_INVITATION,),
    ("ram", "RejectResourceShareInvitation"): (_INVITATION,),
}
"""By service and operation. An operation that is not here has no resources."""

_TYPES = {**RESOURCE_TYPES, "resource-share": "resource-share", "share-invitation": "resource-share-invitation"}
_PREFIXES = {
    "tmf": "filter",
    "tmfr": "rule",
    "tms": "session",
    "tmt": "target",
    "eni": "interface",
    "vpc": "vpc",
    "subnet": "subnet",
    "i": "instance",
    "vpce": "endpoint",
}
"""The kind that an id is of, for one that nobody has."""

_TAGGING = ("CreateTags", "DeleteTags", "TagResource", "UntagResource")
"""Operations whose tags are about the resources that they name."""

_REFUSALS = {"ec2": "UnauthorizedOperation", "ram": "AccessDeniedException"}


def authorize(transaction: Transaction, call: Call, settings: Settings, policies: Policies) -> None:
    """Nothing, if the policies allow the call; ApiError (403) with AWS's sentence if not.

    The resources are looked up in the transaction in which the operation is going to run: what a policy says of their
    tags is true of the objects that are then changed. GetCallerIdentity is allowed to everybody, as AWS does.
    """
    if (call.service, call.operation) == ("sts", "GetCallerIdentity"):
        return
    request = authorization_keys.of_request(call, settings)
    for check in _checks(transaction, call, settings):
        decision = policies.decide(check.action, check.resource, {**request, **check.known})
        if not decision.allowed:
            raise _refusal(call, check, decision)


def _checks(transaction: Transaction, call: Call, settings: Settings) -> Iterator[Check]:
    action = f"{SIGNING_NAMES.get(call.service, call.service)}:{call.operation}"
    needs = RESOURCES.get((call.service, call.operation), ())
    if not needs:
        yield Check(action, "*")
        return
    records = _records(transaction, needs, call.parameters)
    tags = authorization_keys.of_tags(call.parameters)
    asked = {**authorization_keys.of_attributes(call), **(tags if call.operation in _TAGGING else {})}
    for need in needs:
        if isinstance(need, New):
            yield from _checks_of_new(need, action, call, settings, tags)
            continue
        for name in _named(need, call.parameters):
            record = records.get(name)
            if need.owner:
                if record is None:
                    continue  # there is no such rule, so no filter either; the operation will say so
                name, record = record.parent, transaction.get(need.owner, record.parent)
            kind = need.owner or need.kind or _kind(name, record)
            if record is not None and record.kind != kind:
                record = None
            account = call.caller.account if record is None else record.account
            own = {} if record is None else authorization_keys.of_record(transaction, call, settings, record)
            yield Check(
                action,
                _arn(settings, call, kind, account, name),
                {**authorization_keys.of_account(account), **asked, **own},
            )


def _checks_of_new(need: New, action: str, call: Call, settings: Settings, tags: Values) -> Iterator[Check]:
    resource = _arn(settings, call, need.kind, call.caller.account, "*")
    known = {**authorization_keys.of_account(call.caller.account), **tags}
    yield Check(action, resource, known)
    if tags and call.service == "ec2":
        yield Check("ec2:CreateTags", resource, {**known, "ec2:createaction": (call.operation,)})


def _kind(name: str, record: Record | None) -> str:
    """Of an object that may be of any kind."""
    return record.kind if record is not None else _PREFIXES.get(name.rpartition("-")[0], "")


def _named(need: Given, parameters: Parameters) -> list[str]:
    """The ids in a parameter; ``*`` stands for the one that is missing (the operation will refuse that)."""
    value: Any = parameters.get(need.parameter) or parameters.get(need.instead)
    if not value:
        return [] if need.optional else ["*"]
    names = value if isinstance(value, list) else [value]
    for name in names:
        if len(name) > LONGEST_ID:
            raise ApiError("InvalidParameterValue", f"Value of {need.parameter} is longer than {LONGEST_ID} characters")
    return list(dict.fromkeys(names))


def _records(transaction: Transaction, needs: Iterable[Given | New], parameters: Parameters) -> dict[str, Record]:
    """The objects that the parameters name."""
    names = [name for need in needs if isinstance(need, Given) for name in _named(need, parameters)]
    if not names:
        return {}
    return {record.id: record for record in transaction.find(tuple(_TYPES), identifiers=names)}


def _arn(settings: Settings, call: Call, kind: str, account: str, identifier: str) -> str:
    """``identifier`` is the ARN already for what RAM names."""
    if identifier.startswith("arn:"):
        return identifier
    return settings.arn(call.service, account, f"{_TYPES.get(kind, '*')}/{identifier}")


def _refusal(call: Call, check: Check, decision: Decision) -> ApiError:
    place = "" if check.resource == "*" else f" on resource: {check.resource}"
    message = (
        f"User: {call.caller.arn} is not authorized to perform: {check.action}{place} "
        f"{decision.value.format(check.action)}"
    )
    if call.service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return ApiError(_REFUSALS.get(call.service, "AccessDenied"), message, 403)
