"""Sections 9 and 11 of the law: what AWS's metrics count, and changes of the rule set."""

from tests.suite.case_kit import (
    ALL,
    OTHER,
    Way,
    accept,
    case,
    egress,
    ingress,
    interface,
    into,
    out,
    policy,
    reject,
    rules,
    session,
    tcp,
    udp,
)

METRICS = 'guide "Traffic Mirroring metrics and dimensions"; bytes without outer headers: decided'
OTHERS = Way(source="10.0.0.20", source_mac=OTHER, vni=43)
UDP, TCP = len(bytes(into(udp()))), len(bytes(into(tcp())))

case(
    "metrics-by-direction",
    "9.2 9.3 9.6",
    "AWS's metrics of an interface count the bytes and packets of its copies, by direction; a copy that is cut counts "
    "as far as it goes, and what is not mirrored not at all.",
    METRICS,
    policy(rules([reject(5, protocol=17, dport=9), *ALL], ALL), sessions=[session(PacketLength=100)]),
    [
        ingress(into(tcp()), "74 bytes").mirrored(),
        ingress(into(udp(data=bytes(400))), "442 bytes, cut to 100").mirrored(copied=100),
        ingress(into(udp(9)), "rejected").gets("rejected", session="tms-1", rule=5),
        egress(out(udp()), "62 bytes").mirrored(),
        egress(out(udp(67, 68)), "DHCP").gets("not-eligible", service="dhcp"),
    ],
    metrics={
        "eni-10": {
            "NetworkMirrorIn": TCP + 100,
            "NetworkPacketsMirrorIn": 2,
            "NetworkMirrorOut": UDP,
            "NetworkPacketsMirrorOut": 1,
        }
    },
)

case(
    "metrics-by-interface",
    "9.3 9.6",
    "Metrics are per interface, over all of its sessions.",
    METRICS,
    policy(
        rules([accept(10, protocol=6)]),
        rules(ALL, name="tmf-2"),
        interfaces=[interface(10), interface(20), interface(40)],
        sessions=[session(1), session(2, of="tmf-2", vni=44), session(of="tmf-2", eni="eni-20", vni=43)],
    ),
    [
        ingress(into(tcp()), "eni-10's first session").mirrored(),
        ingress(into(udp()), "its second").mirrored(session="tms-2", way=Way(vni=44)),
        ingress(into(udp(), mac=OTHER), "eni-20's").mirrored(eni="eni-20", session="tms-20x1", way=OTHERS),
        egress(out(udp()), "no rule for egress").gets("no-match"),
    ],
    metrics={
        "eni-10": {"NetworkMirrorIn": TCP + UDP, "NetworkPacketsMirrorIn": 2},
        "eni-20": {"NetworkMirrorIn": UDP, "NetworkPacketsMirrorIn": 1},
    },
)

case(
    "metrics-leave-out-what-is-down",
    "9.4 9.6",
    "A frame that a session claims and whose target is down counts in no metric, neither as sent nor as skipped.",
    METRICS,
    policy(rules(ALL, ALL), sessions=[session(StoppedReason="the target was deleted")]),
    [
        ingress(into(tcp()), "claimed").gets("target-down", session="tms-1", rule=10),
        egress(out(tcp()), "claimed").gets("target-down", session="tms-1", rule=10),
    ],
    metrics={"eni-10": {}},
)

BEFORE = policy(rules([accept(10, protocol=6)], ALL))
AFTER = policy(
    rules([accept(20, protocol=17), reject(30)], ()),
    interfaces=[interface(10), interface(50)],
    targets=[{"TrafficMirrorTargetId": "tmt-1", "NetworkInterfaceId": "eni-50"}],
    sessions=[session(vni=99, PacketLength=40)],
)
NEW = Way(mac="0a:00:00:00:00:50", destination="10.0.0.50", vni=99)
case(
    "rule-set-changes-between-frames",
    "11.1 11.2 11.3 11.4",
    "Each frame is judged, cut and addressed by the rule set that was in force; sequence numbers and counters go on.",
    "decided",
    [BEFORE, AFTER, BEFORE],
    [
        ingress(into(tcp()), "TCP, first rule set").mirrored(),
        egress(out(tcp()), "egress, first rule set").mirrored(),
        ingress(into(udp()), "UDP, first rule set").gets("no-match"),
        ingress(into(tcp()), "TCP, second rule set", policy=2).gets("rejected", session="tms-1", rule=30),
        egress(out(tcp()), "egress, second rule set", policy=2).gets("no-match"),
        ingress(into(udp()), "UDP, second rule set", policy=2).mirrored(20, copied=40, way=NEW),
        ingress(into(tcp()), "TCP, first rule set again", policy=3).mirrored(),
    ],
    metrics={
        "eni-10": {
            "NetworkMirrorIn": 2 * TCP + 40,
            "NetworkPacketsMirrorIn": 3,
            "NetworkMirrorOut": TCP,
            "NetworkPacketsMirrorOut": 1,
        }
    },
)

case(
    "rule-set-without-sessions",
    "11.1 1.1",
    "A rule set without sessions is one like any other: nothing is mirrored while it is in force.",
    "decided",
    [policy(rules(ALL, ALL)), policy(rules(ALL, ALL), sessions=[]), policy(rules(ALL, ALL))],
    [
        ingress(into(tcp()), "before").mirrored(),
        ingress(into(tcp()), "meanwhile", policy=2).gets("no-session"),
        ingress(into(tcp()), "after", policy=3).mirrored(),
    ],
)
