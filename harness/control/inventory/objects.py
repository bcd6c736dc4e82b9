"""Objects of an inventory file, held against AWS's own description of them, and those that follow from the interfaces.

``conform`` keeps what botocore's service model knows of an object and says where a value is of another type, so that
every object that gets into the store can be sent to a client. ``derive`` makes the VPCs, subnets, instances and zones
that interfaces and load balancers name but the file does not list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from halfsilver.harness.control.operations.parameters import ILLEGAL
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.policy.network import region_of
from halfsilver.harness.policy.node import Node, show

__all__ = ["conform", "derive", "model", "shape", "text"]

_BITS = {"integer": 32, "long": 64}


@cache
def shape(service: str, name: str) -> Any:
    """A shape of botocore's service model, such as ("ec2", "NetworkInterface")."""
    return model(service).shape_for(name)


@cache
def model(service: str) -> Any:
    """botocore's model of a service, by botocore's name for it."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def conform(node: Node, structure: Any) -> dict[str, Any]:
    """The members of an object that AWS knows; a value of another type is an error and left out.

    Members that the model does not know are left out silently: a newer client prints them.
    """
    found = {}
    for name, member in structure.members.items():
        if node.values.get(name) is not None:
            value = _member(node, name, node.values[name], member)
            if value is not None:
                found[name] = value
    return found


def _member(node: Node, name: str, value: object, member: Any) -> Any:
    if member.type_name == "structure":
        child = node.child(name)
        return None if child is None else conform(child, member)
    if member.type_name == "list":
        if member.member.type_name == "structure":
            return [conform(child, member.member) for child in node.children(name)]
        values = [_member(node, place, item, member.member) for place, item in node.items(name)]
        return [item for item in values if item is not None]
    if member.type_name == "map":
        if isinstance(value, Mapping) and all(isinstance(each, str) for pair in value.items() for each in pair):
            return dict(value)
        node.error(name, f"must be an object of strings, not {show(value)}")
        return None
    if member.type_name == "timestamp":
        return _timestamp(node, name, value)
    if member.type_name == "string":
        return text(node, name, value)
    bits = _BITS.get(member.type_name)
    if bits is None and isinstance(value, bool):
        return value
    if bits and isinstance(value, int) and not isinstance(value, bool) and -(1 << bits - 1) <= value < 1 << bits - 1:
        return value
    right = f"a whole number of {bits} bits" if bits else "true or false"
    node.error(name, f"must be {right}, not {show(value)}")
    return None


def text(node: Node, name: str, value: object) -> str | None:
    """A string that every answer can carry; None (and an error) for anything else."""
    if not isinstance(value, str):
        node.error(name, f"must be a string, not {show(value)}")
    elif ILLEGAL.search(value):
        node.error(name, f"has a character that XML cannot carry: {show(value)}")
    else:
        return value
    return None


def _timestamp(node: Node, name: str, value: object) -> str | None:
    """As ISO 8601, which JSON can keep."""
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()
        except ValueError:
            pass
    node.error(name, f"must be a time such as 2026-01-31T12:00:00+00:00, not {show(value)}")
    return None


def derive(listed: Iterable[Record]) -> list[Record]:
    """The VPCs, subnets, instances and zones that ``listed`` names without having them, in order of mention."""
    known: dict[str, Record] = {record.id: record for record in listed}
    before = list(known)
    interfaces = [record for record in known.values() if record.kind == Kind.INTERFACE]
    for interface in interfaces:
        _derive_subnet(known, interface)
    attached: dict[str, list[Record]] = {}
    for interface in sorted(interfaces, key=_device_index):
        if "InstanceId" in interface.document.get("Attachment", {}):
            attached.setdefault(interface.document["Attachment"]["InstanceId"], []).append(interface)
    for instance_id in [each for each in attached if each not in known]:
        _derive_instance(known, instance_id, attached[instance_id])
    for record in list(known.values()):
        _derive_vpc(known, record)
        _derive_zones(known, record)
    return [record for identifier, record in known.items() if identifier not in before]


def _derive_subnet(known: dict[str, Record], interface: Record) -> None:
    own = interface.document
    if "SubnetId" in own and own["SubnetId"] not in known:
        document = {"SubnetId": own["SubnetId"], "OwnerId": interface.account, "State": "available"}
        document |= _part(own, ("VpcId", "AvailabilityZone", "AvailabilityZoneId"))
        known[own["SubnetId"]] = Record(Kind.SUBNET, own["SubnetId"], interface.account, document)


def _derive_instance(known: dict[str, Record], instance_id: str, interfaces: list[Record]) -> None:
    """Running; the addresses of its first interface are its own."""
    first, there = interfaces[0], shape("ec2", "InstanceNetworkInterface").members
    document: dict[str, Any] = {"InstanceId": instance_id, "State": {"Code": 16, "Name": "running"}}
    document |= _part(first.document, ("VpcId", "SubnetId", "PrivateIpAddress", "PrivateDnsName"))
    if "AvailabilityZone" in first.document:
        document["Placement"] = {"AvailabilityZone": first.document["AvailabilityZone"]}
    document["NetworkInterfaces"] = [
        _part(each.document, there) | {"Attachment": _part(each.document["Attachment"], there["Attachment"].members)}
        for each in interfaces
    ]
    note = {"reservation": "r-" + instance_id.removeprefix("i-")}
    known[instance_id] = Record(Kind.INSTANCE, instance_id, first.account, document, note=note)


def _part(document: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: document[name] for name in names if name in document}


def _device_index(interface: Record) -> int:
    return int(interface.document.get("Attachment", {}).get("DeviceIndex", 0))


def _derive_vpc(known: dict[str, Record], record: Record) -> None:
    vpc_id = record.document.get("VpcId")
    if vpc_id is not None and vpc_id not in known:
        known[vpc_id] = Record(
            Kind.VPC, vpc_id, record.account, {"VpcId": vpc_id, "OwnerId": record.account, "State": "available"}
        )


def _derive_zones(known: dict[str, Record], record: Record) -> None:
    if record.kind in (Kind.INTERFACE, Kind.SUBNET):
        named = [(record.document.get("AvailabilityZone"), record.document.get("AvailabilityZoneId"))]
    elif record.kind == Kind.LOAD_BALANCER:
        named = [(zone.get("ZoneName"), None) for zone in record.document.get("AvailabilityZones", [])]
    else:
        return
    for name, zone_id in named:
        region = region_of(name or "")
        if name is None or name in known or region is None:
            continue
        document = {
            "ZoneName": name,
            "RegionName": region,
            "State": "available",
            "ZoneType": "availability-zone",
            "OptInStatus": "opt-in-not-required",
            "GroupName": region,
            "NetworkBorderGroup": region,
        }
        known[name] = Record(Kind.ZONE, name, "", document | ({"ZoneId": zone_id} if zone_id else {}))
