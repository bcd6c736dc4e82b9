"""What a tag may be, and who sees it. Source: the EC2 API (CreateTags, TagSpecification), the EC2 user guide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TAGGED
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.operations.parameters import brief, invalid, is_text
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.policy.network import read_interface, read_tags
from halfsilver.harness.policy.node import Node
from halfsilver.harness.policy.types import Problem

__all__ = ["RESERVED", "check_tags", "own_tags", "read_tag_list", "read_tag_specifications", "tag_list", "with_tags"]

MAX_KEY, MAX_VALUE = 127, 256
"""Characters of a key and of a value (EC2 API)."""
RESERVED = "aws:"
"""How the keys of tags begin that only AWS makes."""


def own_tags(context: Context, record: Record) -> Mapping[str, str]:
    """The tags that the caller sees: those of an object of its own account."""
    return record.tags if record.account == context.caller.account else {}


def tag_list(context: Context, record: Record) -> list[dict[str, str]]:
    """The same as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in own_tags(context, record).items()]


def with_tags(context: Context, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Documents with their tags, as most kinds of objects are shown."""
    return [{**each.document, "Tags": tag_list(context, each)} for each in records]


def read_tag_list(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Tags as a client sends them; a value that is left out is empty. ApiError for a key or value that cannot be."""
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag.get("Key") or "", tag.get("Value") or ""
        if not key:
            raise ApiError("InvalidTagKey.Malformed", "The tag key is not valid. Tag keys cannot be empty or null.")
        if key.lower().startswith(RESERVED):
            raise ApiError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
        for name, text, limit in (("Tag.Key", key, MAX_KEY), ("Tag.Value", value, MAX_VALUE)):
            if len(text) > limit:
                raise invalid(name, text, f"It can have at most {limit} characters.")
            if not is_text(text):
                raise invalid(name, text, "It cannot have control characters.")
        if key in found:
            raise ApiError("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
        found[key] = value
    return found


def read_tag_specifications(context: Context, parameters: Parameters, kind: Kind) -> dict[str, str]:
    """The tags of an object of ``kind`` that is being created."""
    specifications = parameters.get("TagSpecifications")
    if not specifications:
        return {}
    for each in specifications:
        stated = each.get("ResourceType")
        if not stated:
            raise ApiError("InvalidParameterValue", "Tag specification resource type must have a value")
        if stated != TAGGED[kind]:
            raise ApiError(
                "InvalidParameterValue", f"'{brief(stated)}' is not a valid taggable resource type for this operation."
            )
        if not each.get("Tags"):
            raise ApiError("InvalidParameterValue", "Tag specification must have at least one tag")
    if len(specifications) > 1:
        raise ApiError(
            "InvalidParameterValue", "The same resource type may not be specified more than once in tag specifications"
        )
    tags = read_tag_list(tag for each in specifications for tag in each["Tags"])
    check_tags(context, kind, tags)
    return tags


def check_tags(context: Context, kind: Kind, tags: Mapping[str, str]) -> None:
    """Refuse too many tags on one object, and tags of this project that it does not know or that mean nothing."""
    limit = context.settings.quotas.tags_per_resource
    if len(tags) > limit:
        raise ApiError("TagLimitExceeded", f"The maximum number of tags ({limit}) for a resource has been reached")
    problems: list[Problem] = []
    node = Node({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}, problems)
    if kind == Kind.INTERFACE:
        read_interface(node, "", {})
    else:
        read_tags(node)
    if problems:
        raise ApiError("InvalidParameterValue", f"{problems[0].where} {problems[0].message}")
