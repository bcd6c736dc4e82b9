"""Section 7 of the law: the outer packet, and the flow hash in its source port."""

from scapy.layers.inet import ICMP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS
from scapy.packet import Raw

from tests.suite.case_kit import (
    ALL,
    DATA,
    EVERYTHING,
    FILTER,
    PEER4,
    PEER6,
    SECOND,
    WAY6,
    WEB4,
    WEB6,
    Flow,
    Way,
    case,
    echo,
    echo6,
    egress,
    flow_of,
    ingress,
    interface,
    into,
    into6,
    out,
    out6,
    outer_headers,
    policy,
    rules,
    session,
    target,
    tcp,
    udp,
)

V6_ONLY = policy(FILTER, interfaces=[interface(10, v4=False), interface(40, v4=False)])
FORMAT = 'guide "Understanding traffic mirror packet format"'

case(
    "outer-ipv4",
    "7.1 7.2 7.4 7.5 7.8 7.10",
    "The outer packet over IPv4, every bit of it, whatever the inner one has: type of service, identification, flags "
    "and TTL are not the inner packet's.",
    f"{FORMAT}; the capture of suricata-verify's vxlan-decoder-03; RFC 791 section 3.1; RFC 7348 section 5",
    EVERYTHING,
    [
        ingress(into(tcp()), "plain").mirrored(),
        ingress(into(tcp(), tos=0xB9, id=0xBEEF, flags="DF", ttl=3), "TOS, identification, DF and TTL set").mirrored(),
        ingress(into6(tcp(), tc=0xB9, fl=0xABCDE, hlim=1), "IPv6 inside").mirrored(20),
        egress(out(udp()), "egress: the same addresses, from the source interface to the target").mirrored(),
    ],
)

case(
    "outer-ipv6",
    "7.3 7.6 7.7 7.8",
    "Where an end has IPv6 alone: traffic class and flow label 0, hop limit 255, and a right UDP checksum.",
    "decided, after IPv4; RFC 8200 section 8.1",
    V6_ONLY,
    [
        ingress(into(tcp()), "IPv4 inside").mirrored(way=WAY6),
        ingress(into6(tcp(), tc=0xB9, fl=0xABCDE, hlim=1), "IPv6 inside").mirrored(20, way=WAY6),
        egress(out(udp(data=b"odd")), "an odd number of bytes").mirrored(way=WAY6),
    ],
)


def with_word(word: int):
    return into(udp(data=word.to_bytes(2) + DATA))


def cancelling() -> bytes:
    """A frame whose copy over IPv6 has a UDP checksum that comes to 0: its first word of payload is the checksum that
    the copy has with 0 there. The frame's own UDP checksum is left out, or it would change with it."""
    payload = UDP(sport=40000, dport=5000, chksum=0)
    plain = into(payload / Raw(bytes(2) + DATA))
    found = outer_headers(WAY6, flow_of(plain), bytes(plain))[2][-4:]
    return bytes(into(payload / Raw(bytes.fromhex(found) + DATA)))


case(
    "outer-ipv6-checksum-that-comes-to-zero",
    "7.7",
    "A UDP checksum that comes to 0 is sent as 0xffff over IPv6.",
    "RFC 8200 section 8.1",
    V6_ONLY,
    [
        ingress(cancelling(), "the sum is 0").mirrored(way=WAY6, flow=Flow(PEER4, WEB4, 40000, 5000, 17)),
        ingress(with_word(0), "it is not").mirrored(way=WAY6),
    ],
)

case(
    "ipv4-where-both-ends-have-it",
    "7.3",
    "IPv4 is taken where both ends have it; IPv6 where one of them has no IPv4.",
    "decided",
    policy(
        FILTER,
        interfaces=[interface(10), interface(20, v4=False), interface(40)],
        sessions=[session(), session(eni="eni-20", vni=43)],
    ),
    [
        ingress(into6(tcp()), "both ends have both").mirrored(20),
        ingress(into6(tcp(), mac="0a:00:00:00:00:20"), "the source has IPv6 alone").mirrored(
            20,
            "tms-20x1",
            eni="eni-20",
            way=Way(source="2001:db8::20", destination="2001:db8::40", vni=43, source_mac="0a:00:00:00:00:20"),
        ),
    ],
)

case(
    "primary-addresses",
    "7.1 7.2",
    "The outer addresses are the primary ones of both interfaces, whatever other addresses they have.",
    f"{FORMAT}",
    policy(
        FILTER,
        interfaces=[
            interface(
                10, PrivateIpAddresses=[{"PrivateIpAddress": "10.0.0.111"}, {"PrivateIpAddress": WEB4, "Primary": True}]
            ),
            interface(40, PrivateIpAddresses=[{"PrivateIpAddress": "10.0.0.141", "Primary": False}]),
        ],
    ),
    [
        ingress(into(tcp(), dst="10.0.0.111"), "to a secondary address").mirrored(),
        egress(out(tcp(), src="10.0.0.111"), "from one").mirrored(),
    ],
)

case(
    "sessions-have-their-own-outer-packet",
    "7.1 7.2 7.10 1.1",
    "Each session has its target's MAC and address and its own VNI.",
    FORMAT,
    policy(
        rules([ALL[0] | {"Protocol": 6}]),
        rules(ALL, ALL, name="tmf-2"),
        interfaces=[interface(10), interface(40), interface(50)],
        targets=[target(), target("tmt-2", NetworkInterfaceId="eni-50")],
        sessions=[session(1, vni=0x800001), session(2, of="tmf-2", to="tmt-2", vni=0x00FF00)],
    ),
    [
        ingress(into(tcp()), "the first session's").mirrored(way=Way(vni=0x800001)),
        ingress(into(udp()), "the second's").mirrored(
            session="tms-2", way=Way(mac=SECOND, destination="10.0.0.50", vni=0x00FF00)
        ),
    ],
)

case(
    "source-port-is-base-and-mask",
    "7.9",
    "The source port is AWS's base 0xff80 and 7 bits of the hash: 16 flows fall on different ports of these.",
    "the capture of suricata-verify's vxlan-decoder-03 (all ports are from 0xff80 up)",
    EVERYTHING,
    [
        ingress(into(tcp(sport=1000 + 77 * number)), f"source port {1000 + 77 * number}").mirrored()
        for number in range(16)
    ],
)

RANGE = Way(base=49152, mask=0x3FFF)
case(
    "source-port-range-of-the-rfc",
    "7.9",
    "With base 49152 and mask 0x3fff the source port is in the range that the RFC recommends.",
    "RFC 7348 section 5",
    EVERYTHING,
    [
        ingress(into(tcp(sport=port)), f"source port {port}").mirrored(way=RANGE)
        for port in (1, 2, 1024, 40000, 50000, 65535)
    ],
    settings={"source_port_base": 49152, "source_port_mask": 0x3FFF},
)

case(
    "source-port-without-hash",
    "7.9",
    "With mask 0 the source port is the base alone.",
    "decided",
    EVERYTHING,
    [ingress(into(tcp(sport=port)), f"source port {port}").mirrored(way=Way(base=4789, mask=0)) for port in (1, 40000)],
    settings={"source_port_base": 4789, "source_port_mask": 0},
)

case(
    "both-directions-have-one-port",
    "7.11 7.13",
    "Both directions of a flow have one source port.",
    "the capture of suricata-verify's vxlan-decoder-03 (both directions of a flow have one port)",
    EVERYTHING,
    [
        ingress(into(tcp(443, 40000)), "request").mirrored(flow=Flow(PEER4, WEB4, 40000, 443, 6)),
        egress(out(tcp(40000, 443)), "answer").mirrored(flow=Flow(PEER4, WEB4, 40000, 443, 6)),
        ingress(into6(udp(443, 40000)), "request, IPv6").mirrored(20, flow=Flow(PEER6, WEB6, 40000, 443, 17)),
        egress(out6(udp(40000, 443)), "answer, IPv6").mirrored(20, flow=Flow(WEB6, PEER6, 443, 40000, 17)),
    ],
)

case(
    "protocol-is-part-of-the-hash",
    "7.12",
    "TCP and UDP between the same ends and ports have different source ports.",
    "docs/mirroring.md section 7: decided",
    EVERYTHING,
    [
        ingress(into(tcp(5000)), "TCP").mirrored(flow=Flow(PEER4, WEB4, 40000, 5000, 6)),
        ingress(into(udp(5000)), "UDP").mirrored(flow=Flow(PEER4, WEB4, 40000, 5000, 17)),
    ],
)

case(
    "other-protocols-have-a-3-tuple",
    "7.11 7.14",
    "Of a protocol without ports addresses and protocol are hashed: what stands where ports would be does not matter.",
    f"{FORMAT} (5-tuple, 3-tuple)",
    EVERYTHING,
    [
        ingress(into(Raw(b"\x01\x02\x03\x04" + DATA), proto=132), "SCTP").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 132)),
        ingress(into(Raw(b"\x09\x09\x09\x09" + DATA), proto=132), "SCTP, other ports").mirrored(
            flow=Flow(PEER4, WEB4, 0, 0, 132)
        ),
        ingress(into(Raw(b"\x01\x02\x03\x04" + DATA), proto=47), "GRE").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 47)),
        ingress(into6(Raw(DATA), nh=50), "ESP, IPv6").mirrored(20, flow=Flow(PEER6, WEB6, 0, 0, 50)),
    ],
)

case(
    "echo-identifier",
    "3.17 7.15",
    "The identifier of an echo counts as source port: pings are spread, and request and reply have one port.",
    'RFC 792 "Echo or Echo Reply Message"; RFC 4443 sections 4.1 and 4.2; that it is hashed so: decided',
    EVERYTHING,
    [
        ingress(into(echo(1)), "request, identifier 1").mirrored(flow=Flow(PEER4, WEB4, 1, 0, 1)),
        egress(out(echo(1, reply=True)), "its reply").mirrored(flow=Flow(PEER4, WEB4, 1, 0, 1)),
        ingress(into(echo(2)), "identifier 2").mirrored(flow=Flow(PEER4, WEB4, 2, 0, 1)),
        ingress(into6(echo6(0x1234)), "IPv6 request").mirrored(20, flow=Flow(PEER6, WEB6, 0x1234, 0, 58)),
        egress(out6(echo6(0x1234, reply=True)), "its reply").mirrored(20, flow=Flow(PEER6, WEB6, 0x1234, 0, 58)),
    ],
)

case(
    "icmp-without-echo",
    "3.17 7.15",
    "Other ICMP has no identifier, nor has an echo in a fragment, of the other family, or cut before it.",
    "RFC 792; RFC 4443; docs/mirroring.md section 3: decided",
    EVERYTHING,
    [
        ingress(into(ICMP(type=3, code=3) / Raw(DATA)), "unreachable").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 1)),
        ingress(into(ICMP(type=13, id=7, ts_ori=1, ts_rx=2, ts_tx=3) / Raw(DATA)), "timestamp, which has one").mirrored(
            flow=Flow(PEER4, WEB4, 0, 0, 1)
        ),
        ingress(into(echo(7), flags="MF"), "first fragment of an echo").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 1)),
        ingress(into6(ICMPv6ND_NS(tgt=WEB6)), "neighbour solicitation").mirrored(20, flow=Flow(PEER6, WEB6, 0, 0, 58)),
        ingress(into(Raw(b"\x80\x00\x00\x00\x00\x07\x00\x01" + DATA), proto=58), "ICMPv6 in IPv4").mirrored(
            flow=Flow(PEER4, WEB4, 0, 0, 58)
        ),
        ingress(into6(Raw(bytes(echo(7))), nh=1), "ICMP in IPv6").mirrored(20, flow=Flow(PEER6, WEB6, 0, 0, 1)),
    ],
)

case(
    "echo-cut-before-its-identifier",
    "3.17 7.15",
    "An identifier of which not all bytes are there is none.",
    "docs/mirroring.md section 3: decided",
    EVERYTHING,
    [
        ingress(into(Raw(bytes(echo(0x0707))[:6]), proto=1), "six bytes of ICMP").mirrored(
            flow=Flow(PEER4, WEB4, 0x0707, 0, 1)
        ),
        ingress(into(Raw(bytes(echo(0x0707))[:5]), proto=1), "five").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 1)),
    ],
)

case(
    "all-fragments-go-one-way",
    "7.16",
    "All fragments of a packet have one source port, the first included: they are hashed without ports.",
    "docs/mirroring.md section 7: decided",
    EVERYTHING,
    [
        ingress(into(udp(), flags="MF"), "first").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 17)),
        ingress(into(Raw(DATA * 2), proto=17, frag=5), "last").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 17)),
        ingress(into(udp()), "not in fragments").mirrored(),
    ],
)
