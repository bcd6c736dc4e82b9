"""CreateTags, DeleteTags and DescribeTags, for all kinds of objects that EC2 tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from halfsilver.harness.control.ec2.mirror_objects import NOT_FOUND, NOUNS, refuse_sharee
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TAGGED, kind_of
from halfsilver.harness.control.operations.listing import Filters, decode_token, encode_token, member, page_size
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.parameters import brief, invalid, required
from halfsilver.harness.control.operations.resources import NAMED
from halfsilver.harness.control.operations.tag_rules import check_tags, read_tag_list
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["create_tags", "delete_tags", "describe_tags"]

MAX_RESOURCES = 1000
"""Resources, and tags, of one request (EC2 API)."""
_NOT_FOUND = {
    **{kind: (NOT_FOUND[kind], noun) for kind, noun in NOUNS.items()},
    Kind.INTERFACE: ("InvalidNetworkInterfaceID.NotFound", "networkInterface"),
    Kind.INSTANCE: ("InvalidInstanceID.NotFound", "instance"),
    Kind.SUBNET: ("InvalidSubnetID.NotFound", "subnet"),
    Kind.VPC: ("InvalidVpcID.NotFound", "vpc"),
    Kind.ENDPOINT: ("InvalidVpcEndpointId.NotFound", "Vpc Endpoint"),
    Kind.SECURITY_GROUP: ("InvalidGroup.NotFound", "security group"),
    Kind.NETWORK_ACL: ("InvalidNetworkAclID.NotFound", "networkAcl"),
    Kind.ROUTE_TABLE: ("InvalidRouteTableID.NotFound", "routeTable"),
}
"""Error code and noun for an id of each kind."""
_BATCH = 200
_FILTERS = {
    name: member(path)
    for name, path in (
        ("key", "Key"),
        ("resource-id", "ResourceId"),
        ("resource-type", "ResourceType"),
        ("value", "Value"),
    )
}


@operation("ec2", "CreateTags", mirrors=True, on=(NAMED,))
def create_tags(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Give tags to objects; a key that is there gets the new value. The tags of an interface can change its MTU."""
    tags = read_tag_list(required(parameters, "Tags"))
    for record in _resources(context, parameters):
        record.tags = {**record.tags, **tags}
        check_tags(context, record.kind, record.tags)
        context.transaction.update(record)
    return {}


@operation("ec2", "DeleteTags", mirrors=True, on=(NAMED,))
def delete_tags(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Take tags from objects: by key, or by key and value if a value is there (an empty one too); without any, all."""
    wanted = parameters.get("Tags")
    for record in _resources(context, parameters):
        for key, value in list(record.tags.items()):
            if not wanted or any(tag.get("Key") == key and tag.get("Value") in (None, value) for tag in wanted):
                del record.tags[key]
        context.transaction.update(record)
    return {}


@operation("ec2", "DescribeTags")
def describe_tags(context: Context, parameters: Parameters) -> dict[str, Any]:
    """The tags of the caller's objects, one by one, in order of the objects' creation and of the keys."""
    filters = Filters(parameters.get("Filters", ()), _FILTERS)
    size = page_size(parameters)
    after: tuple[int, str] = (0, "")
    if parameters.get("NextToken") is not None:
        serial, key = decode_token(context, parameters, int, str)
        after = (serial, key)
    page: list[dict[str, Any]] = []
    last = after
    for tag in _walk(context, filters.exact("resource-id"), after, size + 1):
        if not filters.match(context, tag):
            continue
        if len(page) == size:
            return {"Tags": page, "NextToken": encode_token(context, parameters, *last)}
        page.append(tag.document)
        last = (tag.serial, tag.document["Key"])
    return {"Tags": page}


def _resources(context: Context, parameters: Parameters) -> list[Record]:
    """The caller's objects that the request names."""
    names = list(dict.fromkeys(required(parameters, "Resources")))
    if len(names) > MAX_RESOURCES:
        raise invalid("Resources", len(names), f"At most {MAX_RESOURCES} resources can be named in one request.")
    named = context.transaction.find(tuple(TAGGED), identifiers=names)
    for record in named:
        refuse_sharee(context, record)
    found = {record.id: record for record in named if record.account == context.caller.account}
    for name in names:
        if name not in found:
            kind = kind_of(name)
            if kind is None:
                raise ApiError("InvalidID", f"The ID '{brief(name)}' is not valid")
            code, noun = _NOT_FOUND[kind]
            raise ApiError(code, f"The {noun} ID '{brief(name)}' does not exist")
    return list(found.values())


def _walk(context: Context, resources: list[str] | None, after: tuple[int, str], first: int) -> Iterator[Record]:
    """Each tag behind a serial and key, as a record of its own: its document is what DescribeTags prints."""
    serial, size = max(after[0] - 1, 0), min(first, _BATCH)
    while True:
        batch = context.transaction.find(
            tuple(TAGGED), account=context.caller.account, identifiers=resources, after=serial, limit=size
        )
        for record in batch:
            for key, value in sorted(record.tags.items()):
                if (record.serial, key) > after:
                    document = {
                        "Key": key,
                        "ResourceId": record.id,
                        "Value": value,
                        "ResourceType": TAGGED[record.kind],
                    }
                    yield Record(Kind.TAG, record.id, record.account, document, {key: value}, serial=record.serial)
        if len(batch) < size:
            return
        serial, size = batch[-1].serial, min(2 * size, _BATCH)
