"""Section 14 of the law: security groups and network ACLs."""

from typing import Any

from scapy.layers.l2 import ARP
from scapy.packet import Raw

from tests.suite.case_kit import (
    ALL,
    FILTER,
    PEER4,
    STRANGER,
    WEB4,
    Flow,
    case,
    echo,
    egress,
    ingress,
    interface,
    into,
    into6,
    link_in,
    out,
    policy,
    rules,
    target,
    tcp,
    udp,
)

GROUPS, ACLS = 'VPC user guide "Security group rules"', 'VPC user guide "Network ACL rules"'


def permission(protocol: str, *networks: str, ports: tuple[int, int] | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"IpProtocol": protocol, **more}
    if ports:
        made |= {"FromPort": ports[0], "ToPort": ports[1]}
    made["IpRanges"] = [{"CidrIp": each} for each in networks if ":" not in each]
    made["Ipv6Ranges"] = [{"CidrIpv6": each} for each in networks if ":" in each]
    return made


def group(name: str, *permissions: dict[str, Any]) -> dict[str, Any]:
    return {"GroupId": name, "IpPermissions": list(permissions)}


def entry(
    number: int, allow: bool, network: str, protocol: str = "-1", ports: tuple[int, int] | None = None
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "RuleNumber": number,
        "RuleAction": "allow" if allow else "deny",
        "Protocol": protocol,
        "Egress": False,
        "Ipv6CidrBlock" if ":" in network else "CidrBlock": network,
    }
    return made | ({"PortRange": {"From": ports[0], "To": ports[1]}} if ports else {})


def acl(name: str, *entries: dict[str, Any], subnet: str = "subnet-1", default: bool = False) -> dict[str, Any]:
    associations = [] if default else [{"SubnetId": subnet, "NetworkAclId": name}]
    return {
        "NetworkAclId": name,
        "VpcId": "vpc-1",
        "IsDefault": default,
        "Associations": associations,
        "Entries": list(entries),
    }


def member(*groups: str, number: int = 10, subnet: str = "subnet-1") -> dict[str, Any]:
    return interface(number, VpcId="vpc-1", SubnetId=subnet, Groups=[{"GroupId": each} for each in groups])


WEB_GROUP = group("sg-1", permission("tcp", "0.0.0.0/0", "2001:db8::/32", ports=(443, 443)))

case(
    "security-group-drops",
    "14.1 14.5 14.6 14.11",
    "Ingress that no group lets in is dropped and not mirrored; egress is no business of theirs.",
    GROUPS,
    policy(FILTER, interfaces=[member("sg-1"), interface(40)], SecurityGroups=[WEB_GROUP]),
    [
        ingress(into(tcp()), "TCP 443").mirrored(),
        ingress(into(tcp(80)), "TCP 80").gets("dropped"),
        ingress(into(udp(443)), "UDP 443").gets("dropped"),
        ingress(into6(tcp()), "IPv6 from a network that may").mirrored(20),
        ingress(into6(tcp(), src="2001:dead::1"), "from one that may not").gets("dropped"),
        egress(out(tcp(80)), "egress").mirrored(),
    ],
)

case(
    "security-groups-together",
    "14.5",
    "The permissions of all groups of an interface count together: one that matches is enough.",
    GROUPS,
    policy(
        FILTER,
        interfaces=[member("sg-1", "sg-2"), interface(40)],
        SecurityGroups=[
            WEB_GROUP,
            group("sg-2", permission("udp", "198.51.100.0/24", ports=(5000, 5001)), permission("icmp", "0.0.0.0/0")),
            group("sg-3", permission("-1", "0.0.0.0/0")),
        ],
    ),
    [
        ingress(into(tcp()), "the first group's").mirrored(),
        ingress(into(udp(5001)), "the second's").mirrored(),
        ingress(into(echo()), "ICMP").mirrored(),
        ingress(into(udp(5002)), "of a group that the interface is not in").gets("dropped"),
    ],
)

case(
    "no-group-lets-in",
    "14.1",
    "A group without permissions lets nothing in.",
    GROUPS,
    policy(FILTER, interfaces=[member("sg-1"), interface(40)], SecurityGroups=[group("sg-1")]),
    [
        ingress(into(tcp()), "TCP").gets("dropped"),
        ingress(into6(udp()), "IPv6").gets("dropped"),
        egress(out(tcp()), "egress").mirrored(),
    ],
)

case(
    "group-named-as-a-source",
    "14.7",
    "A group as a source stands for the addresses of the interfaces that are in it, and for no others.",
    'VPC user guide "Security group referencing"',
    policy(
        FILTER,
        interfaces=[member("sg-1"), member("sg-2", number=50), interface(40, Groups=[{"GroupId": "sg-1"}])],
        SecurityGroups=[group("sg-1", permission("-1", UserIdGroupPairs=[{"GroupId": "sg-2"}])), group("sg-2")],
        targets=[target(), target("tmt-2", NetworkInterfaceId="eni-50")],
    ),
    [
        ingress(into(tcp(), src="10.0.0.50"), "from an interface in the group").mirrored(),
        ingress(into6(tcp(), src="2001:db8::50"), "its IPv6 address").mirrored(20),
        ingress(into(tcp(), src="10.0.0.40"), "from an interface in another group").gets("dropped"),
        ingress(into(tcp()), "from elsewhere").gets("dropped"),
    ],
)

case(
    "network-acl",
    "14.1 14.4 14.6",
    "Entries are tried in ascending number, the first that matches decides, and none denies.",
    ACLS,
    policy(
        FILTER,
        interfaces=[member("sg-1"), interface(40)],
        NetworkAcls=[
            acl(
                "acl-1",
                entry(300, True, "0.0.0.0/0", "6", (1, 1000)),
                entry(100, True, "198.51.100.0/24", "6", (443, 443)),
                entry(200, False, "198.51.100.0/24"),
            )
        ],
    ),
    [
        ingress(into(tcp(443)), "allowed by 100").mirrored(),
        ingress(into(tcp(80)), "denied by 200").gets("dropped"),
        ingress(into(tcp(80), src="203.0.113.1"), "allowed by 300").mirrored(),
        ingress(into(udp(80), src="203.0.113.1"), "none").gets("dropped"),
        ingress(into6(tcp(443)), "no entry for IPv6").gets("dropped"),
    ],
)

case(
    "default-network-acl",
    "14.4",
    "A subnet that no ACL is associated with has the default one of its VPC.",
    ACLS,
    policy(
        FILTER,
        interfaces=[member("sg-1", subnet="subnet-2"), interface(40)],
        NetworkAcls=[
            acl("acl-1", entry(100, True, "0.0.0.0/0")),
            acl("acl-2", entry(100, True, "0.0.0.0/0", "17", (0, 65535)), default=True),
        ],
    ),
    [
        ingress(into(udp()), "what the default one allows").mirrored(),
        ingress(into(tcp()), "what it does not").gets("dropped"),
    ],
)

BOTH = policy(
    FILTER,
    interfaces=[member("sg-1"), interface(40)],
    SecurityGroups=[WEB_GROUP],
    NetworkAcls=[acl("acl-1", entry(10, False, "203.0.113.0/24"), entry(20, True, "0.0.0.0/0"))],
)
case(
    "group-and-acl-both-must-allow",
    "14.1 14.4 14.5",
    "With both lists a frame comes in if both allow it.",
    'VPC user guide "Security groups", "Network ACLs"',
    BOTH,
    [
        ingress(into(tcp()), "both allow").mirrored(),
        ingress(into(tcp(), src="203.0.113.7"), "the ACL denies").gets("dropped"),
        ingress(into(tcp(80)), "the group has no permission").gets("dropped"),
    ],
)

case(
    "what-lists-do-not-bind",
    "14.2 14.3",
    "Frames that are not IP come in, and the services' traffic does, whatever the lists say.",
    'VPC user guide "Security groups", "Network ACLs"; tap mode: decided',
    policy(FILTER, interfaces=[member("sg-1"), interface(40)], SecurityGroups=[group("sg-1")]),
    [
        ingress(link_in() / ARP() / Raw(bytes(18)), "ARP").gets("not-eligible", service="arp"),
        ingress(bytes(link_in())[:12] + b"\x88\xcc" + bytes(46), "LLDP").gets("not-ip"),
        ingress(into(udp(68, 67)), "DHCP").gets("not-eligible", service="dhcp"),
        ingress(into(udp(40000, 53), src="169.254.169.253"), "Amazon DNS").gets("not-eligible", service="amazon-dns"),
        ingress(into(tcp(), mac=STRANGER), "the first interface's by tap mode alone").mirrored(),
        ingress(into(udp(), dst="255.255.255.255", mac="ff:ff:ff:ff:ff:ff"), "broadcast is bound").gets("dropped"),
    ],
    settings={"tap": True},
)

case(
    "no-connections-are-tracked",
    "14.8",
    "A reply to what the instance began needs a permission of its own.",
    "docs/mirroring.md section 14: decided; AWS tracks connections",
    policy(FILTER, interfaces=[member("sg-1"), interface(40)], SecurityGroups=[WEB_GROUP]),
    [
        egress(out(tcp(80, 50000)), "the instance asks").mirrored(),
        ingress(into(tcp(50000, 80)), "the answer").gets("dropped"),
    ],
)

case(
    "fragments-and-permissions",
    "14.9",
    "A later fragment has no ports, so that a permission with ports does not let it in; one without ports does.",
    "docs/mirroring.md section 14: decided",
    policy(
        FILTER,
        interfaces=[member("sg-1"), interface(40)],
        SecurityGroups=[group("sg-1", *WEB_GROUP["IpPermissions"], permission("udp", "0.0.0.0/0", ports=(0, 65535)))],
    ),
    [
        ingress(into(tcp(), flags="MF"), "the first fragment of TCP").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 6)),
        ingress(into(tcp(), frag=3), "a later one").gets("dropped"),
        ingress(into(udp(), frag=3), "a later one of UDP, all ports").gets("dropped"),
    ],
)

case(
    "drop-mark-beside-lists",
    "14.11 10.5",
    "The mark drops as well where there are lists.",
    'VPC user guide "Security groups", "Network ACLs"',
    policy(FILTER, interfaces=[member("sg-1"), interface(40)], SecurityGroups=[WEB_GROUP]),
    [
        ingress(into(tcp()), "marked, and the group lets it in", dropped=True).gets("dropped"),
        ingress(into(tcp()), "not marked").mirrored(),
    ],
)

OPEN = policy(
    FILTER, interfaces=[member("sg-1"), interface(40)], SecurityGroups=[group("sg-1", permission("-1", "0.0.0.0/0"))]
)
SHUT = policy(rules((), ALL), interfaces=[member("sg-1"), interface(40)], SecurityGroups=[group("sg-1")])
case(
    "lists-and-rules-change-together",
    "14.12 11.1",
    "Groups and rules change in one commit.",
    "decided",
    [OPEN, SHUT, OPEN],
    [
        ingress(into(tcp()), "open").mirrored(),
        ingress(into(tcp()), "shut", policy=2).gets("dropped"),
        egress(out(tcp()), "egress", policy=2).mirrored(),
        ingress(into(tcp()), "open again", policy=3).mirrored(),
    ],
)
