"""elbv2: the load balancers of the inventory, their listeners and target groups. Read only.

Error codes and messages are those of that service: what is not an ARN of the caller's account and region is not valid
(ValidationError), one that leads nowhere is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.pages import Paging
from halfsilver.harness.control.state.record import Kind, Record

__all__ = [
    "describe_listeners",
    "describe_load_balancer_attributes",
    "describe_load_balancers",
    "describe_tags",
    "describe_target_groups",
    "describe_target_health",
]

_PAGING = Paging("PageSize", "Marker", "NextMarker", 400, "ValidationError")
_MAX_TAGGED = 20
"""ARNs of one DescribeTags (elbv2 API)."""
_KINDS = {
    "loadbalancer": (Kind.LOAD_BALANCER, "load balancer", "LoadBalancerNotFound"),
    "listener": (Kind.LISTENER, "listener", "ListenerNotFound"),
    "targetgroup": (Kind.TARGET_GROUP, "target group", "TargetGroupNotFound"),
}
_ATTRIBUTES = {"deletion_protection.enabled": "false", "load_balancing.cross_zone.enabled": "false"}
"""What a load balancer has where the inventory does not say otherwise (AWS's defaults of network and gateway ones)."""


@operation("elbv2", "DescribeLoadBalancers")
def describe_load_balancers(context: Context, parameters: Parameters) -> dict[str, Any]:
    """All of the account, or those of some names or ARNs (which may not be combined)."""
    names, arns = parameters.get("Names") or [], parameters.get("LoadBalancerArns") or []
    if names and arns:
        raise _refuse("Load balancer names and load balancer ARNs cannot be specified at the same time")
    _check_arns(context, arns, "loadbalancer")
    found = context.transaction.find(Kind.LOAD_BALANCER, account=context.caller.account)
    if names or arns:
        key, wanted = ("LoadBalancerName", names) if names else ("LoadBalancerArn", arns)
        known = {record.document.get(key): record for record in found}
        missing = [each for each in wanted if each not in known]
        if missing:
            shown = ", ".join(each[:256] for each in missing[:10])
            raise ApiError("LoadBalancerNotFound", f"Load balancers '[{shown}]' not found")
        found = [record for record in found if record.document.get(key) in wanted]
    return _page(context, parameters, "LoadBalancers", found)


@operation("elbv2", "DescribeListeners")
def describe_listeners(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Those of a load balancer, or some by their ARNs."""
    arn, arns = parameters.get("LoadBalancerArn"), parameters.get("ListenerArns") or []
    if bool(arn) == bool(arns):
        raise _refuse("You must specify either listener ARNs or a load balancer ARN")
    if arn:
        balancer = _load_balancer(context, arn)
        return _page(context, parameters, "Listeners", context.transaction.find(Kind.LISTENER, parent=balancer.id))
    _check_arns(context, arns, "listener")
    found = context.transaction.find(Kind.LISTENER, account=context.caller.account, identifiers=arns)
    if len(found) < len(set(arns)):
        raise ApiError("ListenerNotFound", "One or more listeners not found")
    return _page(context, parameters, "Listeners", found)


@operation("elbv2", "DescribeTags")
def describe_tags(context: Context, parameters: Parameters) -> dict[str, Any]:
    """The tags of load balancers, listeners and target groups."""
    arns = list(dict.fromkeys(parameters["ResourceArns"]))
    if len(arns) > _MAX_TAGGED:
        raise _refuse(f"A request can have at most {_MAX_TAGGED} resource ARNs")
    descriptions = []
    for arn in arns:
        resource = arn.split(":", 5)[-1].partition("/")[0]
        if resource not in _KINDS:
            raise _refuse(f"'{arn[:256]}' is not a valid resource ARN")
        _check_arns(context, [arn], resource)
        record = context.transaction.get(_KINDS[resource][0], arn)
        if record is None:
            code = _KINDS[resource][2]
            raise ApiError(code, f"The specified resource '{arn[:256]}' was not found")
        tags = [{"Key": key, "Value": value} for key, value in record.tags.items()]
        descriptions.append({"ResourceArn": arn, "Tags": tags})
    return {"TagDescriptions": descriptions}


@operation("elbv2", "DescribeLoadBalancerAttributes")
def describe_load_balancer_attributes(context: Context, parameters: Parameters) -> dict[str, Any]:
    """What the inventory says, and AWS's defaults of the rest; Terraform reads attributes with the load balancer."""
    balancer = _load_balancer(context, parameters["LoadBalancerArn"])
    stated = {
        each["Key"]: each["Value"] for each in balancer.note.get("Attributes", ()) if {"Key", "Value"} <= each.keys()
    }
    attributes = {**_ATTRIBUTES, **stated}
    return {"Attributes": [{"Key": key, "Value": value} for key, value in attributes.items()]}


@operation("elbv2", "DescribeTargetGroups")
def describe_target_groups(context: Context, parameters: Parameters) -> dict[str, Any]:
    """All of the account, those of a load balancer, or those of some names or ARNs."""
    names, arns = parameters.get("Names") or [], parameters.get("TargetGroupArns") or []
    balancer = parameters.get("LoadBalancerArn")
    if sum(map(bool, (names, arns, balancer))) > 1:
        raise _refuse("Target group names, target group ARNs and a load balancer ARN cannot be specified together")
    _check_arns(context, arns, "targetgroup")
    found = context.transaction.find(Kind.TARGET_GROUP, account=context.caller.account)
    if balancer:
        identifier = _load_balancer(context, balancer).id
        found = [record for record in found if identifier in record.document.get("LoadBalancerArns", ())]
    if names or arns:
        key, wanted = ("TargetGroupName", names) if names else ("TargetGroupArn", arns)
        if set(wanted) - {record.document.get(key) for record in found}:
            raise ApiError("TargetGroupNotFound", "One or more target groups not found")
        found = [record for record in found if record.document.get(key) in wanted]
    return _page(context, parameters, "TargetGroups", found)


@operation("elbv2", "DescribeTargetHealth")
def describe_target_health(context: Context, parameters: Parameters) -> dict[str, Any]:
    """As the inventory has it; of some targets, where they are named, each by id and port."""
    arn = parameters["TargetGroupArn"]
    _check_arns(context, [arn], "targetgroup")
    group = context.transaction.get(Kind.TARGET_GROUP, arn)
    if group is None:
        raise ApiError("TargetGroupNotFound", "One or more target groups not found")
    health: list[dict[str, Any]] = group.note.get("TargetHealthDescriptions", [])
    wanted = parameters.get("Targets") or []
    port = group.document.get("Port")
    names = {(each.get("Id"), each.get("Port", port)) for each in wanted}
    there = {(each.get("Target", {}).get("Id"), each.get("Target", {}).get("Port", port)): each for each in health}
    if names - there.keys():
        raise ApiError("InvalidTarget", "One or more of the specified targets are not registered with the target group")
    return {"TargetHealthDescriptions": [each for name, each in there.items() if not wanted or name in names]}


def _load_balancer(context: Context, arn: str) -> Record:
    _check_arns(context, [arn], "loadbalancer")
    balancer = context.transaction.get(Kind.LOAD_BALANCER, arn)
    if balancer is None:
        raise ApiError("LoadBalancerNotFound", f"Load balancer '{arn[:256]}' not found")
    return balancer


def _check_arns(context: Context, arns: Sequence[str], resource: str) -> None:
    """ValidationError for an ARN that is not of the caller's account and region, or of something else."""
    right = context.settings.arn("elasticloadbalancing", context.caller.account, f"{resource}/")
    for arn in arns:
        if not arn.startswith(right):
            raise _refuse(f"'{arn[:256]}' is not a valid {_KINDS[resource][1]} ARN")


def _page(context: Context, parameters: Parameters, result: str, records: Sequence[Record]) -> dict[str, Any]:
    page, marker = _PAGING.cut(context, parameters, records)
    return {result: [record.document for record in page], **marker}


def _refuse(message: str) -> ApiError:
    return ApiError("ValidationError", message)
