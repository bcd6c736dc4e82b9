"""STS: who the caller is, roles that they can be for a while, and sessions of their own."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Assumed, Context, operation

__all__ = ["NOT_SERVED", "assume_role", "get_caller_identity", "get_session_token"]

NOT_SERVED = ("ProvidedContexts", "SerialNumber", "SourceIdentity", "Tags", "TokenCode", "TransitiveTagKeys")
"""Parameters that are refused: sessions have no tags and no source identity, and nobody has a device."""
USUAL_SESSION = 12 * 3600
"""Seconds of a user's own session (STS API, GetSessionToken)."""
_NAME = re.compile(r"[\w+=,.@-]*", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]*", re.ASCII)


@operation("sts", "GetCallerIdentity")
def get_caller_identity(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Every authenticated caller may ask, whatever its policies say."""
    caller = context.caller
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn}


@operation("sts", "AssumeRole")
def assume_role(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Temporary credentials. Nothing is stored: what was given out is known again by its token."""
    _refuse_what_is_not_served(parameters)
    name = _matching(parameters, "RoleSessionName", "roleSessionName", _NAME)
    known = {"sts:rolesessionname": (name,)}
    if "ExternalId" in parameters:
        known["sts:externalid"] = (_matching(parameters, "ExternalId", "externalId", _EXTERNAL_ID),)
    seconds = parameters.get("DurationSeconds")
    policies = [each["arn"] for each in parameters.get("PolicyArns") or ()]
    policies += [parameters["Policy"]] if "Policy" in parameters else []
    assert context.roles is not None, "a server has a keeper of roles"
    given = context.roles.assume(
        context,
        parameters["RoleArn"],
        name,
        known,
        None if seconds is None else timedelta(seconds=seconds),
        tuple(policies),
    )
    who = {"AssumedRoleId": given.caller.user_id, "Arn": given.caller.arn}
    return {"Credentials": _credentials(given), "AssumedRoleUser": who}


@operation("sts", "GetSessionToken")
def get_session_token(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Temporary credentials with which the caller is itself. As GetCallerIdentity, no policy is asked."""
    _refuse_what_is_not_served(parameters)
    assert context.roles is not None, "a server has a keeper of roles"
    lasting = timedelta(seconds=parameters.get("DurationSeconds", USUAL_SESSION))
    return {"Credentials": _credentials(context.roles.session(context, lasting))}


def _refuse_what_is_not_served(parameters: Parameters) -> None:
    for each in NOT_SERVED:
        if parameters.get(each):
            raise ApiError("ValidationError", f"The parameter {each} is not supported by this server")


def _credentials(given: Assumed) -> dict[str, Any]:
    return {
        "AccessKeyId": given.key_id,
        "SecretAccessKey": given.secret,
        "SessionToken": given.token,
        "Expiration": given.expires,
    }


def _matching(parameters: Parameters, name: str, place: str, pattern: re.Pattern[str]) -> str:
    """A text of these characters; botocore's model has the pattern, and AWS alone holds it."""
    value: str = parameters[name]
    if not pattern.fullmatch(value):
        raise ApiError(
            "ValidationError",
            f"1 validation error detected: Value '{value[:64]}' at '{place}' failed to satisfy constraint: Member must "
            f"satisfy regular expression pattern: {pattern.pattern}",
        )
    return value
