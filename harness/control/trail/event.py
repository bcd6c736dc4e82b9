"""A request as CloudTrail records it.

Source: AWS CloudTrail User Guide, "CloudTrail record contents", and its examples for Amazon EC2, whose error codes have
``Client.`` or ``Server.`` before them. Parameters and results have the API's names with a small first letter; the
result of what only reads is left out, as AWS does. There is nothing secret in a record: of a signature it has the
access key's id, and of credentials that are given out neither key nor token.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from halfsilver.harness.control.operations.call import Call, Caller, SignIn
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import OPERATIONS

__all__ = ["event", "resources", "sign_in", "source_of"]

_VERSION = "1.08"
_SOURCES = {"cloudwatch": "monitoring", "elbv2": "elasticloadbalancing"}
"""botocore's name of a service -> the one in its event source, where they differ."""
_LONGEST = 100 << 10
"""Bytes of parameters or of a result; longer ones are left out, as AWS does."""
_LONGEST_TEXT = 1024
"""Characters of a user agent and of an error's message."""
_LONGEST_KEY = 128
"""Characters of an access key's id (IAM)."""
_TELLING = ("AssumeRole", "GetSessionToken")
"""Operations that change nothing and whose result is recorded all the same."""
_SECRET = ("secretAccessKey", "sessionToken")
"""Members that are in no record. AWS's own have the token."""
_RESOURCES = {
    "trafficMirrorFilterId": "AWS::EC2::TrafficMirrorFilter",
    "trafficMirrorFilterRuleId": "AWS::EC2::TrafficMirrorFilterRule",
    "trafficMirrorSessionId": "AWS::EC2::TrafficMirrorSession",
    "trafficMirrorTargetId": "AWS::EC2::TrafficMirrorTarget",
    "networkInterfaceId": "AWS::EC2::NetworkInterface",
    "networkLoadBalancerArn": "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "gatewayLoadBalancerEndpointId": "AWS::EC2::VPCEndpoint",
    "resourceShareArn": "AWS::RAM::ResourceShare",
    "alarmName": "AWS::CloudWatch::Alarm",
}
"""Members that name a resource, and its type in CloudFormation's words, which are CloudTrail's."""


def event(
    call: Call,
    region: str,
    *,
    user_agent: str | None,
    key: str | None,
    result: Mapping[str, Any] | None = None,
    error: ApiError | None = None,
    changes: bool | None = None,
) -> dict[str, Any]:
    """The record of a request that was done, or refused with ``error``; ``key`` is the id of the key that signed it.

    changes   whether it is one of those that change something; None: as the operation of that name does
    """
    operation = OPERATIONS.get((call.service, call.operation))
    if changes is None:
        changes = operation is not None and operation.writes
    tells = changes or call.operation in _TELLING
    return {
        "eventVersion": _VERSION,
        "userIdentity": _identity(call.caller, key),
        "eventTime": _time(call.now),
        "eventSource": source_of(call.service),
        "eventName": call.operation,
        "awsRegion": region,
        "sourceIPAddress": call.source_ip,
        "userAgent": (user_agent or "")[:_LONGEST_TEXT],
        **({} if error is None else _failure(call.service, error)),
        "requestParameters": _bounded(call.parameters) if call.parameters else None,
        "responseElements": _bounded(result) if tells and result else None,
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": not changes,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.caller.account,
        "eventCategory": "Management",
    }


def sign_in(attempt: SignIn, region: str) -> dict[str, Any]:
    """The record of somebody who has signed in to the console, or has tried to.

    Source: AWS CloudTrail User Guide, "AWS Management Console sign-in events": a failure has no ARN, and no user's name
    where there is no such user, as it may be a password in the wrong field. So has a key that there is not; its record
    is no account's, and LookupEvents does not find it.
    """
    caller = attempt.caller
    if caller is None:
        identity: dict[str, Any] = {"type": "IAMUser", "principalId": "", "accountId": "", "accessKeyId": ""}
        identity["userName"] = "HIDDEN_DUE_TO_SECURITY_REASONS"
    else:
        identity = _identity(caller, attempt.key)
    if not attempt.done:
        identity.pop("arn", None)
    return {
        "eventVersion": _VERSION,
        "userIdentity": identity,
        "eventTime": _time(attempt.now),
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "awsRegion": region,
        "sourceIPAddress": attempt.source_ip,
        "userAgent": (attempt.user_agent or "")[:_LONGEST_TEXT],
        **({} if attempt.done else {"errorMessage": "Failed authentication"}),
        "requestParameters": None,
        "responseElements": {"ConsoleLogin": "Success" if attempt.done else "Failure"},
        "additionalEventData": {"LoginTo": attempt.url[:_LONGEST_TEXT], "MobileVersion": "No", "MFAUsed": "No"},
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsConsoleSignIn",
        "managementEvent": True,
        "recipientAccountId": "" if caller is None else caller.account,
        "eventCategory": "Management",
    }


def _identity(caller: Caller, key: str | None) -> dict[str, Any]:
    """Who it was; of a role that somebody has assumed, whose it is and since when."""
    own: dict[str, Any] = {"principalId": caller.user_id, "arn": caller.arn, "accountId": caller.account}
    if key is not None:
        own["accessKeyId"] = key[:_LONGEST_KEY]
    if caller.session is None:
        return {"type": "IAMUser", **own, "userName": caller.user_name}
    issuer = {
        "type": "Role",
        "principalId": caller.user_id.partition(":")[0],
        "arn": caller.session.role,
        "accountId": caller.account,
        "userName": caller.session.role.rpartition("/")[2],
    }
    attributes = {"creationDate": _time(caller.session.began), "mfaAuthenticated": "false"}
    return {"type": "AssumedRole", **own, "sessionContext": {"sessionIssuer": issuer, "attributes": attributes}}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def source_of(service: str) -> str:
    """``ec2.amazonaws.com``"""
    return f"{_SOURCES.get(service, service)}.amazonaws.com"


def resources(record: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a record is about, as LookupEvents lists it: what its parameters name, and what was made."""
    found = _named(record["requestParameters"]) | _named(record["responseElements"])
    return [{"ResourceType": kind, "ResourceName": name} for name, kind in sorted(found.items())]


def _named(value: Any) -> dict[str, str]:
    if isinstance(value, list):
        return {name: kind for each in value for name, kind in _named(each).items()}
    if not isinstance(value, dict):
        return {}
    found = {each: _RESOURCES[name] for name, each in value.items() if name in _RESOURCES and isinstance(each, str)}
    return {**found, **{name: kind for each in value.values() for name, kind in _named(each).items()}}


def _failure(service: str, error: ApiError) -> dict[str, str]:
    side = "Client." if error.status < 500 else "Server."
    return {
        "errorCode": f"{side if service == 'ec2' else ''}{error.code}",
        "errorMessage": error.message[:_LONGEST_TEXT],
    }


def _bounded(values: Mapping[str, Any]) -> Any:
    """The values as JSON can have them; what they would have taken, where that is too much."""
    plain = _plain(values)
    size = len(json.dumps(plain))
    return plain if size <= _LONGEST else {"omitted": True, "originalSize": size, "reason": "larger than 100 KB"}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        small = {f"{name[:1].lower()}{name[1:]}": each for name, each in value.items()}
        return {name: _plain(each) for name, each in small.items() if name not in _SECRET}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float) else str(value)
