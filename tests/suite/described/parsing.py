"""Section 3 of the law: what is read of a frame, and when it is malformed."""

from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting
from scapy.layers.l2 import Dot1AD, Dot1Q
from scapy.packet import Raw

from tests.suite.case_kit import (
    ALL,
    DATA,
    EVERYTHING,
    PEER4,
    PEER6,
    PLAIN6,
    WEB4,
    WEB6,
    Flow,
    accept,
    case,
    egress,
    ingress,
    into,
    into6,
    link_in,
    link_out,
    out6,
    policy,
    rules,
    tcp,
    udp,
)

BY_PORT = policy(
    rules(
        (accept(10, protocol=6, dport=443), accept(20, "::/0", protocol=6, dport=443), accept(30), accept(40, "::/0")),
        ALL,
    )
)
"""Rules 10 and 20 show that the ports were found; 30 and 40 take what is left."""
V4, V6 = b"\x08\x00", b"\x86\xdd"
TO_WEB = bytes(link_in())[:12]


def other(kind: int, size: int = 46) -> bytes:
    """A frame to eni-10 with another ethertype, or an 802.3 length."""
    return TO_WEB + kind.to_bytes(2) + bytes(size)


case(
    "padding-is-part-of-the-frame",
    "3.1 6.10",
    "A frame is taken as on the wire, padding included: it counts for rules of length and is copied.",
    "decided",
    EVERYTHING,
    [
        ingress(bytes(into(UDP(sport=1, dport=2))) + bytes(18), "28 bytes of IP, padded to 60").mirrored(
            flow=Flow(PEER4, WEB4, 1, 2, 17)
        ),
        ingress(bytes(into(tcp())) + b"\xaa" * 30, "30 bytes behind the end of the packet").mirrored(
            flow=Flow(PEER4, WEB4, 40000, 443, 6)
        ),
    ],
)

case(
    "bad-frame",
    "3.2",
    "A frame that the MAC flagged bad is malformed, whatever is in it; the one behind it is not.",
    "decided",
    EVERYTHING,
    [
        ingress(into(tcp()), "flagged, ingress", bad=True).gets("malformed"),
        ingress(into(tcp()), "good").mirrored(),
        egress(link_out() / into(tcp()).payload, "flagged, egress", bad=True).gets("malformed"),
    ],
)

case(
    "shortest-frames",
    "3.2 3.4 3.5",
    "Under 14 bytes a frame is malformed. With 14 it has an ethertype, and is judged by that.",
    "decided; IEEE 802.3, clause 3.1",
    EVERYTHING,
    [
        ingress(TO_WEB + b"\x88", "13 bytes").gets("malformed"),
        ingress(TO_WEB + b"\x88\xcc", "14 bytes, LLDP").gets("not-ip"),
        ingress(TO_WEB + V4, "14 bytes, IPv4 without a header").gets("malformed"),
        ingress(b"\x0a", "1 byte").gets("malformed"),
    ],
)

LONG = bytes(into(udp(data=bytes(9216 - 42))))
case(
    "longest-frame",
    "3.2 6.6 6.8",
    "9,216 bytes are mirrored, as far as the target's MTU of 9001 lets them; 9,217 are malformed.",
    "decided",
    EVERYTHING,
    [
        ingress(LONG, "9,216 bytes").mirrored(copied=8961, flow=Flow(PEER4, WEB4, 40000, 5000, 17)),
        ingress(LONG + b"\x00", "9,217 bytes").gets("malformed"),
    ],
)

IN4 = into(tcp()).payload
case(
    "vlan-tags",
    "3.3 6.11",
    "Up to two VLAN tags of either kind are read over, and copied with the frame.",
    "IEEE 802.1Q, clause 9; how many: decided",
    BY_PORT,
    [
        ingress(link_in(vlan=(Dot1Q(vlan=7),)) / IN4, "one tag, 0x8100").mirrored(),
        ingress(link_in(vlan=(Dot1AD(vlan=7),)) / IN4, "one tag, 0x88a8").mirrored(),
        ingress(link_in(vlan=(Dot1AD(vlan=7), Dot1Q(vlan=8))) / IN4, "0x88a8, then 0x8100").mirrored(),
        ingress(link_in(vlan=(Dot1Q(vlan=7), Dot1Q(vlan=8))) / IN4, "0x8100 twice").mirrored(),
        ingress(link_in(vlan=(Dot1Q(vlan=7), Dot1AD(vlan=8))) / into6(tcp()).payload, "0x8100, 0x88a8, IPv6").mirrored(
            20
        ),
    ],
)

case(
    "third-vlan-tag",
    "3.3",
    "Behind a third tag nothing is read: not IP. So it is where the frame ends before the ethertype behind a tag.",
    "IEEE 802.1Q, clause 9; how many: decided",
    EVERYTHING,
    [
        ingress(link_in(vlan=(Dot1Q(), Dot1Q(), Dot1Q())) / IN4, "three tags").gets("not-ip"),
        ingress(TO_WEB + b"\x81\x00\x00\x07", "a tag without the ethertype behind it").gets("not-ip"),
        ingress(TO_WEB + b"\x81\x00\x00", "half a tag").gets("not-ip"),
        ingress(TO_WEB + b"\x81\x00\x00\x07" + V4, "IPv4 behind a tag, without a header").gets("malformed"),
    ],
)

case(
    "what-is-not-ip",
    "3.4",
    "MPLS, PPPoE, LLDP, 802.3 with its length and unknown ethertypes are not IP, and no rule sees them.",
    'IANA "Ethertypes"',
    EVERYTHING,
    [
        ingress(other(0x8847), "MPLS").gets("not-ip"),
        ingress(other(0x8864), "PPPoE session").gets("not-ip"),
        ingress(other(0x88CC), "LLDP").gets("not-ip"),
        ingress(other(46), "802.3 length").gets("not-ip"),
        ingress(other(0x0801), "an ethertype beside IPv4's").gets("not-ip"),
        ingress(other(0x0000), "ethertype 0").gets("not-ip"),
    ],
)


def ip4(first: int, size: int) -> bytes:
    """An IPv4 header whose first byte is given, and ``size`` bytes behind the ethertype in all."""
    return TO_WEB + V4 + bytes([first]) + bytes(IP(src=PEER4, dst=WEB4, proto=253))[1:] + bytes(size - 20)


case(
    "ipv4-malformed",
    "3.5",
    "IPv4 is malformed with another version, an IHL under 5, or fewer bytes than the IHL says.",
    "RFC 791 section 3.1; decided",
    EVERYTHING,
    [
        ingress(ip4(0x45, 46), "as it should be").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 253)),
        ingress(ip4(0x55, 46), "version 5").gets("malformed"),
        ingress(ip4(0x65, 46), "version 6 under IPv4's ethertype").gets("malformed"),
        ingress(ip4(0x44, 46), "IHL 4").gets("malformed"),
        ingress(ip4(0x40, 46), "IHL 0").gets("malformed"),
        ingress(ip4(0x4F, 59), "IHL 15 and 59 bytes").gets("malformed"),
        ingress(ip4(0x4F, 60), "IHL 15 and 60 bytes").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 253)),
    ],
)

case(
    "ipv4-cut-in-its-header",
    "3.5",
    "A frame that ends inside the IPv4 header is malformed, with one byte missing as with all.",
    "RFC 791 section 3.1; decided",
    EVERYTHING,
    [
        ingress(ip4(0x45, 20)[:-1], "19 bytes").gets("malformed"),
        ingress(ip4(0x45, 20), "20 bytes").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 253)),
        ingress(TO_WEB + V4 + b"\x45", "1 byte").gets("malformed"),
    ],
)

case(
    "ipv4-options",
    "3.5 3.16",
    "Ports are found behind options of any length.",
    "RFC 791 section 3.1; RFC 9293 section 3.1",
    BY_PORT,
    [
        ingress(into(tcp(), options=[IPOption_NOP()] * count), f"{count} bytes of options").mirrored()
        for count in (4, 20, 40)
    ],
)


def ip6(first: int, size: int) -> bytes:
    whole = bytes(IPv6(src=PEER6, dst=WEB6, nh=253)) + bytes(20)
    return (TO_WEB + V6 + bytes([first]) + whole[1:])[: 14 + size]


case(
    "ipv6-malformed",
    "3.6",
    "IPv6 is malformed with another version or fewer than 40 bytes; 40 are enough.",
    "RFC 8200 section 3; decided",
    EVERYTHING,
    [
        ingress(ip6(0x60, 60), "as it should be").mirrored(20, flow=Flow(PEER6, WEB6, 0, 0, 253)),
        ingress(ip6(0x40, 60), "version 4 under IPv6's ethertype").gets("malformed"),
        ingress(ip6(0x70, 60), "version 7").gets("malformed"),
        ingress(ip6(0x60, 39), "39 bytes").gets("malformed"),
        ingress(ip6(0x60, 40), "40 bytes").mirrored(20, flow=Flow(PEER6, WEB6, 0, 0, 253)),
    ],
)

case(
    "lengths-and-checksums-are-not-judged",
    "3.7 6.10 6.11",
    "Neither lengths in headers nor checksums matter: ports are found, and the copy is the frame with its errors.",
    "decided",
    BY_PORT,
    [
        ingress(into(TCP(sport=40000, dport=443, chksum=0x1234) / Raw(DATA)), "wrong TCP checksum").mirrored(),
        ingress(into(tcp(), chksum=0xBAD), "wrong IPv4 header checksum").mirrored(),
        ingress(into(tcp(), len=20), "total length without the TCP header").mirrored(),
        ingress(into(tcp(), len=0), "total length 0, as with segmentation offload").mirrored(),
        ingress(into(tcp(), len=65535), "total length beyond the frame").mirrored(),
        ingress(into6(tcp(), plen=0), "IPv6 payload length 0").mirrored(20),
        ingress(into(TCP(sport=40000, dport=443, dataofs=0) / Raw(DATA)), "TCP data offset 0").mirrored(),
    ],
)

FIRST, LATER = Flow(PEER4, WEB4, 0, 0, 6), Flow(PEER4, WEB4, 0, 0, 6)
case(
    "ipv4-fragments",
    "3.8 3.16 5.9 7.16",
    "The first fragment has ports, later ones match no rule that has a port; the hash of all is without ports.",
    "RFC 791 section 3.1; decided",
    BY_PORT,
    [
        ingress(into(tcp(), flags="MF"), "first fragment").mirrored(10, flow=FIRST),
        ingress(into(tcp(), frag=3, flags="MF"), "in the middle; what would be ports says 443").mirrored(
            30, flow=LATER
        ),
        ingress(into(tcp(), frag=6), "last").mirrored(30, flow=LATER),
        ingress(into(tcp(), flags="DF"), "no fragment: DF").mirrored(10),
        ingress(into(tcp(), flags=4), "no fragment: the reserved bit").mirrored(10),
    ],
)

ROUTE = IPv6ExtHdrRouting(addresses=[PEER6])
AUTHENTICATION = Raw(bytes([6, 4, 0, 0]) + bytes(20))
FOUR = IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(addresses=[PEER6], nh=51) / AUTHENTICATION
MOBILITY = Raw(bytes([6, 0, 0, 0, 0, 0, 0, 0]))
case(
    "ipv6-extension-headers",
    "3.9 3.10 3.11",
    "The protocol and the ports are found behind each kind of extension header, each with its own length.",
    "RFC 8200 section 4; RFC 4302 section 2.2; RFC 6275 section 6.1",
    BY_PORT,
    [
        ingress(into6(IPv6ExtHdrHopByHop() / tcp()), "hop-by-hop").mirrored(20, flow=PLAIN6),
        ingress(into6(ROUTE / tcp()), "routing, 24 bytes").mirrored(20, flow=PLAIN6),
        ingress(into6(IPv6ExtHdrDestOpt() / tcp()), "destination options").mirrored(20, flow=PLAIN6),
        ingress(into6(AUTHENTICATION / tcp(), nh=51), "AH, 24 bytes").mirrored(20, flow=PLAIN6),
        ingress(into6(MOBILITY / tcp(), nh=135), "mobility").mirrored(20, flow=PLAIN6),
        ingress(into6(IPv6ExtHdrFragment() / tcp()), "fragment, atomic").mirrored(20, flow=PLAIN6),
        ingress(into6(FOUR / tcp()), "four of them").mirrored(20, flow=PLAIN6),
        egress(out6(IPv6ExtHdrDestOpt() / udp()), "egress").mirrored(20, flow=Flow(WEB6, PEER6, 40000, 5000, 17)),
    ],
)

BY_PROTOCOL = policy(
    rules([accept(number, "::/0", protocol=number) for number in (6, 17, 50, 59, 60, 132)] + [accept(200, "::/0")])
)


def bare(protocol: int) -> Flow:
    return Flow(PEER6, WEB6, 0, 0, protocol)


case(
    "first-other-next-header",
    "3.11 5.7 7.11",
    "The first next-header value that is no extension header is the protocol, and nothing behind it is read.",
    "RFC 8200 section 4",
    BY_PROTOCOL,
    [
        ingress(into6(Raw(bytes(40)), nh=50), "ESP").mirrored(50, flow=bare(50)),
        ingress(into6(Raw(bytes(40)), nh=59), "no next header").mirrored(59, flow=bare(59)),
        ingress(into6(Raw(bytes([6, 0]) + bytes(38)), nh=132), "SCTP, whose bytes look like a header").mirrored(
            132, flow=bare(132)
        ),
        ingress(into6(Raw(bytes([6, 0]) + bytes(38)), nh=139), "HIP, which is not among them").mirrored(
            200, flow=bare(139)
        ),
    ],
)

case(
    "extension-header-cut",
    "3.12 5.8 7.12",
    "Of an extension header the first four bytes are enough; with fewer the frame has no protocol and no ports.",
    "decided",
    BY_PROTOCOL,
    [
        ingress(into6(Raw(bytes([6, 0, 1, 4])), nh=0), "four bytes of hop-by-hop").mirrored(6, flow=bare(6)),
        ingress(into6(Raw(bytes([6, 0, 1])), nh=0), "three").mirrored(200, flow=bare(0)),
        ingress(into6(Raw(b""), nh=0), "none").mirrored(200, flow=bare(0)),
        ingress(into6(Raw(bytes([6, 255]) + bytes(30)), nh=60), "a length beyond the frame").mirrored(6, flow=bare(6)),
    ],
)


def chain(count: int, first=None):
    """``count`` extension headers, destination options but for the first."""
    packet = first
    for _ in range(count - (first is not None)):
        packet = IPv6ExtHdrDestOpt() if packet is None else packet / IPv6ExtHdrDestOpt()
    return packet


case(
    "more-extension-headers-than-are-read",
    "3.13 5.8 7.12",
    "Eight extension headers are read. With a ninth there is no protocol, and still it is IP, and still a fragment.",
    "decided",
    BY_PORT,
    [
        ingress(into6(chain(8) / tcp()), "eight").mirrored(20, flow=PLAIN6),
        ingress(into6(chain(9) / tcp()), "nine").mirrored(40, flow=bare(0)),
        ingress(into6(chain(9, IPv6ExtHdrFragment(m=1)) / tcp()), "nine, the first a fragment header").mirrored(
            40, flow=bare(0)
        ),
    ],
)

case(
    "atomic-fragment",
    "3.14 7.11",
    "A fragment header with offset 0 and no more fragments makes no fragment: ports count, also for the hash.",
    "RFC 6946 section 2; RFC 8200 section 4.5",
    BY_PORT,
    [
        ingress(into6(IPv6ExtHdrFragment(id=1) / tcp()), "atomic").mirrored(20, flow=PLAIN6),
        ingress(into6(IPv6ExtHdrFragment(m=1, id=1) / tcp()), "first of several").mirrored(20, flow=bare(6)),
    ],
)

case(
    "ipv6-later-fragment",
    "3.15 3.16",
    "Behind a fragment header with an offset the chain is not followed: its next-header value is the protocol.",
    "RFC 8200 section 4.5",
    BY_PROTOCOL,
    [
        ingress(into6(IPv6ExtHdrFragment(offset=1, nh=6) / Raw(bytes(40))), "of TCP").mirrored(6, flow=bare(6)),
        ingress(
            into6(IPv6ExtHdrFragment(offset=1, nh=60) / Raw(bytes([6, 0]) + bytes(38))), "of destination options"
        ).mirrored(60, flow=bare(60)),
        ingress(into6(IPv6ExtHdrFragment(offset=8191, m=1, nh=17) / Raw(bytes(40))), "the highest offset").mirrored(
            17, flow=bare(17)
        ),
    ],
)

case(
    "ports-need-four-bytes",
    "3.16 5.9 7.14",
    "TCP and UDP have ports if their four bytes are there, and none with three.",
    "RFC 9293 section 3.1; RFC 768; decided",
    BY_PORT,
    [
        ingress(into(Raw(b"\x9c\x40\x01\xbb"), proto=6), "four bytes of TCP").mirrored(
            10, flow=Flow(PEER4, WEB4, 40000, 443, 6)
        ),
        ingress(into(Raw(b"\x9c\x40\x01"), proto=6), "three").mirrored(30, flow=Flow(PEER4, WEB4, 0, 0, 6)),
        ingress(into6(Raw(b"\x9c\x40\x01\xbb"), nh=6), "four, IPv6").mirrored(20, flow=PLAIN6),
        ingress(into6(Raw(b"\x9c\x40\x01"), nh=6), "three, IPv6").mirrored(40, flow=bare(6)),
        ingress(
            bytes(into(Raw(b"\x9c\x40"), proto=6)) + b"\x01\xbb" + bytes(22), "two, and padding that looks like ports"
        ).mirrored(10, flow=Flow(PEER4, WEB4, 40000, 443, 6)),
    ],
)
