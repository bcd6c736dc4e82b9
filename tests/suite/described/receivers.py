"""Regressions of others: what receivers of copies got wrong once, by the issue in which it was found.

The frames are ours; what the issue is about is said first, then what the law says of it.
"""

from scapy.layers.inet import UDP
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from tests.suite.case_kit import (
    BY_PORT,
    EVERYTHING,
    FILTER,
    PEER4,
    STRANGER,
    WEB4,
    Flow,
    Way,
    accept,
    case,
    echo,
    egress,
    ingress,
    interface,
    into,
    into6,
    issue,
    link_in,
    out,
    policy,
    pull,
    rules,
    session,
    target,
    tcp,
    udp,
)

# Length: jumbo frames, cut copies, padding.

case(
    "goreplay-1134",
    "6.2 6.6 6.8",
    "goreplay took a VXLAN packet to be 1,526 bytes at most and lost the bodies of replies with an MTU of 9000. A "
    "copy is as long as its frame up to the target's MTU.",
    issue("probelabs/goreplay#1134"),
    EVERYTHING,
    [
        egress(out(tcp(40000, 80, data=bytes(1464))), "a reply whose copy is just 1,526 bytes behind UDP").mirrored(),
        egress(out(tcp(40000, 80, data=bytes(1465))), "one more").mirrored(),
        egress(out(tcp(40000, 80, data=bytes(8900))), "a jumbo frame of 8,954 bytes").mirrored(),
    ],
)

case(
    "goreplay-1096",
    "7.11 7.13 5.6",
    "goreplay often saw the answer of an HTTP exchange and not the request. With rules for both directions there "
    "are copies of both, and they have one source port, so that one receiver gets them.",
    issue("probelabs/goreplay#1096"),
    policy(
        rules([accept(10, protocol=6, dport=8323)], [accept(10, protocol=6, sport=8323)]), sessions=[session(vni=123)]
    ),
    [
        ingress(into(tcp(8323, 50000)), "request").mirrored(way=Way(vni=123)),
        egress(out(tcp(50000, 8323)), "answer").mirrored(way=Way(vni=123), flow=Flow(PEER4, WEB4, 50000, 8323, 6)),
    ],
)

case(
    "zeek-2914",
    "6.1 6.10 3.7",
    "Zeek took the bytes that were captured for the length on the wire, and found the inner IP header of a cut "
    "copy wrong. The copy's lengths are those of what was kept; the inner ones stay those of the frame.",
    issue("zeek/zeek#2914"),
    policy(FILTER, sessions=[session(PacketLength=64)]),
    [
        ingress(into(tcp(data=bytes(1000))), "an IP packet of 1,040 bytes, 50 of which are kept").mirrored(copied=64),
        ingress(into6(tcp(data=bytes(1000))), "IPv6").mirrored(20, copied=64),
    ],
)

case(
    "zeek-2912",
    "6.4 6.10",
    "Zeek's VXLAN analyzer passed on inner packets only if they were longer than the headers before them. The "
    "shortest copies are 35 bytes of IPv4 and 55 of IPv6.",
    pull("zeek/zeek#2912"),
    policy(FILTER, sessions=[session(PacketLength=1)]),
    [ingress(into(tcp()), "IPv4").mirrored(copied=35), ingress(into6(tcp()), "IPv6").mirrored(20, copied=55)],
)

case(
    "fastnetmon-402",
    "6.1 6.11 9.2",
    "With a mirror that cuts at 110 bytes fastnetmon counted 110 for each packet. The length of the frame is "
    "still in the inner IP header, and in the verdict record; metrics count the bytes of copies.",
    issue("pavel-odintsov/fastnetmon#402"),
    policy(FILTER, sessions=[session(PacketLength=110)]),
    [
        ingress(into(tcp(data=bytes(1140))), "1,194 bytes, as in the issue").mirrored(copied=110),
        ingress(into(tcp(data=bytes(20))), "74 bytes").mirrored(),
    ],
    metrics={"eni-10": {"NetworkMirrorIn": 184, "NetworkPacketsMirrorIn": 2}},
)

case(
    "ovs-issues-9",
    "6.6 7.4",
    "Open vSwitch lost or fragmented encapsulated packets above the MTU of the way. A copy is cut to fit, sent in "
    "one packet, and DF is clear.",
    issue("openvswitch/ovs-issues#9"),
    policy(FILTER, interfaces=[interface(10), interface(40, mtu=1500)]),
    [
        ingress(into(echo(), flags="DF"), "DF set, short").mirrored(),
        ingress(into(udp(data=bytes(1472)), flags="DF"), "DF set, 1,514 bytes").mirrored(copied=1460),
    ],
)

case(
    "ofp-197",
    "3.1 6.10 6.11",
    "OpenFastPath sent bytes of padding behind the packet where it should not. Padding is part of a frame on the "
    "wire, and of its copy, byte for byte, also in a VLAN.",
    issue("OpenFastPath/ofp#197"),
    EVERYTHING,
    [
        ingress(bytes(into(UDP(sport=1, dport=2) / Raw(b"a"))) + bytes(17), "one byte of payload").mirrored(
            flow=Flow(PEER4, WEB4, 1, 2, 17)
        ),
        ingress(
            bytes(link_in(vlan=(Dot1Q(vlan=7),)) / into(UDP(sport=1, dport=2)).payload) + bytes(14), "in a VLAN"
        ).mirrored(flow=Flow(PEER4, WEB4, 1, 2, 17)),
    ],
)

case(
    "keepalived-2422",
    "3.1 3.7 5.2",
    "keepalived refused a VRRP packet whose IP length and received length differed by the padding. Lengths are "
    "not judged: the packet matches by its protocol.",
    issue("acassen/keepalived#2422"),
    policy(rules([accept(10, protocol=112)])),
    [
        ingress(
            bytes(into(Raw(bytes(20)), src="10.0.0.1", dst="224.0.0.18", mac="01:00:5e:00:00:12", proto=112))
            + bytes(6),
            "VRRP with 6 bytes of padding",
        ).mirrored(flow=Flow("10.0.0.1", "224.0.0.18", 0, 0, 112))
    ],
)

# What is inside.

case(
    "zeek-2684",
    "3.16 5.7 7.11 2.2",
    "IGMP in VXLAN made Zeek say that VXLAN was violated, because it could not read what was inside. IGMP is "
    "mirrored like any IP protocol, options included, and hashed by its addresses.",
    issue("zeek/zeek#2684"),
    EVERYTHING,
    [
        egress(
            out(Raw(b"\x16\x00\x09\x04\xe0\x00\x00\xfb" + bytes(18)), dst="224.0.0.251", proto=2, ttl=1),
            "IGMPv2 report",
        ).mirrored(flow=Flow(WEB4, "224.0.0.251", 0, 0, 2)),
        ingress(
            bytes(
                into(
                    Raw(b"\x11\x64\xee\x9b\x00\x00\x00\x00" + bytes(18)),
                    src="10.0.0.1",
                    dst="224.0.0.1",
                    proto=2,
                    ttl=1,
                    mac="01:00:5e:00:00:01",
                )
            ),
            "IGMPv2 query",
        ).mirrored(flow=Flow("10.0.0.1", "224.0.0.1", 0, 0, 2)),
    ],
)

case(
    "zeek-1764",
    "7.17 6.9",
    "Zeek could not read GENEVE around VXLAN, as an appliance behind a Gateway Load Balancer sees it. What the "
    "NIC sends to an endpoint is VXLAN alone.",
    issue("zeek/zeek#1764"),
    policy(
        FILTER,
        targets=[target(GatewayLoadBalancerEndpointId="vpce-1")],
        VpcEndpoints=[
            {"VpcEndpointId": "vpce-1", "VpcEndpointType": "GatewayLoadBalancer", "NetworkInterfaceIds": ["eni-40"]}
        ],
    ),
    [egress(out(udp(123, 123)), "NTP, as in the issue's capture").mirrored()],
)

INNER = bytes(into(udp(), src="192.0.2.1", dst="192.0.2.2", mac=STRANGER))
case(
    "suricata-13458",
    "7.10 6.11",
    "Suricata refused VXLAN with reserved bits set, which a receiver must ignore. Those of a copy are 0; of VXLAN "
    "inside a frame they stay as they are.",
    f"{pull('OISF/suricata#13458')}; RFC 7348 section 5",
    EVERYTHING,
    [
        ingress(
            into(UDP(sport=50000, dport=4789) / Raw(b"\x08\xff\xff\xff\x00\x00\x2a\xff" + INNER)), "VXLAN in the frame"
        ).mirrored(flow=Flow(PEER4, WEB4, 50000, 4789, 17)),
        ingress(into(tcp()), "anything else").mirrored(),
    ],
)

case(
    "suricata-13988",
    "7.8 7.9",
    "Suricata took packets from port 4789 for VXLAN as well as those to it. The copy's destination is 4789; a "
    "frame that comes from there is one like others.",
    f"{pull('OISF/suricata#13988')}; RFC 7348 section 5",
    EVERYTHING,
    [
        ingress(into(udp(5000, 4789)), "from port 4789").mirrored(),
        ingress(into(udp(4789, 5000)), "to port 4789, no VXLAN").mirrored(),
    ],
)

case(
    "suricata-13136",
    "3.4 3.3",
    "In VXLAN Suricata did not decode ARP. A mirror does not send it any: ARP is never mirrored, and what is "
    "inside VXLAN is not looked at.",
    pull("OISF/suricata#13136"),
    EVERYTHING,
    [
        ingress(link_in() / ARP() / Raw(bytes(18)), "ARP").gets("not-eligible", service="arp"),
        ingress(
            into(UDP(sport=50000, dport=4789) / VXLAN(vni=7, flags=8) / link_in(STRANGER) / ARP() / Raw(bytes(18))),
            "ARP inside VXLAN",
        ).mirrored(flow=Flow(PEER4, WEB4, 50000, 4789, 17)),
    ],
)

case(
    "scapy-282",
    "7.10",
    "scapy's VXLAN header was a byte too long, so that the frame behind it was read a byte too late. The header "
    "is 8 bytes, the VNI its bytes 4 to 6.",
    pull("secdev/scapy#282"),
    policy(FILTER, sessions=[session(vni=0x123456)]),
    [ingress(into(tcp()), "VNI 0x123456").mirrored(way=Way(vni=0x123456))],
)

# VLAN tags.

case(
    "basebox-414",
    "7.1 3.3",
    "A switch put a VLAN tag with VID 1 on VXLAN packets. The outer packet has none, whatever the frame has.",
    issue("bisdn/basebox#414"),
    EVERYTHING,
    [ingress(link_in(vlan=(Dot1Q(vlan=1, prio=7),)) / into(tcp()).payload, "VID 1, priority 7").mirrored()],
)

case(
    "basebox-407",
    "3.3 6.11",
    "A switch took the VLAN tag off what it sent by VXLAN. The copy has the frame's tags, both of them.",
    issue("bisdn/basebox#407"),
    EVERYTHING,
    [
        ingress(link_in(vlan=(Dot1Q(vlan=4094, dei=1),)) / into(tcp()).payload, "one").mirrored(),
        egress(
            bytes(out(tcp()))[:12] + bytes.fromhex("88a8 e064 8100 0005 0800") + bytes(out(tcp()))[14:], "two"
        ).mirrored(flow=Flow(WEB4, PEER4, 40000, 443, 6)),
    ],
)

case(
    "sflowtool-30",
    "3.3 3.16",
    "sflowtool found no IP fields behind two VLAN tags. Addresses and ports are found there.",
    issue("sflow/sflowtool#30"),
    BY_PORT,
    [
        ingress(link_in(vlan=(Dot1Q(vlan=50), Dot1Q(vlan=1106))) / into(tcp()).payload, "0x8100 twice").mirrored(),
        ingress(
            link_in(vlan=(Dot1AD(vlan=50), Dot1Q(vlan=1106))) / into6(tcp()).payload, "0x88a8, 0x8100, IPv6"
        ).mirrored(20),
        ingress(link_in(vlan=(Dot1AD(vlan=50), Dot1Q(vlan=1106))) / into(tcp(80)).payload, "another port").gets(
            "no-match"
        ),
    ],
)

case(
    "ndpi-1073",
    "7.11 3.3",
    "nDPI hashed the VLAN tag, so that a flow that is tagged in one direction alone fell apart. The hash does not "
    "cover it.",
    issue("ntop/nDPI#1073"),
    EVERYTHING,
    [
        ingress(link_in(vlan=(Dot1Q(vlan=100),)) / into(tcp(443, 40000)).payload, "tagged").mirrored(
            flow=Flow(PEER4, WEB4, 40000, 443, 6)
        ),
        egress(out(tcp(40000, 443)), "not tagged").mirrored(flow=Flow(PEER4, WEB4, 40000, 443, 6)),
    ],
)
