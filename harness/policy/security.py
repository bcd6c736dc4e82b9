"""What guards an interface: security groups and network ACLs, as ``aws ec2 describe-security-groups`` and
``describe-network-acls`` print them, and the rules for ingress that follow from them.

What is not in the file is not guessed: a group or an ACL that an interface of the NIC has must be there once its list
is. The law is ``docs/mirroring.md`` section 14.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network

from halfsilver.harness.policy.fields import Choice, Cidr, Flag, Identifier, Object, Objects, Pattern, Whole
from halfsilver.harness.policy.filters import MAX_PORT, PORT_PROTOCOLS
from halfsilver.harness.policy.network import SUBNET_ID, VPC_ID
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

__all__ = ["acl_of", "find_guard", "group_rules", "read_network_acl", "read_security_group"]

_NAMES = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
"""Protocols that EC2 prints by name (EC2 API, IpPermission)."""
_CLI_NAMES = {"tcp": 6, "udp": 17, "icmp": 1, "all": -1}
"""What the AWS CLI takes for the protocol of an entry, and turns into a number; AWS prints the number."""
_ICMP = (1, 58)
_ALL = -1
"""EC2's number for every protocol, every ICMP type and every code."""
_LAST_ENTRY = 32768
"""Numbers of ACL entries: AWS prints its own last two as 32767 (IPv4) and 32768 (IPv6)."""
_NUMBER = "[0-9]{1,2}|[01][0-9]{2}|2[0-4][0-9]|25[0-5]"
"""A protocol's number, as a pattern."""
_ANYWHERE: dict[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}


def _protocol_form(names: Iterable[str]) -> str:
    return " or ".join([*names, "a protocol number such as 6, or -1 for all"])


_PERMISSION_PROTOCOL = Pattern(
    "IpProtocol",
    "the protocol; the number or one of the names as AWS prints it",
    required=True,
    pattern=f"^({'|'.join(_NAMES)}|-1|{_NUMBER})$",
    right=_protocol_form(_NAMES),
)
_PERMISSION_FROM = Whole("FromPort", "TCP and UDP: the first port; ICMP: -1", low=_ALL, high=MAX_PORT)
_PERMISSION_TO = Whole("ToPort", "TCP and UDP: the last port; ICMP: -1", low=_ALL, high=MAX_PORT)
_IPV4_RANGE = Cidr("CidrIp", "an IPv4 network that is let in", required=True)
_IPV6_RANGE = Cidr("CidrIpv6", "an IPv6 network that is let in", required=True)
_PAIR_GROUP = Identifier("GroupId", "a group whose members are let in", required=True, prefix="sg")
_IPV4_RANGES = Objects("IpRanges", "IPv4 networks that are let in", fields=(_IPV4_RANGE,))
_IPV6_RANGES = Objects("Ipv6Ranges", "IPv6 networks that are let in", fields=(_IPV6_RANGE,))
_PAIRS = Objects("UserIdGroupPairs", "groups whose members are let in", fields=(_PAIR_GROUP,))
_PREFIX_LISTS = Objects("PrefixListIds", "must be empty: the entries of prefix lists are not in the file")
_PERMISSION = (
    _PERMISSION_PROTOCOL,
    _PERMISSION_FROM,
    _PERMISSION_TO,
    _IPV4_RANGES,
    _IPV6_RANGES,
    _PAIRS,
    _PREFIX_LISTS,
)
_PERMISSIONS = Objects("IpPermissions", "what it lets in", fields=_PERMISSION)
SECURITY_GROUP = (_PERMISSIONS,)

_ENTRY_PROTOCOL = Pattern(
    "Protocol",
    "the protocol's number as text, as AWS prints it, or one of the names that the AWS CLI takes",
    required=True,
    pattern=f"^({'|'.join(_CLI_NAMES)}|-1|{_NUMBER})$",
    right=_protocol_form(_CLI_NAMES),
)
_EGRESS = Flag("Egress", "whether it is for egress, which is not read further", required=True)
_ENTRY_NUMBER = Whole("RuleNumber", "entries are tried in ascending number", required=True, low=1, high=_LAST_ENTRY)
_ENTRY_ACTION = Choice("RuleAction", "what it does with what it matches", required=True, options=("allow", "deny"))
_ENTRY_FROM = Whole("From", "the first port", required=True, low=0, high=MAX_PORT)
_ENTRY_TO = Whole("To", "the last port", required=True, low=0, high=MAX_PORT)
_ENTRY_PORTS = Object("PortRange", "the ports; TCP and UDP need it", fields=(_ENTRY_FROM, _ENTRY_TO))
_ENTRY_TYPE = Whole("Type", "-1, as ICMP types are not looked at", low=_ALL, high=255)
_ENTRY_CODE = Whole("Code", "-1, as ICMP codes are not looked at", low=_ALL, high=255)
_ENTRY_ICMP = Object("IcmpTypeCode", "for ICMP: all types and codes", fields=(_ENTRY_TYPE, _ENTRY_CODE))
_ENTRY_IPV4 = Cidr("CidrBlock", "where it matches from; exactly one of the two blocks")
_ENTRY_IPV6 = Cidr("Ipv6CidrBlock", "where it matches from; exactly one of the two blocks")
_ENTRY = (_EGRESS, _ENTRY_NUMBER, _ENTRY_ACTION, _ENTRY_PROTOCOL, _ENTRY_PORTS, _ENTRY_ICMP, _ENTRY_IPV4, _ENTRY_IPV6)
_ENTRIES = Objects("Entries", "what it lets in and what not, for ingress", fields=_ENTRY, when=(_EGRESS.name, False))
_ASSOCIATIONS = Objects("Associations", "the subnets that have it", fields=(SUBNET_ID,))
_DEFAULT = Flag("IsDefault", "whether it is that of the VPC's other subnets")
NETWORK_ACL = (_ENTRIES, _ASSOCIATIONS, VPC_ID, _DEFAULT)


def read_security_group(node: Node, group_id: str) -> SecurityGroup:
    """A security group with its permissions for ingress, as far as they could be read."""
    found = [_read_permission(entry) for entry in _PERMISSIONS.of(node)]
    return SecurityGroup(group_id, tuple(permission for permission in found if permission is not None))


def _read_permission(node: Node) -> Permission | None:
    protocol = _read_protocol(node, _PERMISSION_PROTOCOL, _NAMES)
    if protocol is None:
        return None
    ports = None
    if protocol in PORT_PROTOCOLS:
        ports = _read_range(node, _PERMISSION_FROM, _PERMISSION_TO)
    elif protocol in _ICMP:
        _refuse_types(node, _PERMISSION_FROM, _PERMISSION_TO)
    else:
        _PERMISSION_FROM.of(node), _PERMISSION_TO.of(node)
    networks = [_IPV4_RANGE.of(entry) for entry in _IPV4_RANGES.of(node)]
    networks += [_IPV6_RANGE.of(entry) for entry in _IPV6_RANGES.of(node)]
    groups = [_PAIR_GROUP.of(entry) for entry in _PAIRS.of(node)]
    if _PREFIX_LISTS.of(node):
        node.error(_PREFIX_LISTS.name, "cannot be resolved, its entries are not in the file; write them as IpRanges")
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
    found = [_read_entry(entry, acl_id, numbers) for entry in _ENTRIES.of(node)]
    subnets = [SUBNET_ID.of(entry) for entry in _ASSOCIATIONS.of(node)]
    return NetworkAcl(
        acl_id,
        VPC_ID.of(node),
        _DEFAULT.of(node) is True,
        frozenset(subnet for subnet in subnets if subnet is not None),
        tuple(sorted((rule for rule in found if rule is not None), key=lambda rule: rule.number)),
    )


def _read_entry(node: Node, acl_id: str, numbers: dict[int, str]) -> Rule | None:
    """One entry for ingress; None for egress, and where it cannot be used."""
    if _EGRESS.of(node) is not False:
        return None
    number = _ENTRY_NUMBER.of(node)
    if number is not None:
        other = numbers.setdefault(number, node.path)
        if other != node.path:
            node.error("RuleNumber", f"{number} is also that of {other}; numbers are unique per direction")
    action = _ENTRY_ACTION.of(node)
    protocol = _read_protocol(node, _ENTRY_PROTOCOL, _CLI_NAMES)
    range_node, types_node = _ENTRY_PORTS.of(node), _ENTRY_ICMP.of(node)
    ports = None if range_node is None else _read_range(range_node, _ENTRY_FROM, _ENTRY_TO)
    if protocol not in PORT_PROTOCOLS:
        ports = None
    elif range_node is None:
        node.error(_ENTRY_PORTS.name, "is missing; it must be an object with From and To for TCP and UDP")
    if types_node is not None:
        if protocol in _ICMP:
            _refuse_types(types_node, _ENTRY_TYPE, _ENTRY_CODE)
        else:
            _ENTRY_TYPE.of(types_node), _ENTRY_CODE.of(types_node)
    stated = [_ENTRY_IPV4.of(node), _ENTRY_IPV6.of(node)]
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


def _read_protocol(node: Node, field: Pattern, names: dict[str, int]) -> int | None:
    """An IANA number, `_ALL` for every protocol; None if it is wrong. EC2 prints it as text."""
    value = field.of(node)
    if value is None or value in names:
        return None if value is None else names[value]
    if value == str(_ALL) or (value.isascii() and value.isdigit() and len(value) < 4 and int(value) < 256):
        return int(value)
    node.error(field.name, f"must be {field.form}, not {show(value)}")
    return None


def _read_range(node: Node, low: Whole, high: Whole) -> tuple[int, int] | None:
    """Both ports, which TCP and UDP need."""
    first, last = (replace(field, low=0, required=True).of(node) for field in (low, high))
    if first is None or last is None:
        return None
    if first > last:
        node.error(low.name, f"is reversed: {first} is above {high.name} {last}")
        return None
    return first, last


def _refuse_types(node: Node, *fields: Whole) -> None:
    """ICMP types and codes are not among the fields that the NIC looks at."""
    for field in fields:
        if replace(field, high=255).of(node) not in (None, _ALL):
            node.error(field.name, "names an ICMP type or code, which the NIC does not look at; allow all of them (-1)")


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
        groups = tuple(rule for group in own for rule in group_rules(described, group))
    if described.acls is not None:
        found = acl_of(described, interface)
        if found is None:
            subnet = interface.subnet_id or "its subnet, which SubnetId does not state,"
            refuse("SubnetId", f"the network ACL of {subnet} is not in NetworkAcls; add it, or leave out NetworkAcls")
        else:
            acl = found.ingress
    if groups is None and acl is None:
        return None, problems
    return Guard(groups, acl), problems


def acl_of(described: Described, interface: NetworkInterface) -> NetworkAcl | None:
    """The ACL of the interface's subnet: the one associated with it, else the default one of the VPC; None unknown."""
    acls = (described.acls or {}).values()
    for acl in acls:
        if interface.subnet_id is not None and interface.subnet_id in acl.subnets:
            return acl
    vpc_id = interface.vpc_id
    return next((acl for acl in acls if acl.default and vpc_id is not None and acl.vpc_id == vpc_id), None)


def group_rules(described: Described, group: SecurityGroup) -> Iterator[Rule]:
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
