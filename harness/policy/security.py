"""What guards an interface: security groups and network ACLs, as ``aws ec2 describe-security-groups`` and
``describe-network-acls`` print them, and the rules for ingress that follow from them.

What is not in the file is not guessed: a group or an ACL that an interface of the NIC has must be there once its list
is. The law is ``docs/mirroring.md`` section 14.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from halfsilver.harness.policy.filters import MAX_PORT, PORT_PROTOCOLS
from halfsilver.harness.policy.node import Node, show
from halfsilver.harness.policy.types import (
    Described,
    Guard,
    Network,
    NetworkAcl,
    NetworkInterface,
    Permission,
    Problem,
    Rule,
    SecurityGroup,
)

__all__ = ["find_guard", "read_network_acl", "read_security_group"]

_NAMES = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
"""Protocols that EC2 prints by name (EC2 API, IpPermission)."""
_ICMP = (1, 58)
_ALL = -1
"""EC2's number for every protocol, every ICMP type and every code."""
_LAST_ENTRY = 32768
"""Numbers of ACL entries: AWS prints its own last two as 32767 (IPv4) and 32768 (IPv6)."""
_ANYWHERE: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}


def read_security_group(node: Node, group_id: str) -> SecurityGroup:
    """A security group with its permissions for ingress, as far as they could be read."""
    found = [_read_permission(entry) for entry in node.children("IpPermissions")]
    return SecurityGroup(group_id, tuple(permission for permission in found if permission is not None))


def _read_permission(node: Node) -> Permission | None:
    protocol = _read_protocol(node, "IpProtocol", _NAMES)
    if protocol is None:
        return None
    ports = None
    if protocol in PORT_PROTOCOLS:
        ports = _read_range(node, "FromPort", "ToPort")
    elif protocol in _ICMP:
        _refuse_types(node, "FromPort", "ToPort")
    networks = [entry.cidr("CidrIp", required=True) for entry in node.children("IpRanges")]
    networks += [entry.cidr("CidrIpv6", required=True) for entry in node.children("Ipv6Ranges")]
    groups = [entry.identifier("GroupId", "sg", required=True) for entry in node.children("UserIdGroupPairs")]
    if node.children("PrefixListIds"):
        node.error("PrefixListIds", "cannot be resolved, its entries are not in the file; write them as IpRanges")
    return Permission(
        node.place(),
        None if protocol == _ALL else protocol,
        ports,
        tuple(network for network in networks if network is not None),
        tuple(group for group in groups if group is not None),
    )


def read_network_acl(node: Node, acl_id: str) -> NetworkAcl:
    """A network ACL with its entries for ingress in ascending number, as far as they could be read."""
    numbers: dict[int, str] = {}
    found = [_read_entry(entry, acl_id, numbers) for entry in node.children("Entries")]
    subnets = [entry.identifier("SubnetId", "subnet") for entry in node.children("Associations")]
    return NetworkAcl(
        acl_id,
        node.identifier("VpcId", "vpc"),
        node.values.get("IsDefault") is True,
        frozenset(subnet for subnet in subnets if subnet is not None),
        tuple(sorted((rule for rule in found if rule is not None), key=lambda rule: rule.number)),
    )


def _read_entry(node: Node, acl_id: str, numbers: dict[int, str]) -> Rule | None:
    """One entry for ingress; None for egress, and where it cannot be used."""
    egress = node.values.get("Egress")
    if not isinstance(egress, bool):
        node.error("Egress", f"must be true or false, not {show(egress)}")
        return None
    if egress:
        return None
    number = node.integer("RuleNumber", 1, _LAST_ENTRY, required=True)
    if number is not None:
        other = numbers.setdefault(number, node.path)
        if other != node.path:
            node.error("RuleNumber", f"{number} is also that of {other}; numbers are unique per direction")
    action = node.choice("RuleAction", ("allow", "deny"), required=True)
    protocol = _read_protocol(node, "Protocol", {})
    ports = None
    if protocol in PORT_PROTOCOLS:
        inner = node.child("PortRange")
        if inner is None:
            node.error("PortRange", "is missing; it must be an object with From and To for TCP and UDP")
        else:
            ports = _read_range(inner, "From", "To")
    elif protocol in _ICMP:
        inner = node.child("IcmpTypeCode")
        if inner is not None:
            _refuse_types(inner, "Type", "Code")
    stated = [node.cidr("CidrBlock"), node.cidr("Ipv6CidrBlock")]
    networks = [network for network in stated if network is not None]
    if len([key for key in ("CidrBlock", "Ipv6CidrBlock") if node.values.get(key) is not None]) != 1:
        node.error("CidrBlock", "an entry has exactly one of CidrBlock and Ipv6CidrBlock")
        return None
    if number is None or action is None or protocol is None or not networks:
        return None
    source = networks[0]
    return Rule(
        f"{acl_id} {number}",
        number,
        action == "allow",
        source,
        _ANYWHERE[source.version],
        None if protocol == _ALL else protocol,
        None,
        ports,
    )


def _read_protocol(node: Node, key: str, names: dict[str, int]) -> int | None:
    """An IANA number, `_ALL` for every protocol; None if it is wrong. EC2 prints it as text."""
    right = " or ".join([*names, "a protocol number such as 6, or -1 for all"])
    value = node.text(key, right, required=True)
    if value is None or value in names:
        return None if value is None else names[value]
    if value == str(_ALL) or (value.isascii() and value.isdigit() and len(value) < 4 and int(value) < 256):
        return int(value)
    node.error(key, f"must be {right}, not {show(value)}")
    return None


def _read_range(node: Node, low: str, high: str) -> tuple[int, int] | None:
    first = node.integer(low, 0, MAX_PORT, required=True)
    last = node.integer(high, 0, MAX_PORT, required=True)
    if first is None or last is None:
        return None
    if first > last:
        node.error(low, f"is reversed: {first} is above {high} {last}")
        return None
    return first, last


def _refuse_types(node: Node, *keys: str) -> None:
    """ICMP types and codes are not among the fields that the NIC looks at."""
    for key in keys:
        if node.integer(key, _ALL, 255) not in (None, _ALL):
            node.error(key, "names an ICMP type or code, which the NIC does not look at; allow all of them (-1)")


def find_guard(described: Described, interface: NetworkInterface) -> tuple[Guard | None, list[Problem]]:
    """What guards an interface of the NIC; None where the file has neither list."""
    problems: list[Problem] = []

    def refuse(field: str, message: str) -> None:
        problems.append(Problem("error", f"{described.places[interface.eni_id]} {field}".rstrip(), message))

    groups = acl = None
    if described.groups is not None:
        if not interface.group_ids:
            refuse("Groups", "is missing, so its security groups are not known; state them or leave out SecurityGroups")
        for group_id in interface.group_ids:
            if group_id not in described.groups:
                refuse("Groups", f"{group_id} is not in SecurityGroups; add its description there")
        own = [described.groups[each] for each in interface.group_ids if each in described.groups]
        groups = tuple(rule for group in own for rule in _group_rules(described, group))
    if described.acls is not None:
        found = _acl_of(described, interface)
        if found is None:
            subnet = interface.subnet_id or "its subnet, which SubnetId does not state,"
            refuse("SubnetId", f"the network ACL of {subnet} is not in NetworkAcls; add it, or leave out NetworkAcls")
        else:
            acl = found.ingress
    if groups is None and acl is None:
        return None, problems
    return Guard(groups, acl), problems


def _acl_of(described: Described, interface: NetworkInterface) -> NetworkAcl | None:
    """The ACL of the interface's subnet: the one associated with it, else the default one of the VPC."""
    acls = (described.acls or {}).values()
    for acl in acls:
        if interface.subnet_id is not None and interface.subnet_id in acl.subnets:
            return acl
    vpc_id = interface.vpc_id
    return next((acl for acl in acls if acl.default and vpc_id is not None and acl.vpc_id == vpc_id), None)


def _group_rules(described: Described, group: SecurityGroup) -> Iterator[Rule]:
    """One rule for each network of each permission, a group's members being networks of one address."""
    for permission in group.permissions:
        members = [
            ip_network(address)
            for interface in described.interfaces.values()
            if not set(permission.group_ids).isdisjoint(interface.group_ids)
            for address in sorted(interface.addresses, key=lambda address: (address.version, int(address)))
        ]
        for number, network in enumerate(dict.fromkeys((*permission.networks, *members)), 1):
            yield Rule(
                permission.place,
                number,
                True,
                network,
                _ANYWHERE[network.version],
                permission.protocol,
                None,
                permission.ports,
            )
