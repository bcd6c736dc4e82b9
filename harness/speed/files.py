"""A large account to measure with: the example's inventory with thousands of interfaces more, and sessions on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["BALANCER", "EXAMPLE", "SESSIONS_EACH", "interface_id", "write_inventory", "write_policy"]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "inventory.json"
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/sensors/50dc6c495c0c9188"
"""Of the example. A target on it takes any number of sources."""
SESSIONS_EACH = 3
"""Sessions of one interface, AWS's quota."""
_ACCOUNT, _VPC, _SUBNET = "111122223333", "vpc-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"
_NAMES = ("TrafficMirrorFilters", "TrafficMirrorTargets", "TrafficMirrorSessions")


def interface_id(number: int) -> str:
    """Of the interfaces that are added to the example, from 0."""
    return f"eni-0b{number:015x}"


def write_inventory(path: Path, interfaces: int) -> None:
    """The example's inventory file with so many interfaces more, which the NIC does not carry."""
    path.write_text(json.dumps(_inventory(interfaces)))


def write_policy(path: Path, sessions: int) -> None:
    """A policy of one filter, one target and so many sessions, with the inventory that it needs."""
    filter_id, target_id = "tmf-0b000000000000001", "tmt-0b000000000000001"
    rule = {
        "TrafficMirrorFilterRuleId": "tmfr-0b000000000000001",
        "RuleNumber": 100,
        "RuleAction": "accept",
        "SourceCidrBlock": "0.0.0.0/0",
        "DestinationCidrBlock": "0.0.0.0/0",
    }
    owned = {"OwnerId": _ACCOUNT}
    objects = (
        [{"TrafficMirrorFilterId": filter_id, "IngressFilterRules": [rule], **owned}],
        [{"TrafficMirrorTargetId": target_id, "NetworkLoadBalancerArn": BALANCER, **owned}],
        [
            {
                "TrafficMirrorSessionId": f"tms-0b{number:015x}",
                "TrafficMirrorTargetId": target_id,
                "TrafficMirrorFilterId": filter_id,
                "NetworkInterfaceId": interface_id(number // SESSIONS_EACH),
                "SessionNumber": number % SESSIONS_EACH + 1,
                "VirtualNetworkId": number + 1,
                "Description": f"session {number + 1}",
                "Tags": [{"Key": "Name", "Value": f"tap {number + 1}"}],
                **owned,
            }
            for number in range(sessions)
        ],
    )
    path.write_text(
        json.dumps({**_inventory(-(-sessions // SESSIONS_EACH)), **dict(zip(_NAMES, objects, strict=True))})
    )


def _inventory(interfaces: int) -> dict[str, Any]:
    inventory: dict[str, Any] = json.loads(EXAMPLE.read_text())
    inventory["NetworkInterfaces"] += [_interface(number) for number in range(interfaces)]
    return inventory


def _interface(number: int) -> dict[str, Any]:
    low = number.to_bytes(3, "big")
    return {
        "NetworkInterfaceId": interface_id(number),
        "Description": f"interface {number + 1}",
        "OwnerId": _ACCOUNT,
        "InterfaceType": "interface",
        "MacAddress": f"0a:b0:01:{low.hex(':')}",
        "Status": "in-use",
        "PrivateIpAddress": f"10.{16 + low[0]}.{low[1]}.{low[2]}",
        "VpcId": _VPC,
        "SubnetId": _SUBNET,
        "AvailabilityZone": "us-east-1b",
    }
