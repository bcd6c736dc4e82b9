"""What the operations on filters, rules, targets and sessions share: finding objects, refusing, and the words for it.

Which codes: those that EC2 sends, which are not always those of its error page (``Invalid...Id.NotFound``).
"""

from __future__ import annotations

from collections.abc import Sequence

from halfsilver.harness.control.operations import sharing
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.operations.parameters import brief, required
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.policy.types import Problem

__all__ = ["NOT_FOUND", "NOUNS", "check_quota", "find_owned", "find_usable_target", "refuse", "refuse_sharee"]

NOUNS = {
    Kind.FILTER: "traffic mirror filter",
    Kind.RULE: "traffic mirror filter rule",
    Kind.SESSION: "traffic mirror session",
    Kind.TARGET: "traffic mirror target",
}
NOT_FOUND = {
    Kind.FILTER: "InvalidTrafficMirrorFilterId.NotFound",
    Kind.RULE: "InvalidTrafficMirrorFilterRuleId.NotFound",
    Kind.SESSION: "InvalidTrafficMirrorSessionId.NotFound",
    Kind.TARGET: "InvalidTrafficMirrorTargetId.NotFound",
}


def find_owned(context: Context, parameters: Parameters, name: str, kind: Kind) -> Record:
    """The caller's object that the parameter names.

    One that the caller sees without owning it is UnauthorizedOperation; one that it does not see is not there.
    """
    record = context.transaction.get(kind, required(parameters, name))
    if record is not None:
        refuse_sharee(context, record)
    if record is None or record.account != context.caller.account:
        raise not_found(kind, parameters[name])
    return record


def refuse_sharee(context: Context, record: Record) -> None:
    """UnauthorizedOperation for an object that the caller sees and does not own."""
    if record.account != context.caller.account and _sees(context, record):
        message = f"You are not authorized to perform this operation. {record.id} belongs to another account."
        raise ApiError("UnauthorizedOperation", message, 403)


def find_usable_target(context: Context, parameters: Parameters) -> Record:
    """The target that the parameter names: the caller's, or one shared with it."""
    record = context.transaction.get(Kind.TARGET, required(parameters, "TrafficMirrorTargetId"))
    if record is None or not sharing.may_use_target(context, record):
        raise not_found(Kind.TARGET, parameters["TrafficMirrorTargetId"])
    return record


def not_found(kind: Kind, identifier: str) -> ApiError:
    return ApiError(NOT_FOUND[kind], f"The {NOUNS[kind]} ID '{brief(identifier)}' does not exist")


def check_quota(code: str, what: str, present: int, limit: int) -> None:
    """Refuse one more of something than there may be."""
    if present >= limit:
        raise ApiError(code, f"{what} limit reached ({present + 1})")


def refuse(problems: Sequence[Problem]) -> None:
    """InvalidParameterValue for the first thing that the policy does not allow, if there is any."""
    for problem in problems:
        if problem.severity == "error":
            raise ApiError("InvalidParameterValue", f"The parameter {problem.where} {problem.message}")


def _sees(context: Context, record: Record) -> bool:
    if record.kind == Kind.TARGET:
        return sharing.may_use_target(context, record)
    return record.kind == Kind.SESSION and sharing.sees_session(context, record)
