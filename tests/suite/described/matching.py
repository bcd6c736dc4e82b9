"""Section 5 of the law: sessions and rules."""

from scapy.packet import Raw

from tests.suite.case_kit import (
    ALL,
    PEER4,
    PEER6,
    WEB4,
    WEB6,
    Flow,
    Way,
    accept,
    case,
    echo,
    echo6,
    egress,
    ingress,
    into,
    into6,
    out,
    policy,
    reject,
    rules,
    session,
    tcp,
    udp,
)

FILTERS = 'guide "Understand traffic mirror filter concepts"'
SECOND, THIRD = Way(vni=44), Way(vni=45)

case(
    "sessions-in-ascending-number",
    "5.1 1.1",
    "Sessions are tried in ascending number, not in the order of the file.",
    'guide "Understand traffic mirror session concepts"; CLI; Datadog',
    policy(
        rules([accept(10, protocol=6)], name="tmf-1"),
        rules([accept(10)], name="tmf-2"),
        sessions=[session(300, of="tmf-2", vni=44), session(7, of="tmf-1")],
    ),
    [
        ingress(into(tcp()), "both accept it").mirrored(session="tms-7"),
        ingress(into(udp()), "the second alone").mirrored(session="tms-300", way=SECOND),
    ],
)

case(
    "rules-in-ascending-number",
    "5.2 1.4",
    "Rules are tried in ascending number, not in the order of the file, and the first that matches decides.",
    FILTERS,
    policy(rules([accept(30), reject(20, protocol=17), accept(10, protocol=17, dport=5000)])),
    [
        ingress(into(udp(5000)), "10 matches").mirrored(10),
        ingress(into(udp(5001)), "20 does").gets("rejected", session="tms-1", rule=20),
        ingress(into(tcp()), "30 does").mirrored(30),
    ],
)

case(
    "direction-without-rules",
    "5.3 1.3",
    "A direction without rules mirrors nothing; a filter without any rule mirrors nothing at all.",
    FILTERS,
    policy(rules(ALL, ()), rules(name="tmf-2"), sessions=[session(1, of="tmf-2"), session(2, of="tmf-1", vni=44)]),
    [
        ingress(into(tcp()), "the direction with rules").mirrored(session="tms-2", way=SECOND),
        egress(out(tcp()), "the one without").gets("no-match"),
    ],
)

REJECTS = policy(
    rules([reject(10, protocol=17)]),
    rules([reject(10, protocol=17, dport=(5000, 5999)), accept(20, protocol=17)], name="tmf-2"),
    sessions=[session(1), session(2, of="tmf-2", vni=44)],
)
case(
    "reject-lets-the-next-session-try",
    "5.4",
    "After a reject the next session is tried. If none accepts, the first session that rejected is named.",
    'decided: "the first session with a matching filter" (CLI, Terraform) leaves it open',
    REJECTS,
    [
        ingress(into(udp(4000)), "rejected, then accepted").mirrored(20, "tms-2", way=SECOND),
        ingress(into(udp(5000)), "rejected by both").gets("rejected", session="tms-1", rule=10),
        ingress(into(tcp()), "matched by neither").gets("no-match"),
    ],
)

case(
    "terminal-reject",
    "5.5",
    "With terminal_reject a reject ends the search. No match still goes on to the next session.",
    "decided",
    REJECTS,
    [
        ingress(into(udp(4000)), "rejected by the first").gets("rejected", session="tms-1", rule=10),
        ingress(into(tcp()), "matched by neither").gets("no-match"),
    ],
    settings={"terminal_reject": True},
)

case(
    "reject-in-a-later-session",
    "5.4 5.1",
    "No match in the first session and a reject in the second: rejected, and the second is named.",
    "decided",
    policy(
        rules([accept(10, protocol=6)]),
        rules([reject(77, protocol=17)], name="tmf-2"),
        sessions=[session(1), session(2, of="tmf-2", vni=44)],
    ),
    [ingress(into(udp()), "UDP").gets("rejected", session="tms-2", rule=77)],
)

case(
    "families-apart",
    "5.6 1.4",
    "A rule for all of IPv4 never matches IPv6, nor the reverse.",
    f"{FILTERS} (its example needs a rule for each family)",
    policy(rules([accept(10)], [accept(10, "::/0")])),
    [
        ingress(into(tcp()), "IPv4, rule for IPv4").mirrored(),
        ingress(into6(tcp()), "IPv6, rule for IPv4").gets("no-match"),
        egress(out(tcp()), "IPv4, rule for IPv6").gets("no-match"),
    ],
)

NETWORKS = policy(
    rules(
        (
            accept(1, "192.0.2.1/32"),
            accept(2, "192.0.2.2/31"),
            accept(3, "192.0.2.128/25"),
            accept(4, "128.0.0.0/1", dst="10.0.0.10/32"),
            accept(5, "2001:db8:1::/48"),
            accept(6, "2001:db8::1/128"),
            accept(7, "2001:db8:0:8000::/49"),
        )
    )
)
case(
    "network-prefixes",
    "5.6",
    "A network matches its addresses from the first to the last, and not those beside, at any length of prefix.",
    FILTERS,
    NETWORKS,
    [
        *(
            ingress(into(tcp(), src=source), f"{source}: {what}").mirrored(number)
            for source, number, what in (
                ("192.0.2.1", 1, "/32"),
                ("192.0.2.2", 2, "first of /31"),
                ("192.0.2.3", 2, "last of /31"),
                ("192.0.2.4", 4, "behind it"),
                ("192.0.2.127", 4, "before /25"),
                ("192.0.2.128", 3, "first of /25"),
                ("192.0.2.255", 3, "last of /25"),
                ("255.255.255.255", 4, "last of /1"),
            )
        ),
        ingress(into(tcp(), src="127.255.255.255"), "before /1").gets("no-match"),
        *(
            ingress(into6(tcp(), src=source), f"{source}: {what}").mirrored(number)
            for source, number, what in (
                ("2001:db8:1::", 5, "first of /48"),
                ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", 5, "last of /48"),
                ("2001:db8::1", 6, "/128"),
                ("2001:db8:0:8000::", 7, "first of /49"),
            )
        ),
        ingress(into6(tcp(), src="2001:db8::2"), "beside /128").gets("no-match"),
        ingress(into6(tcp(), src="2001:db8:0:7fff::"), "before /49").gets("no-match"),
    ],
)

case(
    "source-and-destination",
    "5.6",
    "A rule's networks are those of the frame as it is, on egress as on ingress: the source is who sent it.",
    FILTERS,
    policy(rules([accept(10, "198.51.100.0/24", "10.0.0.0/8")], [accept(10, "10.0.0.0/8", "198.51.100.0/24")])),
    [
        ingress(into(tcp()), "ingress, from peer to host").mirrored(),
        ingress(into(tcp(), src=WEB4, dst=PEER4), "the addresses the other way round").gets("no-match"),
        egress(out(tcp()), "egress, from host to peer").mirrored(),
        egress(out(tcp(), src=PEER4, dst=WEB4), "the addresses the other way round").gets("no-match"),
    ],
)

case(
    "protocols",
    "5.7",
    "A protocol is IANA's number; ICMP of one family is not that of the other.",
    'IANA "Protocol Numbers"',
    policy(rules([*(accept(number, protocol=number) for number in (1, 6, 17, 47)), accept(58, "::/0", protocol=58)])),
    [
        ingress(into(echo()), "ICMP").mirrored(1),
        ingress(into(tcp()), "TCP").mirrored(6),
        ingress(into(udp()), "UDP").mirrored(17),
        ingress(into(Raw(bytes(40)), proto=47), "GRE").mirrored(47, flow=Flow(PEER4, WEB4, 0, 0, 47)),
        ingress(into6(echo6()), "ICMPv6").mirrored(58),
        ingress(into(Raw(bytes(40)), proto=58), "58 in IPv4").gets("no-match"),
        ingress(into(Raw(bytes(40)), proto=132), "SCTP").gets("no-match"),
    ],
)

case(
    "any-protocol",
    "5.7 3.13",
    "No protocol, 0 and -1 in a rule are any protocol, also none.",
    'guide "Example: Mirror non-local VPC traffic" ("All"); 0 and -1: EC2, decided',
    policy(
        rules(
            [
                accept(10, "192.0.2.0/24"),
                accept(20, "198.51.100.0/24", protocol=0),
                accept(30, "203.0.113.0/24", protocol=-1),
                accept(40, "2001:db8::/32", protocol=0),
            ]
        )
    ),
    [
        ingress(into(Raw(bytes(40)), src="192.0.2.1", proto=253), "absent").mirrored(
            10, flow=Flow("192.0.2.1", WEB4, 0, 0, 253)
        ),
        ingress(into(tcp()), "0").mirrored(20),
        ingress(into(udp(), src="203.0.113.1"), "-1").mirrored(30),
        ingress(into6(Raw(bytes([0, 0, 1]) + b""), nh=0), "0, and a frame without protocol").mirrored(
            40, flow=Flow(PEER6, WEB6, 0, 0, 0)
        ),
        ingress(into(Raw(bytes(40)), proto=0), "IPv4 with protocol 0").mirrored(20, flow=Flow(PEER4, WEB4, 0, 0, 0)),
    ],
)

case(
    "port-ranges",
    "5.9",
    "Port ranges include both ends; one port is a range, and so are all.",
    'EC2 "CreateTrafficMirrorFilterRule"',
    policy(
        rules(
            [
                accept(10, protocol=6, dport=(1000, 2000)),
                accept(20, protocol=6, dport=443),
                accept(30, protocol=17, dport=(0, 65535)),
                accept(40, protocol=6, sport=(65535, 65535)),
                accept(50, protocol=6, sport=0),
            ]
        )
    ),
    [
        ingress(into(tcp(999)), "999").gets("no-match"),
        ingress(into(tcp(1000)), "1000").mirrored(10),
        ingress(into(tcp(2000)), "2000").mirrored(10),
        ingress(into(tcp(2001)), "2001").gets("no-match"),
        ingress(into(tcp(443)), "443").mirrored(20),
        ingress(into(tcp(442)), "442").gets("no-match"),
        ingress(into(udp(0, 0)), "0, of all").mirrored(30),
        ingress(into(udp(65535)), "65535, of all").mirrored(30),
        ingress(into(tcp(1, 65535)), "source 65535").mirrored(40),
        ingress(into(tcp(1, 0)), "source 0").mirrored(50),
        ingress(into(tcp(65535, 1)), "destination 65535 is no source").gets("no-match"),
    ],
)

case(
    "both-port-ranges",
    "5.9",
    "Where a rule has both ranges, both must match, each its own end.",
    'EC2 "CreateTrafficMirrorFilterRule"',
    policy(rules([accept(10, protocol=17, sport=(1000, 1999), dport=(5000, 5999))])),
    [
        ingress(into(udp(5000, 1999)), "both").mirrored(),
        ingress(into(udp(5000, 2000)), "the destination alone").gets("no-match"),
        ingress(into(udp(4999, 1000)), "the source alone").gets("no-match"),
        ingress(into(udp(1500, 5500)), "the other way round").gets("no-match"),
        ingress(into(tcp(5000, 1999)), "both, of TCP").gets("no-match"),
    ],
)

case(
    "ten-rules",
    "12.6 5.2",
    "Ten rules of a filter, both directions together: each decides what it alone matches.",
    'guide "Quotas", "Filters"; together: decided',
    policy(
        rules(
            [accept(number, protocol=6, dport=number) for number in (1, 2, 3, 4, 5)],
            [reject(number, protocol=6, dport=number) for number in (6, 7, 8, 9)] + [accept(10)],
        )
    ),
    [
        *(ingress(into(tcp(number)), f"rule {number}").mirrored(number) for number in (1, 2, 3, 4, 5)),
        *(
            egress(out(tcp(number)), f"rule {number}").gets("rejected", session="tms-1", rule=number)
            for number in (6, 7, 8, 9)
        ),
        egress(out(tcp(1)), "rule 10").mirrored(10),
    ],
)

case(
    "three-sessions-of-ten-rules",
    "12.5 12.6 5.1",
    "Three sessions with ten rules each: the last rule of the last session is reached.",
    'guide "Quotas"',
    policy(
        rules([accept(number, protocol=17, dport=1000 + number) for number in range(1, 11)]),
        rules([accept(number, protocol=17, dport=2000 + number) for number in range(1, 11)], name="tmf-2"),
        rules([accept(number, protocol=17, dport=3000 + number) for number in range(1, 11)], name="tmf-3"),
        sessions=[session(1), session(2, of="tmf-2", vni=44), session(3, of="tmf-3", vni=45)],
    ),
    [
        ingress(into(udp(1001)), "the first of the first").mirrored(1),
        ingress(into(udp(1010)), "the last of the first").mirrored(10),
        ingress(into(udp(2005)), "in the middle").mirrored(5, "tms-2", way=SECOND),
        ingress(into(udp(3010)), "the last of the last").mirrored(10, "tms-3", way=THIRD),
        ingress(into(udp(3011)), "none").gets("no-match"),
    ],
)

case(
    "numbers-at-their-ends",
    "12.1 12.2 12.3 7.10",
    "Session and rule numbers of 1 and 32766 and VNIs of 1 and 16777215 do what others do.",
    'guide "Create, modify, or delete a traffic mirror session"; CLI; RFC 7348 section 5',
    policy(
        rules([accept(1, protocol=6), reject(32766)]),
        rules([accept(32766)], name="tmf-2"),
        sessions=[session(32766, of="tmf-2", vni=16777215), session(1, vni=1)],
    ),
    [
        ingress(into(tcp()), "session 1, rule 1").mirrored(1, way=Way(vni=1)),
        ingress(into(udp()), "session 32766, rule 32766").mirrored(32766, "tms-32766", way=Way(vni=16777215)),
    ],
)
