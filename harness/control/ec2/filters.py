"""Traffic mirror filters and their network services. Source: the EC2 API, and the guide on filters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from halfsilver.harness.control.ec2.mirror_objects import NOT_FOUND, NOUNS, check_quota, find_owned
from halfsilver.harness.control.operations import identifiers
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import Listing, describe, member
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.parameters import client_token, description, invalid
from halfsilver.harness.control.operations.resources import FILTER, New
from halfsilver.harness.control.operations.tag_rules import read_tag_specifications, tag_list, with_tags
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.policy.filters import AMAZON_DNS

__all__ = ["create_filter", "delete_filter", "describe_filters", "modify_network_services"]


@operation("ec2", "CreateTrafficMirrorFilter", mirrors=True, on=(New(Kind.FILTER),))
def create_filter(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A filter without rules, which mirrors nothing."""
    document = {"NetworkServices": [], **description(parameters)}
    tags = read_tag_specifications(context, parameters, Kind.FILTER)
    account = context.caller.account
    check_quota(
        "TrafficMirrorFilterLimitExceeded",
        "Filters per account",
        context.transaction.count(Kind.FILTER, account=account),
        context.settings.quotas.filters,
    )
    record = Record(Kind.FILTER, identifiers.new(context, Kind.FILTER), account, document, tags)
    document["TrafficMirrorFilterId"] = record.id
    context.transaction.insert(record)
    return {"TrafficMirrorFilter": _render(context, [record])[0], **client_token(parameters)}


@operation("ec2", "DeleteTrafficMirrorFilter", mirrors=True, on=(FILTER,))
def delete_filter(context: Context, parameters: Parameters) -> dict[str, Any]:
    """A filter goes with its rules; not while a session uses it."""
    record = find_owned(context, parameters, "TrafficMirrorFilterId", Kind.FILTER)
    users = context.transaction.find(Kind.SESSION, where=("TrafficMirrorFilterId", record.id), limit=1)
    if users:
        raise ApiError("TrafficMirrorFilterInUse", f"Cannot delete {record.id}. Filter is in use by {users[0].id}")
    for each in (*context.transaction.find(Kind.RULE, parent=record.id), record):
        context.transaction.delete(each)
    return {"TrafficMirrorFilterId": record.id}


@operation("ec2", "ModifyTrafficMirrorFilterNetworkServices", mirrors=True, on=(FILTER,))
def modify_network_services(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Add or remove ``amazon-dns``; adding what is there and removing what is not changes nothing."""
    record = find_owned(context, parameters, "TrafficMirrorFilterId", Kind.FILTER)
    add = _services(parameters, "AddNetworkServices")
    remove = _services(parameters, "RemoveNetworkServices")
    if add & remove:
        raise ApiError(
            "InvalidParameterCombination",
            f"The network service {AMAZON_DNS} cannot be added and removed in one request",
        )
    record.document["NetworkServices"] = sorted((set(record.document["NetworkServices"]) | add) - remove)
    context.transaction.update(record)
    return {"TrafficMirrorFilter": _render(context, [record])[0]}


@operation("ec2", "DescribeTrafficMirrorFilters")
def describe_filters(context: Context, parameters: Parameters) -> dict[str, Any]:
    return describe(context, parameters, _LISTING)


def _services(parameters: Parameters, name: str) -> set[str]:
    services: Iterable[str] = parameters.get(name, ())
    for service in services:
        if service != AMAZON_DNS:
            raise invalid(name, service, f"It must be {AMAZON_DNS}.")
    return set(services)


def _render(context: Context, filters: Sequence[Record]) -> list[dict[str, Any]]:
    """Filters with their rules in ascending number."""
    rules = with_tags(context, context.transaction.find(Kind.RULE, parent=[each.id for each in filters]))
    rules.sort(key=lambda rule: rule["RuleNumber"])
    lists: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for rule in rules:
        lists.setdefault((rule["TrafficMirrorFilterId"], rule["TrafficDirection"]), []).append(rule)
    return [
        {
            **each.document,
            "IngressFilterRules": lists.get((each.id, "ingress"), []),
            "EgressFilterRules": lists.get((each.id, "egress"), []),
            "Tags": tag_list(context, each),
        }
        for each in filters
    ]


_LISTING = Listing(
    kind=Kind.FILTER,
    result="TrafficMirrorFilters",
    ids="TrafficMirrorFilterIds",
    not_found=NOT_FOUND[Kind.FILTER],
    noun=NOUNS[Kind.FILTER],
    filters={"description": member("Description"), "traffic-mirror-filter-id": member("TrafficMirrorFilterId")},
    render=_render,
    id_filter="traffic-mirror-filter-id",
)
