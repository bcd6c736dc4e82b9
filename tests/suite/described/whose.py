"""Sections 1 and 2 of the law: verdicts and their order, and whose frame it is."""

from scapy.layers.l2 import ARP
from scapy.packet import Raw

from tests.suite.case_kit import (
    ALL,
    COLLECTOR,
    FILTER,
    OTHER,
    ROUTER,
    STRANGER,
    Way,
    accept,
    case,
    egress,
    ingress,
    interface,
    into,
    link_in,
    link_out,
    out,
    policy,
    reject,
    rules,
    session,
    target,
    tcp,
    udp,
)

OTHERS = Way(source="10.0.0.20", source_mac=OTHER, vni=43)
TWO = policy(
    FILTER,
    interfaces=[interface(10), interface(20), interface(40)],
    sessions=[session(), session(eni="eni-20", vni=43)],
)
ONE_OF_TWO = policy(FILTER, interfaces=[interface(10), interface(20), interface(40)])

case(
    "mac-decides-whose",
    "1.1 1.3 1.6 2.1",
    "The MAC address says whose frame it is: the destination's on ingress, the source's on egress; no IP address does.",
    'decided; guide "How Traffic Mirroring works"',
    TWO,
    [
        ingress(into(tcp()), "to eni-10's MAC address").mirrored(),
        ingress(into(tcp(), mac=OTHER), "to eni-20's MAC address, with eni-10's IP address").mirrored(
            eni="eni-20", session="tms-20x1", way=OTHERS
        ),
        egress(out(tcp()), "from eni-10's MAC address").mirrored(),
        egress(link_out(OTHER) / into(tcp()).payload, "from eni-20's, to eni-10's IP address").mirrored(
            eni="eni-20", session="tms-20x1", way=OTHERS
        ),
    ],
)

BROADCAST, MULTICAST = "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb"
case(
    "group-address-is-the-first-interfaces",
    "2.2",
    "Ingress to a multicast or broadcast address is the first interface's; on egress the source alone counts.",
    'decided; IEEE 802, "individual/group address bit"',
    TWO,
    [
        ingress(into(udp(), dst="255.255.255.255", mac=BROADCAST), "broadcast").mirrored(),
        ingress(into(udp(), dst="224.0.0.251", mac=MULTICAST), "multicast").mirrored(),
        ingress(into(udp(), mac="01:00:00:00:00:20"), "any address with the group bit").mirrored(),
        egress(link_out(STRANGER) / out(udp(), dst="224.0.0.251").payload, "egress of nobody").gets("no-eni"),
        egress(out(udp(), dst="224.0.0.251"), "egress of eni-10 to a multicast group").mirrored(),
    ],
)

case(
    "nobodys-frame",
    "2.3",
    "Without tap mode a frame of no interface is no-eni, in both directions.",
    "decided",
    TWO,
    [
        ingress(into(tcp(), mac=STRANGER), "to an address that no interface has").gets("no-eni"),
        egress(out(tcp(), mac=STRANGER), "from such an address").gets("no-eni"),
        ingress(
            link_in(STRANGER) / ARP(hwsrc=ROUTER, psrc="10.0.0.1", pdst="10.0.0.99") / Raw(bytes(18)), "ARP to it"
        ).gets("no-eni"),
    ],
)

case(
    "tap-mode",
    "2.3",
    "In tap mode a frame of no interface is the first interface's.",
    "decided",
    TWO,
    [
        ingress(into(tcp(), mac=STRANGER), "to an address that no interface has").mirrored(),
        egress(out(tcp(), mac=STRANGER), "from such an address").mirrored(),
        ingress(into(tcp(), mac=OTHER), "eni-20's stays eni-20's").mirrored(
            eni="eni-20", session="tms-20x1", way=OTHERS
        ),
    ],
    settings={"tap": True},
)

case(
    "first-interface-is-the-first-source",
    "2.4 2.5",
    "The first interface is the first in the order of the file that is a session's source, not the first of the file.",
    "decided",
    policy(
        FILTER,
        interfaces=[interface(30), interface(20), interface(10), interface(40)],
        sessions=[session(), session(eni="eni-20", vni=43)],
    ),
    [
        ingress(into(udp(), mac=BROADCAST), "broadcast").mirrored(eni="eni-20", session="tms-20x1", way=OTHERS),
        ingress(into(udp(), mac="0a:00:00:00:00:30"), "to an interface without session").gets(
            "no-session", eni="eni-30"
        ),
    ],
)

case(
    "first-interface-by-name",
    "2.4 2.5",
    "The interface that is named comes first, though it has no session.",
    "decided",
    ONE_OF_TWO,
    [
        ingress(into(udp(), mac=BROADCAST), "broadcast").gets("no-session", eni="eni-20"),
        ingress(into(udp()), "to eni-10").mirrored(),
    ],
    settings={"eni": "eni-20"},
)

case(
    "a-target-is-not-carried",
    "1.7 2.5",
    "The interface that copies go to is not one of the NIC's: its frames are nobody's, so no copy is mirrored again.",
    'guide "Traffic mirror sources"; decided',
    policy(FILTER),
    [
        ingress(into(udp(4789), dst="10.0.0.40", mac=COLLECTOR), "a copy on its way to the collector").gets("no-eni"),
        egress(out(udp(), src="10.0.0.40", mac=COLLECTOR), "from the collector").gets("no-eni"),
    ],
)

case(
    "order-of-judgement",
    "3.5 2.3 4.6 4.5",
    "Of several verdicts that would fit, the first of the law's table is given.",
    "decided; docs/mirroring.md section 1, the table of verdicts",
    ONE_OF_TWO,
    [
        ingress(bytes(link_in(STRANGER))[:12] + b"\x08\x00\x45" + bytes(9), "cut short, and nobody's").gets(
            "malformed"
        ),
        ingress(into(tcp(), mac=STRANGER), "nobody's, and dropped", dropped=True).gets("no-eni"),
        ingress(link_in() / ARP() / Raw(bytes(18)), "dropped, and ARP", dropped=True).gets("dropped"),
        ingress(link_in(OTHER) / ARP() / Raw(bytes(18)), "ARP, and no session").gets(
            "not-eligible", eni="eni-20", service="arp"
        ),
        ingress(bytes(link_in(OTHER))[:12] + b"\x88\xcc" + bytes(46), "no session, and not IP").gets(
            "no-session", eni="eni-20"
        ),
        ingress(bytes(link_in())[:12] + b"\x88\xcc" + bytes(46), "not IP, and every rule accepts").gets("not-ip"),
    ],
)

case(
    "drop-mark",
    "4.6 10.5",
    "Ingress with the mark of the security group is not mirrored. On egress the mark says nothing.",
    'guide "Routing and security groups"; the mark: decided',
    policy(FILTER),
    [
        ingress(into(tcp()), "marked, ingress", dropped=True).gets("dropped"),
        egress(out(tcp()), "marked, egress", dropped=True).mirrored(),
        ingress(into(tcp()), "not marked").mirrored(),
    ],
)

case(
    "mirrored-at-most-once",
    "1.12 5.1",
    "Three sessions accept the frame: the first takes it, and there is one copy.",
    'guide "Understand traffic mirror session concepts"',
    policy(FILTER, sessions=[session(1, vni=1), session(2, vni=2), session(3, vni=3)]),
    [
        ingress(into(tcp()), "accepted by all three").mirrored(way=Way(vni=1)),
        egress(out(udp()), "accepted by all three").mirrored(way=Way(vni=1)),
    ],
)

case(
    "no-session",
    "1.2",
    "An interface without a session mirrors nothing.",
    'CLI ("by default, no traffic is mirrored"); guide "Understand traffic mirror session concepts"',
    ONE_OF_TWO,
    [
        ingress(into(tcp(), mac=OTHER), "to the interface without session").gets("no-session", eni="eni-20"),
        egress(out(tcp(), src="10.0.0.20", mac=OTHER), "from it").gets("no-session", eni="eni-20"),
    ],
)

STOPPED = policy(
    rules([accept(10, protocol=6)], [accept(10)], ["amazon-dns"]),
    rules(ALL, ALL, name="tmf-2"),
    sessions=[session(1, StoppedReason="the target was deleted"), session(2, of="tmf-2", vni=44)],
)
case(
    "stopped-session-still-claims",
    "1.8 5.10",
    "A session whose target is gone still claims its frames: they are target-down, and no later session gets them.",
    'guide "Understand traffic mirror target concepts"; that it claims: decided',
    STOPPED,
    [
        ingress(into(tcp()), "accepted by the stopped session").gets("target-down", session="tms-1", rule=10),
        ingress(into(udp()), "which it does not accept").mirrored(session="tms-2", way=Way(vni=44)),
        egress(out(udp(53), dst="169.254.169.253"), "Amazon DNS, which its filter takes").gets(
            "target-down", session="tms-1", service="amazon-dns"
        ),
    ],
)

case(
    "target-without-an-address",
    "1.5 5.10 7.3",
    "A target that has no known MAC address, or no address of a family that the source has, is down.",
    "decided",
    policy(
        rules([accept(10, protocol=6)], []),
        rules([accept(10)], [], name="tmf-2"),
        interfaces=[
            interface(10, v6=False),
            {"NetworkInterfaceId": "eni-40", "PrivateIpAddress": "10.0.0.40"},
            interface(50, v4=False),
        ],
        targets=[target(), target("tmt-2", NetworkInterfaceId="eni-50")],
        sessions=[session(1), session(2, of="tmf-2", to="tmt-2", vni=44)],
    ),
    [
        ingress(into(tcp()), "to a target without MAC address").gets("target-down", session="tms-1", rule=10),
        ingress(into(udp()), "to a target that has IPv6 alone, from a source that has IPv4 alone").gets(
            "target-down", session="tms-2", rule=10
        ),
    ],
)

case(
    "load-balancer-without-interface",
    "1.5 1.10 5.10",
    "A load balancer of which no interface is known is a target that is down.",
    'guide "Network Load Balancer"; decided',
    policy(
        rules([reject(5, protocol=17), accept(10)], []),
        targets=[
            target(
                NetworkLoadBalancerArn="arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/nlb/0a1b"
            )
        ],
        interfaces=[interface(10)],
    ),
    [
        ingress(into(tcp()), "accepted").gets("target-down", session="tms-1", rule=10),
        ingress(into(udp()), "rejected all the same").gets("rejected", session="tms-1", rule=5),
    ],
)
