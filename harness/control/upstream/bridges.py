"""What a look-alike has not, or has otherwise than AWS, put right in what was read from it.

Measured on moto 5.2.5: network load balancers and Gateway Load Balancer endpoints have no interfaces; an instance that
ends keeps its interfaces attached, and a NAT gateway leaves its own even when its subnet goes; an attachment that ends
is nowhere seen as ``detached``, for which Terraform waits; and the state of a subnet's IPv6 block is the text
``{'State': 'associated'}``. On moto 5.1, of which LocalStack 4.14 is made: MAC addresses are
``02:00:00:9102x:3002x:24002x``.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from halfsilver.harness.control.upstream.reading import Documents

__all__ = ["Bridges"]

DETACHED_SECONDS = 15.0
"""How long an attachment that ended is shown as ``detached``; Terraform asks every few seconds."""
_RESERVED = 5
"""Addresses of a subnet that nobody gets: the first four and the last (VPC user guide)."""
_FROM_TOP = 4096
"""Addresses of a subnet that are tried for an interface, from the highest down."""
_OF_INSTANCE = "Primary network interface"
"""Description of the interface that moto makes with an instance; at AWS it goes when the instance does."""

_MAC = re.compile("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_STATE = re.compile(r"'State': '(\w+)'")

Object = dict[str, Any]


@dataclass
class Bridges:
    """What must be remembered from one reading to the next. ``clock`` gives seconds."""

    clock: Callable[[], float] = time.monotonic
    _detached: dict[str, tuple[float, Object]] = field(default_factory=dict)
    _addresses: dict[tuple[str, str], str] = field(default_factory=dict)

    def detach(self, attachment: Mapping[str, Any]) -> None:
        """An attachment, as DescribeNetworkInterfaces had it, ends now."""
        now = self.clock()
        self._detached = {key: each for key, each in self._detached.items() if each[0] > now}
        self._detached[attachment["AttachmentId"]] = (now + DETACHED_SECONDS, {**attachment, "Status": "detached"})

    def mend(self, documents: Documents, before: Documents) -> None:
        """Put a reading right; ``before`` is the one before it, as it was mended."""
        _end_instances(documents)
        _leave_with_subnets(documents)
        _write_states(documents)
        _write_macs(documents)
        self._show_detached(documents, before)
        self._add_interfaces(documents)

    def _show_detached(self, documents: Documents, before: Documents) -> None:
        ends = {
            each["NetworkInterfaceId"]: _attachment(each)
            for each in before.get("NetworkInterfaces", ())
            if _attachment(each) in self._detached
        }
        now = self.clock()
        for each in documents["NetworkInterfaces"]:
            until, attachment = self._detached.get(ends.get(each["NetworkInterfaceId"], ""), (0.0, {}))
            if until > now and not _attachment(each):
                each["Attachment"] = attachment

    def _add_interfaces(self, documents: Documents) -> None:
        subnets = {each["SubnetId"]: each for each in documents["Subnets"]}
        taken = {
            (each["SubnetId"], place["PrivateIpAddress"])
            for each in documents["NetworkInterfaces"]
            for place in each.get("PrivateIpAddresses", ())
        }
        made = [
            self._interface(identifier, subnets[subnet_id], owner, members, taken)
            for identifier, subnet_id, owner, members in _without_interface(documents)
            if subnet_id in subnets
        ]
        by_owner: dict[str, list[str]] = {}
        for identifier, interface in made:
            by_owner.setdefault(identifier, []).append(interface["NetworkInterfaceId"])
            documents["NetworkInterfaces"].append(interface)
        for endpoint in documents["VpcEndpoints"]:
            if endpoint["VpcEndpointId"] in by_owner:
                endpoint["NetworkInterfaceIds"] = by_owner[endpoint["VpcEndpointId"]]

    def _interface(
        self, identifier: str, subnet: Object, owner: str, members: Object, taken: set[tuple[str, str]]
    ) -> tuple[str, Object]:
        """The interface of something in a subnet: always the same for the same, but for an address that is taken."""
        digest = hashlib.sha256(f"{identifier} {subnet['SubnetId']}".encode()).hexdigest()
        place = (identifier, subnet["SubnetId"])
        address = self._addresses.get(place)
        if address is None or (subnet["SubnetId"], address) in taken:
            address = _free_address(subnet, taken)
            self._addresses[place] = address
        taken.add((subnet["SubnetId"], address))
        return identifier, {
            "NetworkInterfaceId": f"eni-{digest[:17]}",
            "MacAddress": _mac(digest[17:]),
            "OwnerId": owner,
            "VpcId": subnet["VpcId"],
            "SubnetId": subnet["SubnetId"],
            "AvailabilityZone": subnet["AvailabilityZone"],
            "PrivateIpAddress": address,
            "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": address}],
            "Status": "in-use",
            "RequesterManaged": True,
            "SourceDestCheck": False,
            **members,
        }


def _attachment(interface: Object) -> str:
    """The id of its attachment, "" if it has none."""
    return str((interface.get("Attachment") or {}).get("AttachmentId", ""))


def _free_address(subnet: Object, taken: set[tuple[str, str]]) -> str:
    """The highest address of a subnet that is free: look-alikes give the low ones away first."""
    network = ipaddress.ip_network(subnet["CidrBlock"])
    for offset in range(2, min(_FROM_TOP, network.num_addresses - _RESERVED + 2)):
        address = str(network[-offset])
        if (subnet["SubnetId"], address) not in taken:
            return address
    return str(network[-2])


def _without_interface(documents: Documents) -> Iterator[tuple[str, str, str, Object]]:
    """Id, subnet, owner, and members of the interfaces to be made."""
    described = {each.get("Description") for each in documents["NetworkInterfaces"]}
    for balancer in documents["LoadBalancers"]:
        arn, owner = balancer["LoadBalancerArn"], balancer["LoadBalancerArn"].split(":")[4]
        name = f"ELB {arn.partition(':loadbalancer/')[2]}"
        if balancer.get("Type") != "network" or name in described:
            continue
        groups = [{"GroupId": each} for each in balancer.get("SecurityGroups", ())]
        members = {
            "Description": name,
            "InterfaceType": "network_load_balancer",
            "RequesterId": "amazon-elb",
            "Groups": groups,
        }
        for zone in balancer.get("AvailabilityZones", ()):
            yield arn, zone.get("SubnetId", ""), owner, members
    for endpoint in documents["VpcEndpoints"]:
        if endpoint.get("VpcEndpointType") != "GatewayLoadBalancer" or endpoint.get("NetworkInterfaceIds"):
            continue
        members = {
            "Description": f"VPC Endpoint Interface {endpoint['VpcEndpointId']}",
            "InterfaceType": "gateway_load_balancer_endpoint",
            "Groups": [],
        }
        for subnet_id in endpoint.get("SubnetIds", ()):
            yield endpoint["VpcEndpointId"], subnet_id, endpoint["OwnerId"], members


def _write_states(documents: Documents) -> None:
    """The states of subnets' IPv6 blocks, as AWS writes them."""
    for subnet in documents["Subnets"]:
        for block in subnet.get("Ipv6CidrBlockAssociationSet", ()):
            state = block.get("Ipv6CidrBlockState", {})
            if found := _STATE.search(state.get("State", "")):
                state["State"] = found[1]


def _leave_with_subnets(documents: Documents) -> None:
    """Take interfaces out whose subnet is gone, as a NAT gateway leaves one; AWS keeps a subnet that has any."""
    subnets = {each["SubnetId"] for each in documents["Subnets"]}
    documents["NetworkInterfaces"] = [each for each in documents["NetworkInterfaces"] if each["SubnetId"] in subnets]


def _write_macs(documents: Documents) -> None:
    """A MAC address, always the same, for an interface whose own is none."""
    for interface in documents["NetworkInterfaces"]:
        if "MacAddress" in interface and not _MAC.fullmatch(interface["MacAddress"]):
            interface["MacAddress"] = _mac(hashlib.sha256(interface["NetworkInterfaceId"].encode()).hexdigest())


def _mac(digits: str) -> str:
    return "06:" + ":".join(digits[index : index + 2] for index in range(0, 10, 2))


def _end_instances(documents: Documents) -> None:
    """Take instances that have ended out, with the interfaces that were made with them; others are free again."""
    ended = set()
    for reservation in documents["Reservations"]:
        gone = [each for each in reservation["Instances"] if each.get("State", {}).get("Name") == "terminated"]
        ended |= {each["InstanceId"] for each in gone}
        reservation["Instances"] = [each for each in reservation["Instances"] if each not in gone]
    documents["Reservations"] = [each for each in documents["Reservations"] if each["Instances"]]
    kept = []
    for each in documents["NetworkInterfaces"]:
        attachment = each.get("Attachment") or {}
        own = each.get("Description") == _OF_INSTANCE
        if attachment.get("InstanceId") in ended:
            if own:
                continue
            del each["Attachment"]
            each["Status"] = "available"
        elif own and attachment:
            attachment["DeleteOnTermination"] = True
        kept.append(each)
    documents["NetworkInterfaces"] = kept
