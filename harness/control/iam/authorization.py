"""May they? What the policies are asked of a request, and the refusal.

Sources: Service Authorization Reference, "Actions, resources, and condition keys" of Amazon EC2, Elastic Load
Balancing V2, AWS RAM and Amazon CloudWatch; IAM User Guide, "AWS global condition context keys". Every resource that an
operation names is checked, and the one that it makes (as ``.../*``, since it has no id yet); tags given at the creation
need ``ec2:CreateTags`` as well. Operations that only describe have no resources: a policy allows them on ``*``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from halfsilver.harness.control.iam import condition_keys
from halfsilver.harness.control.iam.condition_keys import Values
from halfsilver.harness.control.iam.policies import Decision, Later, Policies
from halfsilver.harness.control.operations.call import Call, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TYPES, kind_of
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.operations.resources import Given, New, Resource
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["Check", "authorize", "require"]

LONGEST_ID = 2048
"""Characters of an id or ARN; no ARN of AWS is longer."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the policies; ``known`` finds out what they may ask about the resource."""

    action: str
    resource: str
    known: Callable[[], Values] = dict


_TAGGING = ("CreateTags", "DeleteTags", "PutMetricAlarm", "TagResource", "UntagResource")
"""Operations whose tags are about the resources that they name."""

_PREFIXES = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag", "service-quotas": "servicequotas"}
"""botocore's name of a service -> the one in its actions, where they differ."""

_REFUSALS = {
    "ec2": "UnauthorizedOperation",
    **dict.fromkeys(("cloudtrail", "ram", "resourcegroupstaggingapi", "service-quotas"), "AccessDeniedException"),
}


_OF_A_USER = tuple(
    ("iam", name)
    for name in (
        *("GetUser", "GetUserPolicy", "ListAccessKeys", "ListAttachedUserPolicies", "ListGroupsForUser"),
        "ListUserPolicies",
    )
)
_NOT_ASKED = (("sts", "GetCallerIdentity"), ("sts", "GetSessionToken"), ("sts", "AssumeRole"))


def authorize(context: Context, policies: Policies, on: Sequence[Resource]) -> None:
    """Nothing, if the policies allow the call on the resources that its operation is about; ApiError (403) if not.

    The resources are looked up in the transaction in which the operation is going to run: what a policy says of their
    tags is true of the objects that are then changed. GetCallerIdentity and GetSessionToken are allowed to everybody,
    as AWS does; of AssumeRole the role's trust policy is asked as well (``assuming``).
    """
    call = context.call
    if policies.allow_everything:
        _records(context, on)  # the operation finds them at once, and unlikely names are refused as for everybody
    elif (call.service, call.operation) not in _NOT_ASKED:
        require(call, context.settings, policies, _checks(context, on))


def require(call: Call, settings: Settings, policies: Policies, checks: Iterable[Check]) -> None:
    """Nothing, if the policies say yes to every question; ApiError (403) with AWS's sentence at the first no."""
    found: list[Values] = []

    def request() -> Values:
        if not found:
            found.append(condition_keys.of_request(call, settings))
        return found[0]

    for check in checks:
        decision = policies.decide(check.action, check.resource, Later(partial(_both, request, check.known)))
        if not decision.allowed:
            raise _refusal(call, check, decision)


def _both(request: Callable[[], Values], resource: Callable[[], Values]) -> Values:
    return {**request(), **resource()}


def _checks(context: Context, on: Sequence[Resource]) -> Iterator[Check]:
    call = context.call
    action = f"{_PREFIXES.get(call.service, call.service)}:{call.operation}"
    if not on:
        yield Check(action, _user(context) if (call.service, call.operation) in _OF_A_USER else "*")
        return
    records = _records(context, on)
    tags = condition_keys.of_tags(call.parameters)
    asked = {**condition_keys.of_attributes(call), **(tags if call.operation in _TAGGING else {})}
    for resource in on:
        if isinstance(resource, New):
            yield from _checks_of_new(context, action, resource.kind, tags)
            continue
        for name in _named(context, resource):
            record = records.get(name)
            if resource.owner is not None:
                if record is None:
                    continue  # there is no such rule, so no filter either; the operation will say so
                name, record = record.parent, context.transaction.get(resource.owner, record.parent)
            kind = resource.owner or resource.kind or (record.kind if record is not None else kind_of(name))
            if record is not None and record.kind != kind:
                record = None
            account = call.caller.account if record is None else record.account
            known = partial(_known, context, account, asked, record)
            arn = _arn(context, kind, account, name)
            yield Check(action, arn, known)
            if tags and call.operation == "PutMetricAlarm":
                yield Check("cloudwatch:TagResource", arn, known)


def _known(context: Context, account: str, asked: Values, record: Record | None) -> Values:
    own = {} if record is None else condition_keys.of_record(context, record)
    return {**condition_keys.of_account(account), **asked, **own}


def _checks_of_new(context: Context, action: str, kind: Kind, tags: Values) -> Iterator[Check]:
    call = context.call
    resource = _arn(context, kind, call.caller.account, "*")
    known = {**condition_keys.of_account(call.caller.account), **tags}
    yield Check(action, resource, lambda: known)
    if tags and call.service == "ec2":
        yield Check("ec2:CreateTags", resource, lambda: {**known, "ec2:createaction": (call.operation,)})


def _named(context: Context, resource: Given) -> list[str]:
    """The ids in a parameter, of alarms the ARNs; ``*`` is for the one that is missing (the operation will refuse)."""
    parameters = context.call.parameters
    value: Any = parameters.get(resource.parameter) or parameters.get(resource.instead)
    if not value:
        return [] if resource.optional else ["*"]
    names = value if isinstance(value, list) else [value]
    for name in names:
        if len(name) > LONGEST_ID:
            why = f"Value of {resource.parameter} is longer than {LONGEST_ID} characters"
            raise ApiError("InvalidParameterValue", why)
    if resource.kind is Kind.ALARM:
        names = [_arn(context, Kind.ALARM, context.call.caller.account, name) for name in names]
    return list(dict.fromkeys(names))


def _records(context: Context, on: Iterable[Resource]) -> dict[str, Record]:
    """The objects that the parameters name."""
    given = [resource for resource in on if isinstance(resource, Given)]
    names = [name for resource in given for name in _named(context, resource)]
    if not names:
        return {}
    return {record.id: record for record in context.transaction.find(tuple(TYPES), identifiers=names)}


def _user(context: Context) -> str:
    """The ARN of the user that an operation of IAM names, or of who asks."""
    caller, name = context.caller, context.call.parameters.get("UserName")
    return caller.principal if name is None else f"arn:{context.settings.partition}:iam::{caller.account}:user/{name}"


def _arn(context: Context, kind: Kind | None, account: str, identifier: str) -> str:
    """``identifier`` is the ARN already for what RAM names."""
    if identifier.startswith("arn:"):
        return identifier
    name = "*" if kind is None else TYPES[kind]
    separator = ":" if kind is Kind.ALARM else "/"
    return context.settings.arn(context.call.service, account, f"{name}{separator}{identifier}")


def _refusal(call: Call, check: Check, decision: Decision) -> ApiError:
    place = "" if check.resource == "*" else f" on resource: {check.resource}"
    message = (
        f"User: {call.caller.arn} is not authorized to perform: {check.action}{place} "
        f"{decision.value.format(check.action)}"
    )
    if call.service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return ApiError(_REFUSALS.get(call.service, "AccessDenied"), message, 403)
