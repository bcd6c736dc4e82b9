"""Regressions of others: what tunnels, parsers and mirrors got wrong once, by the issue in which it was found.

The frames are ours; what the issue is about is said first, then what the law says of it.
"""

from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1Q
from scapy.packet import Raw

from tests.suite.case_kit import (
    BY_PORT,
    DATA,
    EVERYTHING,
    FILTER,
    PEER4,
    PEER6,
    PLAIN6,
    STRANGER,
    WAY6,
    WEB4,
    WEB6,
    Flow,
    Way,
    accept,
    case,
    echo6,
    egress,
    ingress,
    interface,
    into,
    into6,
    issue,
    link_in,
    out,
    out6,
    policy,
    pull,
    reject,
    rules,
    session,
    tcp,
    udp,
)

# The outer packet.

case(
    "sonic-mgmt-804",
    "7.4 7.6",
    "Switches put 64, 255 or the inner TTL into the outer packet, and a test gave up looking. Here it is 255, always.",
    pull("sonic-net/sonic-mgmt#804"),
    EVERYTHING,
    [ingress(into(udp(), ttl=ttl), f"TTL {ttl}").mirrored() for ttl in (1, 2, 64, 255)],
)

case(
    "vyos-1x-5094",
    "7.4 6.11",
    "VyOS' VXLAN interfaces had a TTL of 16, which some networks are wider than. A TTL of 1 in the frame stays in "
    "the frame.",
    pull("vyos/vyos-1x#5094"),
    EVERYTHING,
    [
        egress(out(udp(), dst="224.0.0.251", ttl=1), "multicast with TTL 1").mirrored(),
        egress(out6(udp(), dst="ff02::fb", hlim=1), "hop limit 1").mirrored(20),
    ],
)

case(
    "sonic-buildimage-6653",
    "7.4 7.6 6.11",
    "A switch made the outer DSCP and ECN from the inner ones, wrongly. Here they are 0, so that Linux, which "
    "combines outer and inner ECN when it unpacks, leaves the inner bits alone.",
    f"{issue('sonic-net/sonic-buildimage#6653')}; RFC 6040 section 4.2",
    EVERYTHING,
    [ingress(into(udp(), tos=tos), f"type of service {tos:#04x}").mirrored() for tos in (0x01, 0x02, 0x03, 0x3E, 0xFF)],
)

case(
    "frr-22996",
    "7.7 7.3",
    "FRR's routes sent VXLAN over IPv6 with a UDP checksum of 0, which Linux drops unless it is told not to. The "
    "checksum is right and never 0.",
    issue("FRRouting/frr#22996"),
    policy(FILTER, interfaces=[interface(10, v4=False), interface(40, v4=False)], sessions=[session(vni=6600)]),
    [
        ingress(into(tcp()), "IPv4 inside").mirrored(way=Way(**{**vars(WAY6), "vni": 6600})),
        ingress(into6(echo6()), "IPv6 inside").mirrored(20, way=Way(**{**vars(WAY6), "vni": 6600})),
    ],
)

case(
    "linux-vxlan-noudpcsum",
    "7.5 7.4",
    "Linux' vxlan device sends a UDP checksum over IPv4 unless it is told noudpcsum, and sets an identification; "
    "both ways are right, and AWS sends 0 for both.",
    "ip-link(8), vxlan, [no]udpcsum; RFC 7348 section 5",
    EVERYTHING,
    [
        ingress(into(udp(), id=0xFFFF), "identification 0xffff").mirrored(),
        ingress(into(udp(data=bytes(1000)), id=1), "a longer one").mirrored(),
    ],
)

case(
    "calico-8790",
    "7.9 7.11",
    "Calico sent all flows with one VXLAN source port, so that one core of the receiver had them all. Flows that "
    "differ in a port or an address have ports of their own.",
    pull("projectcalico/calico#8790"),
    EVERYTHING,
    [ingress(into(tcp(sport=50000 + port)), f"source port {50000 + port}").mirrored() for port in range(8)]
    + [ingress(into(tcp(), src=f"198.51.100.{host}"), f"host {host}").mirrored() for host in range(1, 9)],
)

case(
    "sonic-platform-vpp-262",
    "7.11 3.3",
    "VPP's VXLAN hashed a frame by what it took for its headers, and all flows of a tunnel had one source port "
    "where frames were tagged. The hash is that of the inner 5-tuple, tagged or not.",
    pull("sonic-net/sonic-platform-vpp#262"),
    EVERYTHING,
    [
        ingress(
            link_in(vlan=(Dot1Q(vlan=7),)) / into(tcp(sport=port)).payload, f"tagged, source port {port}"
        ).mirrored()
        for port in (1, 2, 3, 4)
    ],
)

# Fragments and extension headers.

case(
    "tcpdump-434",
    "3.8 5.9",
    "`udp and port 40000` misses all fragments but the first. So does a rule with a port; one without takes all.",
    issue("the-tcpdump-group/tcpdump#434"),
    policy(rules([accept(10, protocol=17, dport=40000)], [accept(10, protocol=17)])),
    [
        ingress(into(udp(40000), flags="MF"), "first, rule with port").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 17)),
        ingress(into(Raw(DATA * 2), proto=17, frag=100), "last, rule with port").gets("no-match"),
        egress(out(Raw(DATA * 2), proto=17, frag=100), "last, rule without").mirrored(flow=Flow(WEB4, PEER4, 0, 0, 17)),
    ],
)

case(
    "dash-49",
    "3.8 5.4 5.9",
    "SONiC-DASH asked what becomes of later fragments where rules have ports: nothing is remembered of the first "
    "one, and a reject with a port does not reach them either.",
    issue("sonic-net/DASH#49"),
    policy(rules([reject(10, protocol=17, dport=9), accept(20, protocol=17)])),
    [
        ingress(into(udp(9), flags="MF"), "first").gets("rejected", session="tms-1", rule=10),
        ingress(into(Raw(DATA * 2), proto=17, frag=4), "last").mirrored(20, flow=Flow(PEER4, WEB4, 0, 0, 17)),
    ],
)

case(
    "yanet2-1181",
    "5.9 3.8",
    "A rule for all ports was taken for one without ports, and matched fragments. A range of 0 to 65535 needs ports.",
    pull("yanet-platform/yanet2#1181"),
    policy(rules([accept(10, protocol=17, sport=(0, 65535), dport=(0, 65535))])),
    [
        ingress(into(udp(0, 0)), "ports 0").mirrored(),
        ingress(into(udp(), frag=1), "a later fragment").gets("no-match"),
        ingress(into(Raw(b"\x00\x01"), proto=17), "two bytes of UDP").gets("no-match"),
    ],
)

case(
    "etherparse-149",
    "3.14 3.15",
    "A library had offset and M of the IPv6 fragment header at the wrong bits, in reading and in writing, so that "
    "its tests agreed. The offset is the upper 13 bits of bytes 2 and 3, M the lowest.",
    f"{pull('JulianSchmid/etherparse#149')}; RFC 8200 section 4.5",
    BY_PORT,
    [
        ingress(
            into6(Raw(bytes([6, 0, 0x00, 0x01, 0, 0, 0, 9])) / tcp(), nh=44), "0x0001: first, more follow"
        ).mirrored(20, flow=Flow(PEER6, WEB6, 0, 0, 6)),
        ingress(into6(Raw(bytes([6, 0, 0x00, 0x08, 0, 0, 0, 9])) / tcp(), nh=44), "0x0008: offset 1").gets("no-match"),
        ingress(into6(Raw(bytes([6, 0, 0x80, 0x00, 0, 0, 0, 9])) / tcp(), nh=44), "0x8000: offset 4096").gets(
            "no-match"
        ),
        ingress(
            into6(Raw(bytes([6, 0, 0x00, 0x06, 0, 0, 0, 9])) / tcp(), nh=44), "0x0006: reserved bits alone"
        ).mirrored(20, flow=PLAIN6),
    ],
)

case(
    "nebula-1840",
    "3.9 3.11",
    "A firewall took every next-header value that it did not know for an extension header, and read forged ports "
    "behind it.",
    pull("slackhq/nebula#1840"),
    BY_PORT,
    [
        ingress(into6(Raw(bytes([6, 0, 0, 0, 0, 0, 0, 0])) / tcp(), nh=132), "SCTP that looks like a header").gets(
            "no-match"
        ),
        ingress(into6(Raw(bytes([6, 0, 0, 0, 0, 0, 0, 0])) / tcp(), nh=140), "Shim6").gets("no-match"),
        ingress(into6(Raw(bytes([6, 0, 0, 0, 0, 0, 0, 0])) / tcp(), nh=253), "an experiment").gets("no-match"),
        ingress(into6(Raw(bytes([6, 0, 0, 0, 0, 0, 0, 0])) / tcp(), nh=60), "a real one").mirrored(20, flow=PLAIN6),
    ],
)

case(
    "nebula-1789",
    "3.10 3.16",
    "The length of an extension header did not fit eight bits, and ports were read too early. One of 2,048 bytes "
    "is read over.",
    pull("slackhq/nebula#1789"),
    BY_PORT,
    [
        ingress(into6(Raw(bytes([6, 31]) + bytes(254)) / tcp(), nh=60), "256 bytes").mirrored(20, flow=PLAIN6),
        ingress(into6(Raw(bytes([6, 32]) + bytes(262)) / tcp(), nh=60), "264 bytes").mirrored(20, flow=PLAIN6),
        ingress(into6(Raw(bytes([6, 255]) + bytes(2046)) / tcp(), nh=60), "2,048 bytes").mirrored(20, flow=PLAIN6),
        ingress(
            into6(Raw(bytes([6, 255]) + bytes(1018) + bytes(1028)) / tcp(), nh=51), "AH of 1,028 bytes, then zeros"
        ).gets("no-match"),
    ],
)

NINE = IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt()
for _ in range(6):
    NINE = NINE / IPv6ExtHdrDestOpt()
case(
    "nebula-1883",
    "3.13 5.8",
    "When a firewall had read as many extension headers as it would, it took what followed for the transport "
    "header. Past the bound there is no protocol and there are no ports.",
    pull("slackhq/nebula#1883"),
    BY_PORT,
    [
        ingress(into6(NINE / tcp()), "eight, then TCP").mirrored(20, flow=PLAIN6),
        ingress(into6(NINE / IPv6ExtHdrDestOpt() / tcp()), "nine, then TCP").gets("no-match"),
    ],
)

case(
    "sipnab-98",
    "3.15 3.8",
    "A SIP sniffer did not see that an IPv6 packet is a fragment, because that stands in an extension header. All "
    "fragments are known as such, and are copied and hashed alike.",
    pull("NormB/sipnab#98"),
    EVERYTHING,
    [
        ingress(into6(IPv6ExtHdrFragment(m=1, id=7) / udp(5060, 5060)), "first").mirrored(
            20, flow=Flow(PEER6, WEB6, 0, 0, 17)
        ),
        ingress(into6(IPv6ExtHdrFragment(offset=4, id=7, nh=17) / Raw(DATA)), "last").mirrored(
            20, flow=Flow(PEER6, WEB6, 0, 0, 17)
        ),
    ],
)

# Mirrors.

case(
    "faucet-1537",
    "2.2 1.12",
    "A switch mirrored broadcasts twice. There is one copy, of the first interface.",
    issue("faucetsdn/faucet#1537"),
    policy(
        FILTER,
        interfaces=[interface(10), interface(20), interface(40)],
        sessions=[session(), session(eni="eni-20", vni=43)],
    ),
    [
        ingress(
            into(udp(47808, 47809), src="172.28.64.32", dst="172.28.71.255", mac="ff:ff:ff:ff:ff:ff"),
            "the broadcast of the issue",
        ).mirrored(),
        egress(out(udp(), dst="255.255.255.255"), "a broadcast of the host").mirrored(),
    ],
)

case(
    "faucet-2592",
    "4.6",
    "Whether a mirror shows what an ACL dropped was left open. Here it does not: the mark decides, and the next "
    "frame of the flow is mirrored.",
    issue("faucetsdn/faucet#2592"),
    EVERYTHING,
    [ingress(into(tcp()), "dropped", dropped=True).gets("dropped"), ingress(into(tcp()), "let in").mirrored()],
)

case(
    "amzn-drivers-126",
    "2.1 2.3 3.7",
    "Frames of a traffic generator were not mirrored, and nobody could say why. Here a wrong source MAC is no-eni "
    "on egress, and wrong checksums or addresses do not matter.",
    issue("amzn/amzn-drivers#126"),
    EVERYTHING,
    [
        egress(out(tcp(), mac=STRANGER), "a source MAC that is no interface's").gets("no-eni"),
        egress(out(tcp(), src="16.0.0.1", dst="48.0.0.1"), "addresses of the generator").mirrored(),
        egress(out(tcp(), chksum=0x1234), "a wrong checksum").mirrored(),
        egress(bytes(out(tcp()))[:14] + b"\x00" + bytes(out(tcp()))[15:], "no IP header at all").gets("malformed"),
    ],
)

case(
    "cloud-probe-199",
    "6.2 3.7 6.6",
    "Packets that segmentation offload had made longer than the snap length were cut, and taken for lost. A frame "
    "of up to 9,216 bytes with a total length of 0, as offload leaves it, is copied as far as the target's MTU "
    "goes.",
    issue("Netis/cloud-probe#199"),
    EVERYTHING,
    [
        egress(out(tcp(data=bytes(4000)), len=0), "4,054 bytes, total length 0").mirrored(),
        egress(out(tcp(data=bytes(9100)), len=0), "9,154 bytes").mirrored(copied=8961),
    ],
)
