"""The inventory as EC2 shows it: interfaces, VPCs, subnets, instances and endpoints. Read only: it comes from a file.

Everybody sees what its account owns. The owner of a subnet also sees the interfaces that other accounts have in it,
and an account with an interface in a shared subnet sees that subnet and its VPC (guide, "Shared VPCs and subnets").
Filters and error codes: the EC2 API reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from halfsilver.harness.control.operations import identifiers, sharing
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.listing import Listing, describe, member
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.tag_rules import tag_list, with_tags
from halfsilver.harness.control.state.record import Kind, Record

__all__ = [
    "describe_instances",
    "describe_network_interfaces",
    "describe_prefix_lists",
    "describe_subnets",
    "describe_vpc_attribute",
    "describe_vpc_endpoints",
    "describe_vpcs",
]


def _check_ids(parameters: Parameters, listing: Listing) -> None:
    for identifier in parameters.get(listing.ids, ()):
        identifiers.check_form(listing.kind, identifier)


def _of_others(context: Context, name: str) -> frozenset[str]:
    """Subnets or VPCs that the caller has interfaces in; ``name`` is the member of an interface."""
    own = context.transaction.find(Kind.INTERFACE, account=context.caller.account)
    return frozenset(each.document[name] for each in own if name in each.document)


# Interfaces.


def _addresses(context: Context, record: Record) -> Iterable[object]:
    paths = ("PrivateIpAddress", "PrivateIpAddresses.PrivateIpAddress")
    return [address for path in paths for address in member(path)(context, record)]


def _render_interfaces(context: Context, records: Sequence[Record]) -> list[dict[str, Any]]:
    return [{**record.document, "TagSet": tag_list(context, record)} for record in records]


_INTERFACES = Listing(
    kind=Kind.INTERFACE,
    result="NetworkInterfaces",
    ids="NetworkInterfaceIds",
    not_found="InvalidNetworkInterfaceID.NotFound",
    noun="networkInterface",
    filters={
        "addresses.association.public-ip": member("PrivateIpAddresses.Association.PublicIp"),
        "addresses.primary": member("PrivateIpAddresses.Primary"),
        "addresses.private-ip-address": member("PrivateIpAddresses.PrivateIpAddress"),
        "association.public-ip": member("Association.PublicIp"),
        "attachment.attachment-id": member("Attachment.AttachmentId"),
        "attachment.delete-on-termination": member("Attachment.DeleteOnTermination"),
        "attachment.device-index": member("Attachment.DeviceIndex"),
        "attachment.instance-id": member("Attachment.InstanceId"),
        "attachment.instance-owner-id": member("Attachment.InstanceOwnerId"),
        "attachment.status": member("Attachment.Status"),
        "availability-zone": member("AvailabilityZone"),
        "availability-zone-id": member("AvailabilityZoneId"),
        "description": member("Description"),
        "group-id": member("Groups.GroupId"),
        "group-name": member("Groups.GroupName"),
        "interface-type": member("InterfaceType"),
        "ipv6-addresses.ipv6-address": member("Ipv6Addresses.Ipv6Address"),
        "mac-address": member("MacAddress"),
        "network-interface-id": member("NetworkInterfaceId"),
        "owner-id": member("OwnerId"),
        "private-dns-name": member("PrivateDnsName"),
        "private-ip-address": _addresses,
        "requester-id": member("RequesterId"),
        "requester-managed": member("RequesterManaged"),
        "source-dest-check": member("SourceDestCheck"),
        "status": member("Status"),
        "subnet-id": member("SubnetId"),
        "vpc-id": member("VpcId"),
    },
    render=_render_interfaces,
    visible=sharing.may_mirror,
    id_filter="network-interface-id",
)


@operation("ec2", "DescribeNetworkInterfaces")
def describe_network_interfaces(context: Context, parameters: Parameters) -> dict[str, Any]:
    _check_ids(parameters, _INTERFACES)
    return describe(context, parameters, _INTERFACES)


# VPCs and subnets.


_VPCS = Listing(
    kind=Kind.VPC,
    result="Vpcs",
    ids="VpcIds",
    not_found="InvalidVpcID.NotFound",
    noun="vpc",
    filters={
        "cidr": member("CidrBlock"),
        "cidr-block-association.cidr-block": member("CidrBlockAssociationSet.CidrBlock"),
        "dhcp-options-id": member("DhcpOptionsId"),
        "ipv6-cidr-block-association.ipv6-cidr-block": member("Ipv6CidrBlockAssociationSet.Ipv6CidrBlock"),
        "is-default": member("IsDefault"),
        "isDefault": member("IsDefault"),
        "owner-id": member("OwnerId"),
        "state": member("State"),
        "vpc-id": member("VpcId"),
    },
    render=with_tags,
    id_filter="vpc-id",
)
_SUBNETS = Listing(
    kind=Kind.SUBNET,
    result="Subnets",
    ids="SubnetIds",
    not_found="InvalidSubnetID.NotFound",
    noun="subnet",
    filters={
        "availability-zone": member("AvailabilityZone"),
        "availabilityZone": member("AvailabilityZone"),
        "availability-zone-id": member("AvailabilityZoneId"),
        "availabilityZoneId": member("AvailabilityZoneId"),
        "available-ip-address-count": member("AvailableIpAddressCount"),
        "cidr": member("CidrBlock"),
        "cidr-block": member("CidrBlock"),
        "cidrBlock": member("CidrBlock"),
        "default-for-az": member("DefaultForAz"),
        "defaultForAz": member("DefaultForAz"),
        "ipv6-cidr-block-association.association-id": member("Ipv6CidrBlockAssociationSet.AssociationId"),
        "ipv6-cidr-block-association.ipv6-cidr-block": member("Ipv6CidrBlockAssociationSet.Ipv6CidrBlock"),
        "ipv6-cidr-block-association.state": member("Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State"),
        "map-public-ip-on-launch": member("MapPublicIpOnLaunch"),
        "owner-id": member("OwnerId"),
        "state": member("State"),
        "subnet-arn": member("SubnetArn"),
        "subnet-id": member("SubnetId"),
        "vpc-id": member("VpcId"),
    },
    render=with_tags,
    id_filter="subnet-id",
)


@operation("ec2", "DescribeVpcs")
def describe_vpcs(context: Context, parameters: Parameters) -> dict[str, Any]:
    return _describe_shared(context, parameters, _VPCS, "VpcId")


@operation("ec2", "DescribeVpcAttribute")
def describe_vpc_attribute(context: Context, parameters: Parameters) -> dict[str, Any]:
    """What every VPC of an inventory has; Terraform reads the attributes with the VPC."""
    identifier, name = parameters["VpcId"], parameters["Attribute"]
    describe_vpcs(context, {"VpcIds": [identifier]})
    return {"VpcId": identifier, name[0].upper() + name[1:]: {"Value": name.startswith("enableDns")}}


@operation("ec2", "DescribeSubnets")
def describe_subnets(context: Context, parameters: Parameters) -> dict[str, Any]:
    return _describe_shared(context, parameters, _SUBNETS, "SubnetId")


def _describe_shared(context: Context, parameters: Parameters, listing: Listing, name: str) -> dict[str, Any]:
    _check_ids(parameters, listing)
    shared = _of_others(context, name)

    def visible(context: Context, record: Record) -> bool:
        return record.account == context.caller.account or record.id in shared

    return describe(context, parameters, replace(listing, visible=visible))


# Instances and endpoints.


def _render_instances(context: Context, records: Sequence[Record]) -> list[dict[str, Any]]:
    """In the reservations that they were launched by."""
    reservations: dict[str, dict[str, Any]] = {}
    for record, instance in zip(records, with_tags(context, records), strict=True):
        identifier = record.note["reservation"]
        empty = {"ReservationId": identifier, "OwnerId": record.account, "Groups": [], "Instances": []}
        reservations.setdefault(identifier, empty)["Instances"].append(instance)
    return list(reservations.values())


def _reservation(_: Context, record: Record) -> Iterable[object]:
    return [record.note["reservation"]]


def _account(_: Context, record: Record) -> Iterable[object]:
    return [record.account]


_INSTANCES = Listing(
    kind=Kind.INSTANCE,
    result="Reservations",
    ids="InstanceIds",
    not_found="InvalidInstanceID.NotFound",
    noun="instance",
    filters={
        "architecture": member("Architecture"),
        "availability-zone": member("Placement.AvailabilityZone"),
        "dns-name": member("PublicDnsName"),
        "image-id": member("ImageId"),
        "instance-id": member("InstanceId"),
        "instance-state-code": member("State.Code"),
        "instance-state-name": member("State.Name"),
        "instance-type": member("InstanceType"),
        "ip-address": member("PublicIpAddress"),
        "key-name": member("KeyName"),
        "network-interface.addresses.private-ip-address": member(
            "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress"
        ),
        "network-interface.mac-address": member("NetworkInterfaces.MacAddress"),
        "network-interface.network-interface-id": member("NetworkInterfaces.NetworkInterfaceId"),
        "network-interface.subnet-id": member("NetworkInterfaces.SubnetId"),
        "network-interface.vpc-id": member("NetworkInterfaces.VpcId"),
        "owner-id": _account,
        "private-dns-name": member("PrivateDnsName"),
        "private-ip-address": member("PrivateIpAddress"),
        "reservation-id": _reservation,
        "subnet-id": member("SubnetId"),
        "vpc-id": member("VpcId"),
    },
    render=_render_instances,
    id_filter="instance-id",
)
_ENDPOINTS = Listing(
    kind=Kind.ENDPOINT,
    result="VpcEndpoints",
    ids="VpcEndpointIds",
    not_found="InvalidVpcEndpointId.NotFound",
    noun="Vpc Endpoint",
    filters={
        "ip-address-type": member("IpAddressType"),
        "service-name": member("ServiceName"),
        "service-region": member("ServiceRegion"),
        "vpc-endpoint-id": member("VpcEndpointId"),
        "vpc-endpoint-state": member("State"),
        "vpc-endpoint-type": member("VpcEndpointType"),
        "vpc-id": member("VpcId"),
    },
    render=with_tags,
    id_filter="vpc-endpoint-id",
)


@operation("ec2", "DescribeInstances")
def describe_instances(context: Context, parameters: Parameters) -> dict[str, Any]:
    _check_ids(parameters, _INSTANCES)
    return describe(context, parameters, _INSTANCES)


@operation("ec2", "DescribeVpcEndpoints")
def describe_vpc_endpoints(context: Context, parameters: Parameters) -> dict[str, Any]:
    _check_ids(parameters, _ENDPOINTS)
    return describe(context, parameters, _ENDPOINTS)


@operation("ec2", "DescribePrefixLists")
def describe_prefix_lists(context: Context, parameters: Parameters) -> dict[str, Any]:
    """None: they belong to gateway endpoints. Terraform asks for them with every endpoint that it reads."""
    return {"PrefixLists": []}
