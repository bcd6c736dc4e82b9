"""Resource Groups Tagging: the tags of everything at once, of the caller's objects that have some. Read only.

Source: Resource Groups Tagging API Reference, "GetResources". Filters of tags are a conjunction, their values a
disjunction; types are ``service`` or ``service:type``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TAGGED, TYPES
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.pages import Paging
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["get_resources"]

_BALANCING = {Kind.LISTENER: "listener", Kind.LOAD_BALANCER: "loadbalancer", Kind.TARGET_GROUP: "targetgroup"}
"""Kinds of elbv2 that have tags, and their types in ARNs."""
_KINDS = (*TAGGED, *_BALANCING, Kind.RESOURCE_SHARE)
_PAGING = Paging("ResourcesPerPage", "PaginationToken", "PaginationToken", 100, "PaginationTokenExpiredException")


@operation("resourcegroupstaggingapi", "GetResources")
def get_resources(context: Context, parameters: Parameters) -> dict[str, Any]:
    arns = parameters.get("ResourceARNList") or []
    for name in ("ResourceTypeFilters", "TagFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken"):
        if arns and parameters.get(name):
            raise _refuse(f"ResourceARNList cannot be combined with {name}")
    if parameters.get("TagsPerPage"):
        raise _refuse("TagsPerPage is not supported by this server; use ResourcesPerPage")
    size = parameters.get("ResourcesPerPage", _PAGING.largest)
    if not 1 <= size <= _PAGING.largest:
        raise _refuse(f"ResourcesPerPage must be from 1 to {_PAGING.largest}")
    found = [
        record
        for record in context.transaction.find(_KINDS, account=context.caller.account)
        if record.tags
        and (not arns or _arn(context, record) in arns)
        and _is_of(record, parameters.get("ResourceTypeFilters") or ())
        and _fits(record.tags, parameters.get("TagFilters") or ())
    ]
    page, token = _PAGING.cut(context, parameters, found)
    mappings = [
        {
            "ResourceARN": _arn(context, record),
            "Tags": [{"Key": key, "Value": value} for key, value in record.tags.items()],
        }
        for record in page
    ]
    return {"ResourceTagMappingList": mappings, "PaginationToken": "", **token}


def _arn(context: Context, record: Record) -> str:
    if record.id.startswith("arn:"):
        return record.id
    return context.settings.arn("ec2", record.account, f"{TAGGED[record.kind]}/{record.id}")


def _is_of(record: Record, types: Sequence[str]) -> bool:
    if record.kind in _BALANCING:
        own = f"elasticloadbalancing:{_BALANCING[record.kind]}"
    else:
        own = f"{'ram' if record.kind is Kind.RESOURCE_SHARE else 'ec2'}:{TYPES[record.kind]}"
    return not types or own in types or own.partition(":")[0] in types


def _fits(tags: Mapping[str, str], filters: Sequence[Mapping[str, Any]]) -> bool:
    return all(
        each.get("Key") in tags and (not each.get("Values") or tags[each["Key"]] in each["Values"]) for each in filters
    )


def _refuse(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
