"""LookupEvents: the records of an account, the newest first.

Source: AWS CloudTrail API Reference. There are management events alone, so a request for Insights events finds none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import decode_token, encode_token
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.trail.event import resources

__all__ = ["lookup_events"]

_PAGE = 50
"""Events of an answer whose request does not say."""
_KEPT = timedelta(days=90)
"""How far back CloudTrail looks."""


@operation("cloudtrail", "LookupEvents")
def lookup_events(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A page of the caller's account's events; the token names the one that the page before ended with."""
    if context.settings.trail is None:
        message = "Nothing is recorded: the server was started without --audit."
        raise ApiError("UnsupportedOperationException", message)
    attributes = parameters.get("LookupAttributes", [])
    if len(attributes) > 1:
        raise ApiError("InvalidLookupAttributesException", "You can only use one lookup attribute.")
    start, end = parameters.get("StartTime"), parameters.get("EndTime")
    if start is not None and end is not None and start > end:
        raise ApiError("InvalidTimeRangeException", "The start time is after the end time.")
    if "EventCategory" in parameters:
        return {"Events": []}
    oldest = max(filter(None, (start, context.call.now - _KEPT)))
    wanted = {each["AttributeKey"]: each["AttributeValue"] for each in attributes}
    having = [value for key, value in wanted.items() if key != "ResourceType"]
    behind = _position(context, parameters)
    page: list[dict[str, Any]] = []
    for record in context.settings.trail.newest_first([context.caller.account, *having]):
        if behind is not None:
            behind = None if record["eventID"] == behind else behind
            continue
        at = datetime.fromisoformat(record["eventTime"])
        if record["recipientAccountId"] != context.caller.account or at < oldest or (end is not None and at > end):
            continue
        found = _render(record)
        if not all(value in _values(found, key) for key, value in wanted.items()):
            continue
        if len(page) == parameters.get("MaxResults", _PAGE):
            return {"Events": page, "NextToken": encode_token(context, parameters, page[-1]["EventId"])}
        page.append(found)
    if behind is not None:
        raise _no_such_token()
    return {"Events": page}


def _position(context: Context, parameters: Parameters) -> str | None:
    if parameters.get("NextToken") is None:
        return None
    try:
        position: str = decode_token(context, parameters, str)[0]
    except ApiError:
        raise _no_such_token() from None
    return position


def _no_such_token() -> ApiError:
    return ApiError("InvalidNextTokenException", "The token is not of this request, or what it names is not kept.")


def _render(record: Mapping[str, Any]) -> dict[str, Any]:
    identity = record["userIdentity"]
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "true" if record["readOnly"] else "false",
        "AccessKeyId": identity.get("accessKeyId"),
        "EventTime": record["eventTime"],
        "EventSource": record["eventSource"],
        "Username": identity.get("userName", identity["principalId"].rpartition(":")[2]),
        "Resources": resources(record),
        "CloudTrailEvent": json.dumps(record),
    }


def _values(found: Mapping[str, Any], key: str) -> list[Any]:
    """What an event has of a lookup attribute."""
    return [each[key] for each in found["Resources"]] if key.startswith("Resource") else [found[key]]
