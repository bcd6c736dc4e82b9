"""Section 6 of the law: how much of a frame is in its copy."""

from scapy.layers.l2 import Dot1Q
from scapy.packet import Raw

from tests.suite.case_kit import (
    FILTER,
    PEER4,
    WAY6,
    WEB4,
    Flow,
    Way,
    case,
    egress,
    ingress,
    interface,
    into,
    into6,
    link_in,
    out,
    policy,
    session,
    target,
    tcp,
    udp,
)

MTU = 'guide "MTU and packet length limitations"'
NLB = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/nlb/0a1b2c3d"
BALANCER = {
    "interfaces": [interface(10), interface(40, Description="ELB net/nlb/0a1b2c3d", mtu=1500)],
    "targets": [target(NetworkLoadBalancerArn=NLB)],
}


def sized(size: int):
    """A UDP frame of so many bytes."""
    return into(udp(data=bytes(number & 0xFF for number in range(size - 42))))


def sized6(size: int):
    return into6(udp(data=bytes(number & 0xFF for number in range(size - 62))))


case(
    "whole-frame",
    "6.2",
    "Without a packet length the copy is the whole frame.",
    "CLI; Terraform",
    policy(FILTER),
    [
        ingress(sized(60), "60 bytes").mirrored(copied=60),
        ingress(sized(1514), "1,514 bytes").mirrored(copied=1514),
        egress(out(tcp(data=bytes(range(256)))), "egress").mirrored(copied=310),
    ],
)

case(
    "packet-length",
    "6.1 6.10",
    "The packet length counts the bytes behind the VXLAN header: a longer frame is cut to it, a shorter one is whole.",
    'CLI; Terraform; Datadog; guide "Create, modify, or delete a traffic mirror session"',
    policy(FILTER, sessions=[session(PacketLength=100)]),
    [
        ingress(sized(99), "99 bytes").mirrored(copied=99),
        ingress(sized(100), "100 bytes").mirrored(copied=100),
        ingress(sized(101), "101 bytes").mirrored(copied=100),
        ingress(sized(1514), "1,514 bytes").mirrored(copied=100),
        ingress(sized6(300), "IPv6").mirrored(20, copied=100),
        ingress(link_in(vlan=(Dot1Q(vlan=7),)) / sized(200).payload, "204 bytes, VLAN tag included").mirrored(
            copied=100
        ),
    ],
)

for length in (1, 25, 34):
    case(
        f"floor-under-packet-length-{length}",
        "6.4 6.5",
        f"A packet length of {length} is taken, and copies have the floor: 35 bytes of IPv4, 55 of IPv6.",
        f"{MTU}; CLI (valid values from 1; its example uses 25)",
        policy(FILTER, sessions=[session(PacketLength=length)]),
        [
            ingress(sized(200), "IPv4").mirrored(copied=35),
            ingress(sized6(200), "IPv6").mirrored(20, copied=55),
            ingress(link_in(vlan=(Dot1Q(vlan=7),)) / sized(200).payload, "IPv4 in a VLAN").mirrored(copied=35),
        ],
    )

case(
    "floor-is-no-more-than-a-floor",
    "6.4",
    "Packet lengths of 35 for IPv4 and 36 to 55 for IPv6: the larger of floor and packet length counts.",
    MTU,
    policy(
        FILTER,
        interfaces=[interface(10), interface(20), interface(40)],
        sessions=[session(PacketLength=36), session(eni="eni-20", vni=43, PacketLength=56)],
    ),
    [
        ingress(sized(200), "IPv4, 36").mirrored(copied=36),
        ingress(sized6(200), "IPv6, 36").mirrored(20, copied=55),
        ingress(into6(udp(data=bytes(200)), mac="0a:00:00:00:00:20"), "IPv6, 56").mirrored(
            20, "tms-20x1", copied=56, eni="eni-20", way=Way(source="10.0.0.20", source_mac="0a:00:00:00:00:20", vni=43)
        ),
    ],
)

case(
    "frame-under-the-floor",
    "6.4 6.10",
    "A frame that is shorter than the floor is copied whole, and nothing is added.",
    MTU,
    policy(FILTER, sessions=[session(PacketLength=1)]),
    [
        ingress(into(Raw(b""), proto=253), "34 bytes of IPv4").mirrored(copied=34, flow=Flow(PEER4, WEB4, 0, 0, 253)),
        ingress(into(Raw(b"\x01"), proto=253), "35 bytes").mirrored(copied=35, flow=Flow(PEER4, WEB4, 0, 0, 253)),
    ],
)

case(
    "mtu-of-the-target",
    "6.6 6.8",
    "A target's MTU of 1500 leaves 1,460 bytes of the frame: one more is cut.",
    MTU,
    policy(FILTER, interfaces=[interface(10), interface(40, mtu=1500)]),
    [
        ingress(sized(1460), "1,460 bytes").mirrored(copied=1460),
        ingress(sized(1461), "1,461 bytes").mirrored(copied=1460),
        ingress(sized6(1461), "IPv6 inside: the outer packet counts").mirrored(20, copied=1460),
        egress(out(udp(data=bytes(1472))), "1,514 bytes, egress").mirrored(copied=1460),
    ],
)

case(
    "mtu-of-an-ipv6-target",
    "6.6 6.8 7.3",
    "Over IPv6 a target's MTU of 1500 leaves 1,440 bytes.",
    MTU,
    policy(FILTER, interfaces=[interface(10, v4=False), interface(40, v4=False, mtu=1500)]),
    [
        ingress(sized6(1440), "1,440 bytes").mirrored(20, copied=1440, way=WAY6),
        ingress(sized6(1441), "1,441 bytes").mirrored(20, copied=1440, way=WAY6),
        ingress(sized(1441), "IPv4 inside").mirrored(copied=1440, way=WAY6),
    ],
)

case(
    "smallest-mtu",
    "12.9 6.6",
    "The smallest MTU that may be stated, 576, leaves 536 bytes.",
    "RFC 791 section 3.1",
    policy(FILTER, interfaces=[interface(10), interface(40, mtu=576)]),
    [ingress(sized(536), "536 bytes").mirrored(copied=536), ingress(sized(537), "537 bytes").mirrored(copied=536)],
)

case(
    "mtu-and-packet-length",
    "6.1 6.6",
    "The smaller of packet length and MTU limit counts; the MTU of the source does not.",
    MTU,
    policy(FILTER, interfaces=[interface(10, mtu=576), interface(40, mtu=1500)], sessions=[session(PacketLength=1460)]),
    [
        ingress(sized(1459), "1,459 bytes").mirrored(copied=1459),
        ingress(sized(1461), "1,461 bytes").mirrored(copied=1460),
    ],
)

case(
    "usual-mtu",
    "6.6 6.8",
    "Without a tag an interface's MTU is 9001, which leaves 8,961 bytes.",
    'EC2 user guide "Network MTU"',
    policy(FILTER),
    [
        ingress(sized(8961), "8,961 bytes").mirrored(copied=8961),
        ingress(sized(8962), "8,962 bytes").mirrored(copied=8961),
    ],
)

ENDPOINT = {
    "interfaces": [interface(10), interface(40, mtu=1500)],
    "targets": [target(GatewayLoadBalancerEndpointId="vpce-1")],
    "VpcEndpoints": [
        {"VpcEndpointId": "vpce-1", "VpcEndpointType": "GatewayLoadBalancer", "NetworkInterfaceIds": ["eni-40"]}
    ],
}
case(
    "gateway-load-balancer-endpoint",
    "6.6 6.9 7.17",
    "An endpoint's MTU is 8500, whatever its interface says: an inner IP packet of 8,446 bytes fits, 8,447 are cut. "
    "The NIC sends VXLAN; GENEVE is the load balancer's.",
    'guide "Gateway Load Balancer endpoints", "Packets"; guide "MTU and packet length limitations"',
    policy(FILTER, **ENDPOINT),
    [
        ingress(sized(8446 + 14), "an IP packet of 8,446 bytes").mirrored(copied=8460),
        ingress(sized(8447 + 14), "of 8,447 bytes").mirrored(copied=8460),
    ],
)

case(
    "network-load-balancer",
    "6.3 6.7",
    "A Network Load Balancer has no MTU limit, and a packet length of 8500 where none is given.",
    'CLI; guide "MTU and packet length limitations"',
    policy(FILTER, **BALANCER),
    [
        ingress(sized(1514), "more than the MTU of its interface").mirrored(copied=1514),
        ingress(sized(8500), "8,500 bytes").mirrored(copied=8500),
        ingress(sized(8501), "8,501 bytes").mirrored(copied=8500),
    ],
)

case(
    "network-load-balancer-with-packet-length",
    "6.3 6.1",
    "A packet length that is given counts for a Network Load Balancer as elsewhere.",
    "CLI",
    policy(FILTER, sessions=[session(PacketLength=128)], **BALANCER),
    [ingress(sized(1514), "1,514 bytes").mirrored(copied=128)],
)

case(
    "longest-packet-length",
    "12.4 6.1",
    "A packet length of 9001 is taken; the MTU of the target cuts before it does.",
    "CLI; 9001: decided (the jumbo MTU of a VPC)",
    policy(FILTER, interfaces=[interface(10), interface(40, mtu=9216)], sessions=[session(PacketLength=9001)]),
    [
        ingress(sized(9001), "9,001 bytes").mirrored(copied=9001),
        ingress(sized(9002), "9,002 bytes").mirrored(copied=9001),
    ],
)

BROKEN = into(udp(data=bytes(range(200))), chksum=0, ttl=1, tos=0xFF)
case(
    "bytes-that-are-kept-are-not-changed",
    "6.11",
    "The copy has the frame's own bytes: TTL, checksums and lengths stay as they are, also where the frame is cut.",
    'guide "Checksum offloading limitations"',
    policy(FILTER, sessions=[session(PacketLength=60)]),
    [
        ingress(BROKEN, "a header checksum of 0, TTL 1").mirrored(copied=60),
        ingress(into(udp(data=bytes(200)), ttl=0), "TTL 0").mirrored(copied=60),
    ],
)
