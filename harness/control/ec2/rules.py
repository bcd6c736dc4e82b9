"""The rules of traffic mirror filters.

``halfsilver.harness.policy.filters`` judges the values, as it does those of a file.
"""

from __future__ import annotations

from typing import Any

from halfsilver.harness.control.ec2.mirror_objects import NOT_FOUND, NOUNS, check_quota, find_owned, refuse
from halfsilver.harness.control.operations import identifiers
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import Listing, describe, member
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.parameters import client_token, description, remove_fields, required
from halfsilver.harness.control.operations.resources import FILTER, FILTER_OF_RULE, RULE, New
from halfsilver.harness.control.operations.tag_rules import read_tag_specifications, with_tags
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import SlotTaken
from halfsilver.harness.policy.filters import ANY_PROTOCOL, PORT_PROTOCOLS, read_rule
from halfsilver.harness.policy.node import Node
from halfsilver.harness.policy.types import Problem

__all__ = ["create_rule", "delete_rule", "describe_rules", "modify_rule", "slot"]

_REQUIRED = ("TrafficDirection", "RuleNumber", "RuleAction", "DestinationCidrBlock", "SourceCidrBlock")
_OPTIONAL = ("Protocol", "DestinationPortRange", "SourcePortRange")
_REMOVABLE = {
    "destination-port-range": "DestinationPortRange",
    "source-port-range": "SourcePortRange",
    "protocol": "Protocol",
    "description": "Description",
}


@operation("ec2", "CreateTrafficMirrorFilterRule", mirrors=True, on=(FILTER, New(Kind.RULE)))
def create_rule(context: Context, parameters: Parameters) -> dict[str, Any]:
    document = {name: required(parameters, name) for name in ("TrafficMirrorFilterId", *_REQUIRED)}
    document |= {name: parameters[name] for name in _OPTIONAL if parameters.get(name) is not None}
    document |= description(parameters)
    document["TrafficMirrorFilterRuleId"] = identifiers.new(context, Kind.RULE)
    _check(document)
    tags = read_tag_specifications(context, parameters, Kind.RULE)
    parent = find_owned(context, parameters, "TrafficMirrorFilterId", Kind.FILTER)
    check_quota(
        "TrafficMirrorFilterRuleLimitExceeded",
        "Rules per filter",
        context.transaction.count(Kind.RULE, parent=parent.id),
        context.settings.quotas.rules_per_filter,
    )
    record = Record(
        Kind.RULE, document["TrafficMirrorFilterRuleId"], parent.account, document, tags, parent.id, slot(document)
    )
    try:
        context.transaction.insert(record)
    except SlotTaken as taken:
        raise _number_taken(document, taken) from None
    return {"TrafficMirrorFilterRule": with_tags(context, [record])[0], **client_token(parameters)}


@operation("ec2", "ModifyTrafficMirrorFilterRule", mirrors=True, on=(FILTER_OF_RULE, RULE))
def modify_rule(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Change some members and put others back to "any"; the rule as it is then must be right as a whole."""
    removed = remove_fields(parameters, _REMOVABLE)
    record = find_owned(context, parameters, "TrafficMirrorFilterRuleId", Kind.RULE)
    document = {name: value for name, value in record.document.items() if name not in removed}
    document |= {name: parameters[name] for name in (*_REQUIRED, *_OPTIONAL) if parameters.get(name) is not None}
    if "Description" in parameters:
        document.pop("Description", None)
        document |= description(parameters)
    _check(document)
    record.document, record.slot = document, slot(document)
    try:
        context.transaction.update(record)
    except SlotTaken as taken:
        raise _number_taken(document, taken) from None
    return {"TrafficMirrorFilterRule": dict(document)}


@operation("ec2", "DeleteTrafficMirrorFilterRule", mirrors=True, on=(FILTER_OF_RULE, RULE))
def delete_rule(context: Context, parameters: Parameters) -> dict[str, Any]:
    record = find_owned(context, parameters, "TrafficMirrorFilterRuleId", Kind.RULE)
    context.transaction.delete(record)
    return {"TrafficMirrorFilterRuleId": record.id}


@operation("ec2", "DescribeTrafficMirrorFilterRules")
def describe_rules(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Rules of all filters of the caller, or of one."""
    parent = None
    if parameters.get("TrafficMirrorFilterId") is not None:
        parent = find_owned(context, parameters, "TrafficMirrorFilterId", Kind.FILTER).id
    return describe(context, parameters, _LISTING, parent=parent)


def slot(document: dict[str, Any]) -> str:
    """What a rule has alone in its filter: its number in its direction."""
    return f"{document['TrafficDirection']}/{document['RuleNumber']}"


def _check(document: dict[str, Any]) -> None:
    """Refuse a rule that the policy does not know; a protocol that stands for all of them is left out."""
    if document.get("Protocol") in ANY_PROTOCOL:
        del document["Protocol"]
    ranges = [name for name in ("DestinationPortRange", "SourcePortRange") if name in document]
    if ranges and document.get("Protocol") not in PORT_PROTOCOLS:
        raise ApiError(
            "InvalidParameterCombination",
            f"The parameter {ranges[0]} can only be used with the protocols 6 (TCP) and 17 (UDP)",
        )
    problems: list[Problem] = []
    read_rule(Node(document, problems), document["TrafficMirrorFilterId"], document["TrafficDirection"], {}, {})
    refuse(problems)


def _number_taken(document: dict[str, Any], taken: SlotTaken) -> ApiError:
    return ApiError(
        "TrafficMirrorFilterRuleAlreadyExists",
        f"Rule number {document['RuleNumber']} is already being used by {taken.holder} for "
        f"{document['TrafficDirection']} traffic of {document['TrafficMirrorFilterId']}",
    )


_LISTING = Listing(
    kind=Kind.RULE,
    result="TrafficMirrorFilterRules",
    ids="TrafficMirrorFilterRuleIds",
    not_found=NOT_FOUND[Kind.RULE],
    noun=NOUNS[Kind.RULE],
    filters={
        "traffic-mirror-filter-rule-id": member("TrafficMirrorFilterRuleId"),
        "traffic-mirror-filter-id": member("TrafficMirrorFilterId"),
        "rule-number": member("RuleNumber"),
        "rule-action": member("RuleAction"),
        "traffic-direction": member("TrafficDirection"),
        "protocol": member("Protocol"),
        "source-cidr-block": member("SourceCidrBlock"),
        "destination-cidr-block": member("DestinationCidrBlock"),
        "description": member("Description"),
    },
    render=with_tags,
    id_filter="traffic-mirror-filter-rule-id",
)
