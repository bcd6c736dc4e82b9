"""What guards interfaces and leads to them, as EC2 shows it: security groups, network ACLs, route tables.

Read only: they come from the inventory file, whose lists also say whether copies reach their targets. Everybody sees
what its account owns. Filters and error codes: the EC2 API reference.
"""

from __future__ import annotations

from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import Listing, describe, member
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.tag_rules import with_tags
from halfsilver.harness.control.state.record import Kind

__all__ = ["describe_network_acls", "describe_route_tables", "describe_security_groups"]


def _permissions(side: str, member_of_group: str) -> dict[str, Any]:
    """The filters on the permissions of one side."""
    found = {
        "cidr": "IpRanges.CidrIp",
        "from-port": "FromPort",
        "group-id": "UserIdGroupPairs.GroupId",
        "ipv6-cidr": "Ipv6Ranges.CidrIpv6",
        "prefix-list-id": "PrefixListIds.PrefixListId",
        "protocol": "IpProtocol",
        "to-port": "ToPort",
        "user-id": "UserIdGroupPairs.UserId",
    }
    return {f"{side}.{name}": member(f"{member_of_group}.{path}") for name, path in found.items()}


_GROUPS = Listing(
    kind=Kind.SECURITY_GROUP,
    result="SecurityGroups",
    ids="GroupIds",
    not_found="InvalidGroup.NotFound",
    noun="security group",
    filters={
        "description": member("Description"),
        **_permissions("ip-permission", "IpPermissions"),
        **_permissions("egress.ip-permission", "IpPermissionsEgress"),
        "group-id": member("GroupId"),
        "group-name": member("GroupName"),
        "owner-id": member("OwnerId"),
        "vpc-id": member("VpcId"),
    },
    render=with_tags,
    id_filter="group-id",
)
_ACLS = Listing(
    kind=Kind.NETWORK_ACL,
    result="NetworkAcls",
    ids="NetworkAclIds",
    not_found="InvalidNetworkAclID.NotFound",
    noun="networkAcl",
    filters={
        "association.association-id": member("Associations.NetworkAclAssociationId"),
        "association.network-acl-id": member("Associations.NetworkAclId"),
        "association.subnet-id": member("Associations.SubnetId"),
        "default": member("IsDefault"),
        "entry.cidr": member("Entries.CidrBlock"),
        "entry.icmp.code": member("Entries.IcmpTypeCode.Code"),
        "entry.icmp.type": member("Entries.IcmpTypeCode.Type"),
        "entry.ipv6-cidr": member("Entries.Ipv6CidrBlock"),
        "entry.port-range.from": member("Entries.PortRange.From"),
        "entry.port-range.to": member("Entries.PortRange.To"),
        "entry.protocol": member("Entries.Protocol"),
        "entry.rule-action": member("Entries.RuleAction"),
        "entry.egress": member("Entries.Egress"),
        "entry.rule-number": member("Entries.RuleNumber"),
        "network-acl-id": member("NetworkAclId"),
        "owner-id": member("OwnerId"),
        "vpc-id": member("VpcId"),
    },
    render=with_tags,
    id_filter="network-acl-id",
)
_TABLES = Listing(
    kind=Kind.ROUTE_TABLE,
    result="RouteTables",
    ids="RouteTableIds",
    not_found="InvalidRouteTableID.NotFound",
    noun="routeTable",
    filters={
        "association.gateway-id": member("Associations.GatewayId"),
        "association.main": member("Associations.Main"),
        "association.route-table-association-id": member("Associations.RouteTableAssociationId"),
        "association.route-table-id": member("Associations.RouteTableId"),
        "association.subnet-id": member("Associations.SubnetId"),
        "owner-id": member("OwnerId"),
        "route-table-id": member("RouteTableId"),
        "route.destination-cidr-block": member("Routes.DestinationCidrBlock"),
        "route.destination-ipv6-cidr-block": member("Routes.DestinationIpv6CidrBlock"),
        "route.destination-prefix-list-id": member("Routes.DestinationPrefixListId"),
        "route.egress-only-internet-gateway-id": member("Routes.EgressOnlyInternetGatewayId"),
        "route.gateway-id": member("Routes.GatewayId"),
        "route.instance-id": member("Routes.InstanceId"),
        "route.nat-gateway-id": member("Routes.NatGatewayId"),
        "route.origin": member("Routes.Origin"),
        "route.state": member("Routes.State"),
        "route.transit-gateway-id": member("Routes.TransitGatewayId"),
        "route.vpc-peering-connection-id": member("Routes.VpcPeeringConnectionId"),
        "vpc-id": member("VpcId"),
    },
    render=with_tags,
    id_filter="route-table-id",
)


@operation("ec2", "DescribeSecurityGroups")
def describe_security_groups(context: Context, parameters: Parameters) -> dict[str, Any]:
    """By ids or names, of which names are looked for in all VPCs (EC2 has them for default VPCs alone)."""
    names = parameters.get("GroupNames") or []
    if not names:
        return describe(context, parameters, _GROUPS)
    there = {
        each.document.get("GroupName")
        for each in context.transaction.find(Kind.SECURITY_GROUP, account=context.caller.account)
    }
    missing = [name for name in names if name not in there]
    if missing:
        raise ApiError("InvalidGroup.NotFound", f"The security group '{missing[0][:256]}' does not exist")
    by_name = {"Name": "group-name", "Values": [_literal(name) for name in names]}
    return describe(context, {**parameters, "Filters": [*parameters.get("Filters", ()), by_name]}, _GROUPS)


def _literal(text: str) -> str:
    """A text as the value of a filter, whose wildcards stand for themselves."""
    return "".join(f"\\{character}" if character in "*?\\" else character for character in text)


@operation("ec2", "DescribeNetworkAcls")
def describe_network_acls(context: Context, parameters: Parameters) -> dict[str, Any]:
    return describe(context, parameters, _ACLS)


@operation("ec2", "DescribeRouteTables")
def describe_route_tables(context: Context, parameters: Parameters) -> dict[str, Any]:
    return describe(context, parameters, _TABLES)
