"""``harness/policy/aws_members.json``: which members AWS's describe commands print, from botocore's service models.

A policy is read without botocore, so what is needed of its models stands in this file; ``make docs`` writes it.
"""

from __future__ import annotations

import json

import botocore
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

__all__ = ["aws_members"]

OPERATIONS = {
    "ec2": (
        "DescribeTrafficMirrorFilters",
        "DescribeTrafficMirrorFilterRules",
        "DescribeTrafficMirrorSessions",
        "DescribeTrafficMirrorTargets",
        "DescribeNetworkInterfaces",
        "DescribeVpcs",
        "DescribeVpcEndpoints",
        "DescribeSubnets",
        "DescribeInstances",
        "DescribeAvailabilityZones",
        "DescribeSecurityGroups",
        "DescribeNetworkAcls",
        "DescribeRouteTables",
        "DescribeVpcPeeringConnections",
        "DescribeTransitGatewayVpcAttachments",
    ),
    "elbv2": (
        "DescribeLoadBalancers",
        "DescribeListeners",
        "DescribeTargetGroups",
        "DescribeTargetHealth",
        "DescribeLoadBalancerAttributes",
    ),
    "organizations": ("ListAccounts",),
}
"""The operations whose output a policy or an inventory file may hold."""


def aws_members() -> str:
    """The text of the file: ``botocore`` its version, ``lists`` and ``shapes`` as members.py says."""
    lists: dict[str, str] = {}
    shapes: dict[str, dict[str, str]] = {}
    for service, operations in OPERATIONS.items():
        model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
        for operation in operations:
            for name, member in model.operation_model(operation).output_shape.members.items():
                inner = _collect(service, member, shapes)
                if inner:
                    lists[name] = inner
    return json.dumps({"botocore": botocore.__version__, "lists": lists, "shapes": shapes}, indent=1) + "\n"


def _collect(service: str, shape: Shape, shapes: dict[str, dict[str, str]]) -> str:
    """The name of the structure that a member is or lists, with its own members in ``shapes``; empty for a value."""
    while shape.type_name == "list":
        shape = shape.member
    if shape.type_name != "structure":
        return ""
    name = f"{service}.{shape.name}"
    if name not in shapes:
        found: dict[str, str] = {}
        shapes[name] = found
        for member, inner in shape.members.items():
            found[member] = _collect(service, inner, shapes)
    return name
