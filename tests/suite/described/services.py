"""Section 4 of the law: traffic that no rule sees."""

from scapy.layers.l2 import ARP
from scapy.packet import Raw

from tests.suite.case_kit import (
    ALL,
    EVERYTHING,
    PEER4,
    PEER6,
    ROUTER,
    WEB,
    WEB4,
    WEB6,
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
    link_in,
    link_out,
    out,
    out6,
    policy,
    reject,
    rules,
    session,
    tcp,
    udp,
)

WITH_DNS = policy(rules((reject(5, protocol=17, dport=53), *ALL), ALL, ["amazon-dns"]))
METADATA, METADATA6 = "169.254.169.254", "fd00:ec2::254"
TIME, TIME6 = "169.254.169.123", "fd00:ec2::123"
WINDOWS, WINDOWS_TOO, WINDOWS6 = "169.254.169.250", "169.254.169.251", "fd00:ec2::250"
DNS, DNS6 = "169.254.169.253", "fd00:ec2::253"
LIMITS = 'guide "General limitations"'

case(
    "arp",
    "3.4",
    "ARP is never mirrored, asked or answered, tagged or not. RARP is another ethertype, and not IP.",
    f"{LIMITS}; RFC 826",
    EVERYTHING,
    [
        ingress(link_in() / ARP(hwsrc=ROUTER, psrc="10.0.0.1", pdst=WEB4) / Raw(bytes(18)), "request").gets(
            "not-eligible", service="arp"
        ),
        egress(link_out() / ARP(op=2, hwsrc=WEB, psrc=WEB4, pdst="10.0.0.1") / Raw(bytes(18)), "reply").gets(
            "not-eligible", service="arp"
        ),
        ingress(bytes(link_in())[:12] + b"\x81\x00\x00\x07\x08\x06" + bytes(46), "in a VLAN").gets(
            "not-eligible", service="arp"
        ),
        ingress(bytes(link_in())[:12] + b"\x80\x35" + bytes(46), "RARP").gets("not-ip"),
    ],
)

case(
    "dhcp",
    "3.16",
    "UDP with port 67 or 68 as either, in IPv6 546 or 547, is never mirrored. Those of the other family, and TCP, are.",
    f"{LIMITS}; RFC 2131 section 4.1; RFC 8415 section 7.2",
    EVERYTHING,
    [
        egress(out(udp(67, 68), src="0.0.0.0", dst="255.255.255.255"), "discover").gets("not-eligible", service="dhcp"),
        ingress(into(udp(68, 67)), "offer").gets("not-eligible", service="dhcp"),
        ingress(into(udp(40000, 67)), "the server's port as source alone").gets("not-eligible", service="dhcp"),
        ingress(into(udp(68, 40000)), "the client's port as destination alone").gets("not-eligible", service="dhcp"),
        egress(out6(udp(547, 546)), "IPv6 solicit").gets("not-eligible", service="dhcp"),
        ingress(into6(udp(546, 547)), "IPv6 advertise").gets("not-eligible", service="dhcp"),
        ingress(into(udp(546, 547)), "IPv6's ports in IPv4").mirrored(),
        ingress(into6(udp(67, 68)), "IPv4's ports in IPv6").mirrored(20),
        ingress(into(tcp(67, 68)), "TCP").mirrored(),
        ingress(into(udp(66, 69)), "the ports beside").mirrored(),
    ],
)

case(
    "instance-metadata",
    "3.16",
    "Any traffic with the metadata service is never mirrored, whichever end it is and whatever protocol.",
    f'{LIMITS}; EC2 user guide "Access instance metadata"',
    EVERYTHING,
    [
        egress(out(tcp(80), dst=METADATA), "a request").gets("not-eligible", service="instance-metadata"),
        ingress(into(tcp(40000, 80), src=METADATA), "an answer").gets("not-eligible", service="instance-metadata"),
        egress(out(echo(), dst=METADATA), "ping").gets("not-eligible", service="instance-metadata"),
        egress(out6(tcp(80), dst=METADATA6), "IPv6").gets("not-eligible", service="instance-metadata"),
        ingress(into6(tcp(40000, 80), src=METADATA6), "IPv6 answer").gets("not-eligible", service="instance-metadata"),
        egress(out(tcp(80), dst="169.254.169.252"), "a link-local address beside").mirrored(),
        egress(out(tcp(80), dst="169.254.168.254"), "another one").mirrored(),
        egress(out6(tcp(80), dst="fd00:ec2::1:254"), "an IPv6 address beside").mirrored(20),
    ],
)

case(
    "time-sync",
    "4.1",
    "NTP with Amazon's link-local server is never mirrored; with any other server it is, as AWS's real capture shows.",
    f'{LIMITS}; EC2 user guide "Amazon Time Sync Service"; the capture of suricata-verify\'s vxlan-decoder-03',
    EVERYTHING,
    [
        egress(out(udp(123, 123), dst=TIME), "to the link-local server").gets("not-eligible", service="time-sync"),
        ingress(into(udp(40000, 123), src=TIME), "from it").gets("not-eligible", service="time-sync"),
        egress(out6(udp(123), dst=TIME6), "IPv6").gets("not-eligible", service="time-sync"),
        egress(out(udp(123, 123)), "to a public server").mirrored(),
        egress(out(udp(124), dst=TIME), "another port").mirrored(),
        egress(out(tcp(123), dst=TIME), "TCP").mirrored(),
    ],
)

case(
    "windows-activation",
    "3.16",
    "TCP 1688 with the activation servers is never mirrored; UDP and other ports are.",
    f"{LIMITS}; EC2 user guide, Windows activation",
    EVERYTHING,
    [
        egress(out(tcp(1688), dst=WINDOWS), "the first server").gets("not-eligible", service="windows-activation"),
        egress(out(tcp(1688), dst=WINDOWS_TOO), "the second").gets("not-eligible", service="windows-activation"),
        ingress(into(tcp(40000, 1688), src=WINDOWS), "an answer").gets("not-eligible", service="windows-activation"),
        egress(out6(tcp(1688), dst=WINDOWS6), "IPv6").gets("not-eligible", service="windows-activation"),
        egress(out(udp(1688), dst=WINDOWS), "UDP").mirrored(),
        egress(out(tcp(1689), dst=WINDOWS), "another port").mirrored(),
        egress(out(tcp(1688)), "another server").mirrored(),
        egress(out(tcp(1688), dst="169.254.169.249"), "the address beside").mirrored(),
    ],
)

case(
    "amazon-dns-without-the-service",
    "4.3 4.5",
    "Amazon DNS is not eligible by rules: without the network service it is not mirrored, not even by a rule for all.",
    'guide "Understand traffic mirror filter concepts"; decided',
    policy(rules(ALL, ALL), interfaces=[interface(10), interface(20), interface(40)]),
    [
        egress(out(udp(53), dst=DNS), "UDP").gets("not-eligible", service="amazon-dns"),
        egress(out(tcp(53), dst=DNS), "TCP").gets("not-eligible", service="amazon-dns"),
        ingress(into6(udp(40000, 53), src=DNS6), "IPv6 answer").gets("not-eligible", service="amazon-dns"),
        egress(out(udp(53), src="10.0.0.20", dst=DNS, mac="0a:00:00:00:00:20"), "of an interface without session").gets(
            "not-eligible", eni="eni-20", service="amazon-dns"
        ),
        egress(out(udp(53)), "DNS with a public server").mirrored(),
        egress(out(udp(853), dst=DNS), "another port").mirrored(),
    ],
)

case(
    "amazon-dns-with-the-service",
    "4.3 4.4",
    "The network service takes all of Amazon DNS, both directions, before any rule is looked at: no rule is named.",
    'guide "Understand traffic mirror filter concepts"; the order: decided',
    WITH_DNS,
    [
        egress(out(udp(53), dst=DNS), "a question").mirrored(None, service="amazon-dns"),
        ingress(into(udp(40000, 53), src=DNS), "an answer").mirrored(None, service="amazon-dns"),
        ingress(into(udp(53), src=DNS), "one that a rule would reject").mirrored(None, service="amazon-dns"),
        egress(out6(tcp(53), dst=DNS6), "IPv6 and TCP").mirrored(None, service="amazon-dns"),
        ingress(into(udp(53)), "DNS with another server is rejected").gets("rejected", session="tms-1", rule=5),
        egress(out(udp(67, 53), dst=DNS), "DHCP's port comes first").gets("not-eligible", service="dhcp"),
    ],
)

case(
    "amazon-dns-goes-to-the-first-with-the-service",
    "4.3 4.4 5.5",
    "Of several sessions the first with the network service takes it; rejects of earlier ones do not matter.",
    'guide "Understand traffic mirror filter concepts"; decided',
    policy(
        rules([reject(10)], [reject(10)]),
        rules(services=["amazon-dns"], name="tmf-2"),
        rules(ALL, ALL, ["amazon-dns"], name="tmf-3"),
        sessions=[session(1), session(2, of="tmf-2", vni=44), session(3, of="tmf-3", vni=45)],
    ),
    [
        egress(out(udp(53), dst=DNS), "a question").mirrored(None, "tms-2", way=Way(vni=44), service="amazon-dns"),
        egress(out(udp(5000)), "other traffic, rejected for good").gets("rejected", session="tms-1", rule=10),
    ],
    settings={"terminal_reject": True},
)

case(
    "the-interfaces-resolver",
    "4.2",
    "The resolver of an interface is its tag, or base + 2 of its VPC's network; that of another interface is nobody's.",
    'VPC user guide "DNS attributes"; the tag: decided',
    policy(
        rules(ALL, ALL),
        interfaces=[interface(10, VpcId="vpc-1"), interface(20, resolver="192.0.2.53"), interface(40)],
        sessions=[session(), session(eni="eni-20", vni=43)],
        Vpcs=[{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
    ),
    [
        egress(out(udp(53), dst="10.0.0.2"), "base + 2, of the interface in the VPC").gets(
            "not-eligible", service="amazon-dns"
        ),
        egress(out(udp(53), dst="10.0.0.3"), "base + 3").mirrored(),
        egress(out(udp(53), dst="192.0.2.53"), "the other interface's").mirrored(),
        egress(out(tcp(53), src="10.0.0.20", dst="192.0.2.53", mac="0a:00:00:00:00:20"), "the tag").gets(
            "not-eligible", eni="eni-20", service="amazon-dns"
        ),
        egress(
            out(udp(53), src="10.0.0.20", dst="10.0.0.2", mac="0a:00:00:00:00:20"), "base + 2, of the other"
        ).mirrored(
            eni="eni-20", session="tms-20x1", way=Way(source="10.0.0.20", source_mac="0a:00:00:00:00:20", vni=43)
        ),
    ],
)

case(
    "lowest-service-code",
    "3.16",
    "A frame that fits several services has the one with the lowest code.",
    "docs/mirroring.md section 4: decided",
    EVERYTHING,
    [
        egress(out(udp(67, 68), dst=METADATA), "DHCP with the metadata service").gets("not-eligible", service="dhcp"),
        egress(out(udp(123), src=TIME, dst=METADATA), "time and metadata").gets(
            "not-eligible", service="instance-metadata"
        ),
        egress(out(udp(123, 53), src=DNS, dst=TIME), "time and DNS").gets("not-eligible", service="time-sync"),
        egress(out(tcp(1688, 53), src=DNS, dst=WINDOWS), "activation and DNS").gets(
            "not-eligible", service="windows-activation"
        ),
    ],
)

case(
    "services-need-ports",
    "3.16 5.9",
    "Without ports there is no service that has some: a later fragment is judged by the rules.",
    "decided",
    EVERYTHING,
    [
        egress(out(udp(53), dst=DNS, frag=1), "a later fragment of Amazon DNS").mirrored(
            flow=Flow(WEB4, DNS, 0, 0, 17)
        ),
        ingress(into(udp(68, 67), frag=1), "of DHCP").mirrored(flow=Flow(PEER4, WEB4, 0, 0, 17)),
        egress(out(udp(53), dst=DNS, flags="MF"), "the first fragment of Amazon DNS").gets(
            "not-eligible", service="amazon-dns"
        ),
        egress(out(udp(123), dst=METADATA, frag=1), "metadata needs none").gets(
            "not-eligible", service="instance-metadata"
        ),
        ingress(into6(Raw(b"\x02\x22"), nh=17), "two bytes of UDP").mirrored(20, flow=Flow(PEER6, WEB6, 0, 0, 17)),
    ],
)

case(
    "services-in-a-vlan",
    "3.3 4.3",
    "Behind a VLAN tag and IPv6 extension headers services are found as elsewhere.",
    "decided",
    EVERYTHING,
    [
        ingress(bytes(link_in())[:12] + b"\x81\x00\x00\x07" + bytes(into(udp(68, 67)))[12:], "DHCP in a VLAN").gets(
            "not-eligible", service="dhcp"
        ),
        egress(out6(Raw(bytes([17, 0, 1, 4, 0, 0, 0, 0])) / udp(53), dst=DNS6, nh=60), "DNS behind options").gets(
            "not-eligible", service="amazon-dns"
        ),
    ],
)

case(
    "rules-do-not-see-services",
    "5.2 4.3",
    "A rule that accepts exactly the service's address and port does not make it eligible.",
    LIMITS,
    policy(
        rules((), (accept(10, dst="169.254.169.254/32"), accept(20, dst="169.254.169.123/32", protocol=17, dport=123)))
    ),
    [
        egress(out(tcp(80), dst=METADATA), "metadata").gets("not-eligible", service="instance-metadata"),
        egress(out(udp(123), dst=TIME), "time").gets("not-eligible", service="time-sync"),
        egress(out(udp(124), dst=TIME), "neither").gets("no-match"),
    ],
)
