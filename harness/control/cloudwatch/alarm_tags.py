"""Tags of alarms. Source: Amazon CloudWatch API Reference, TagResource, UntagResource, ListTagsForResource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.parameters import brief
from halfsilver.harness.control.operations.resources import TAGGED_ALARM
from halfsilver.harness.control.operations.tag_rules import RESERVED
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["list_tags_for_resource", "more_tags", "tag_resource", "untag_resource"]


@operation("cloudwatch", "ListTagsForResource")
def list_tags_for_resource(context: Context, parameters: Parameters) -> dict[str, Any]:
    """In the order in which they were made."""
    tags = _alarm(context, parameters).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@operation("cloudwatch", "TagResource", writes=True, on=(TAGGED_ALARM,))
def tag_resource(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A key that is there gets the new value."""
    alarm = _alarm(context, parameters)
    alarm.tags = more_tags(context, alarm.tags, parameters["Tags"])
    context.transaction.update(alarm)
    return {}


@operation("cloudwatch", "UntagResource", writes=True, on=(TAGGED_ALARM,))
def untag_resource(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Keys that are not there are passed over."""
    alarm = _alarm(context, parameters)
    alarm.tags = {key: value for key, value in alarm.tags.items() if key not in parameters["TagKeys"]}
    context.transaction.update(alarm)
    return {}


def more_tags(context: Context, present: Mapping[str, str], given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What an alarm has with the tags of a request. InvalidParameterValue for too many, and for keys of AWS's own."""
    tags = {**present, **{each["Key"]: each["Value"] for each in given}}
    limit = context.settings.quotas.tags_per_resource
    if len(tags) > limit:
        raise ApiError("InvalidParameterValue", f"An alarm can have at most {limit} tags.")
    for key in tags:
        if key.lower().startswith(RESERVED):
            raise ApiError("InvalidParameterValue", f"The key {brief(key)} begins with {RESERVED}, as AWS's own do.")
    return tags


def _alarm(context: Context, parameters: Parameters) -> Record:
    """The caller's alarm that ``ResourceARN`` names."""
    name: str = parameters["ResourceARN"]
    alarm = context.transaction.get(Kind.ALARM, name)
    if alarm is None or alarm.account != context.caller.account:
        raise ApiError("ResourceNotFoundException", f"There is no alarm {brief(name)}.", 404)
    return alarm
