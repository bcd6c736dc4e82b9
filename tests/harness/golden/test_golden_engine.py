"""The golden engine: sequences, generations, counters, conservation; and the trace in plain words."""

from __future__ import annotations

import random
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from halfsilver.harness.engine import Engine, Result
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.golden.narrate import describe
from halfsilver.harness.records import Counters, Frame, Port, Tally
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from tests.harness.golden.golden_kit import (
    ANY_IPV4,
    ENI_0,
    ENI_1,
    EVERYTHING,
    PEER,
    engine,
    interface,
    judge,
    outer,
    policy,
    rule,
    session,
)

IN = Ether(dst=ENI_0, src=PEER)
WEB = bytes(IN / IP(src="10.0.0.1", dst="10.1.0.2") / TCP(sport=40000, dport=443) / Raw(bytes(46)))
INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS


def test_identify() -> None:
    built: Engine = GoldenEngine(extension_headers=5)
    identity = built.identify()
    assert (identity.name, identity.parameters) == ("golden", {"extension_headers": 5})
    built.close()


def test_before_any_policy_nothing_has_an_owner() -> None:
    for data in (WEB, b"\xff" * 60):
        (record,) = GoldenEngine().process([Frame(data, INGRESS)]).verdicts
        assert record == VerdictRecord(0, INGRESS, Verdict.NO_ENI, len(data), generation=0)


def test_sequence_per_direction_goes_on_across_batches_and_policies() -> None:
    built = engine(interface())
    batch = [Frame(WEB, direction) for direction in (INGRESS, EGRESS, INGRESS)]
    assert [record.sequence for record in built.process(batch).verdicts] == [0, 0, 1]
    built.configure(policy(interface(session())))
    assert [record.sequence for record in built.process(batch).verdicts] == [2, 1, 3]


def test_generation_ascends_and_wraps() -> None:
    built = GoldenEngine()
    assert [built.configure(policy()) for _ in range(3)] == [1, 2, 3]
    assert built.process([Frame(WEB, INGRESS)]).verdicts[0].generation == 3
    for _ in range(4, 0x10000):
        built.configure(policy())
    assert built.configure(policy()) == 0
    assert built.configure(policy()) == 1


def test_record_length_saturates() -> None:
    frames = [Frame(bytes(size), INGRESS) for size in (65535, 65536, 9217)]
    records = engine(interface(session())).process(frames).verdicts
    assert [(record.verdict, record.length) for record in records] == [
        (Verdict.MALFORMED, 65535),
        (Verdict.MALFORMED, 65535),
        (Verdict.MALFORMED, 9217),
    ]


def test_counters_by_hand() -> None:
    """Frames of 100 bytes: copies of 60 by a rule and a service, and some that are not copied."""
    rules = (rule("10.0.0.9/32", number=1, accept=False), ANY_IPV4)
    built = engine(
        interface(session(rules, packet_length=60, amazon_dns=True)), interface(session(to=None), address=ENI_1)
    )
    rejected = bytes(IN / IP(src="10.0.0.9", dst="10.1.0.2") / TCP() / Raw(bytes(46)))
    dns = bytes(IN / IP(src="169.254.169.253") / UDP(sport=53, dport=9) / Raw(bytes(58)))
    down = bytes(Ether(dst=PEER, src=ENI_1) / IP() / TCP() / Raw(bytes(46)))
    arp = bytes(IN / ARP()) + bytes(58)
    assert {len(frame) for frame in (WEB, rejected, dns, down, arp)} == {100}
    result = built.process(
        [
            Frame(WEB, INGRESS),
            Frame(WEB, INGRESS),
            Frame(rejected, INGRESS),
            Frame(dns, INGRESS),
            Frame(arp, INGRESS),
            Frame(WEB, EGRESS),
            Frame(down, EGRESS),
        ]
    )
    expected = Counters(
        verdicts={
            (INGRESS, Verdict.MIRRORED): Tally(3, 180),
            (INGRESS, Verdict.REJECTED): Tally(1, 100),
            (INGRESS, Verdict.NOT_ELIGIBLE): Tally(1, 100),
            (EGRESS, Verdict.NO_ENI): Tally(1, 100),
            (EGRESS, Verdict.TARGET_DOWN): Tally(1, 100),
        },
        sessions={(INGRESS, 0, 0): Tally(3, 180)},
        rules={(INGRESS, 0, 0, 1): Tally(2, 120), (INGRESS, 0, 0, 0): Tally(1, 100), (EGRESS, 1, 0, 0): Tally(1, 100)},
        ports={
            **{(port, False): Tally(5, 500) for port in (Port.NETWORK_IN, Port.HOST_OUT)},
            **{(port, False): Tally(2, 200) for port in (Port.HOST_IN, Port.NETWORK_OUT)},
            (Port.COPIES_OUT, False): Tally(3, 3 * (50 + 60)),  # with 50 bytes of outer headers
        },
    )
    assert result.counters == expected
    built.configure(policy(interface()))
    later = built.process([Frame(WEB, INGRESS)]).counters
    assert later.verdicts[INGRESS, Verdict.MIRRORED] == Tally(3, 180)
    assert later.verdicts[INGRESS, Verdict.NO_SESSION] == Tally(1, 100)
    assert result.counters == expected  # a result is not changed by what comes after


def conserved(frames: list[Frame], result: Result) -> bool:
    """offered = sum over verdicts per direction; one output per mirrored frame, in order."""
    for direction in Direction:
        offered = sum(frame.direction is direction for frame in frames)
        if offered != sum(t.frames for (way, _), t in result.counters.verdicts.items() if way is direction):
            return False
    mirrored = [i for i, record in enumerate(result.verdicts) if record.verdict is Verdict.MIRRORED]
    return len(result.verdicts) == len(frames) and mirrored == [output.frame for output in result.outputs]


@pytest.mark.parametrize("seed", range(5))
def test_conservation_on_random_frames(seed: int) -> None:
    """Every verdict but the reserved ones and congested occurs, and nothing is lost or counted twice."""
    chance = random.Random(seed)
    packets = ARP(), Dot1Q(vlan=1) / IPv6() / UDP(), IP(src="10.0.0.9") / TCP()
    starts = [WEB, *(bytes(IN / packet) for packet in packets)]
    frames = []
    for _ in range(2000):
        data = bytearray(chance.choice(starts))
        for _ in range(chance.choice((0, 0, 1, 3))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        if chance.random() < 0.3 and len(data) > 12:
            data[0:6], data[6:12] = data[6:12], data[0:6]
        bad, dropped = chance.random() < 0.05, chance.random() < 0.1
        frames.append(Frame(bytes(data), chance.choice(list(Direction)), bad, dropped))
    rules = (rule("10.0.0.9/32", number=1, accept=False), rule("::/0", "::/0", number=2))
    built = engine(interface(session(rules, (ANY_IPV4,)), session((), EVERYTHING, number=2, to=None)))
    result = built.process(frames)
    assert conserved(frames, result)
    assert {record.verdict for record in result.verdicts} == {
        Verdict.MIRRORED,
        Verdict.MALFORMED,
        Verdict.NO_ENI,
        Verdict.DROPPED,
        Verdict.NOT_ELIGIBLE,
        Verdict.NOT_IP,
        Verdict.REJECTED,
        Verdict.NO_MATCH,
        Verdict.TARGET_DOWN,
    }
    for record in result.verdicts:
        assert VerdictRecord.from_bytes(record.to_bytes()) == record


def test_progress_is_told_and_ends_at_the_end() -> None:
    told: list[tuple[int, int]] = []
    engine().process([Frame(WEB, INGRESS)] * 2500, lambda done, total: told.append((done, total)))
    assert told[-1] == (2500, 2500)
    assert told == sorted(told) and len(told) > 1


def test_explain_counts_nothing() -> None:
    built = engine(interface(session()))
    frame = Frame(WEB, INGRESS)
    trace = built.explain(frame)
    result = built.process([frame])
    assert result.verdicts == [trace.record]
    assert [output.data for output in result.outputs] == [trace.copy]


# The trace in words


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (rule("192.0.2.0/24"), "source 10.0.0.1 not in 192.0.2.0/24"),
        (rule(destination="10.0.0.0/16"), "destination 10.1.0.2 not in 10.0.0.0/16"),
        (rule("::/0", "::/0"), "an IPv6 rule never matches an IPv4 frame"),
        (rule(protocol=17), "protocol is not UDP (17): TCP (6)"),
        (rule(protocol=6, source_ports=(1, 2)), "source port 40000 not in 1-2"),
        (rule(protocol=6, destination_ports=(80, 80)), "destination port 443 not in 80-80"),
        (rule(protocol=6), "matches"),
    ],
)
def test_explain_names_the_first_field_that_fails(candidate: Any, words: str) -> None:
    lines = describe(judge(WEB, interface(session((candidate,)))))
    assert f"  rule 100 (tmfr-100) accept: {words}" in lines


def test_explain_a_fragment() -> None:
    frame = IN / IP(src="10.0.0.1", dst="10.1.0.2", frag=2, proto=17) / Raw(bytes(30))
    lines = describe(judge(frame, interface(session((rule(protocol=17, destination_ports=(53, 53)),)))))
    assert lines[0].endswith("UDP (17), fragment, no ports (fragment, not the first)")
    assert "  rule 100 (tmfr-100) accept: no ports: fragment, not the first" in lines
    assert lines[-2:] == ["  no rule matches", "verdict: no-match, no rule of any session matches"]


def test_explain_a_copy_from_end_to_end() -> None:
    reject = rule("10.0.0.1/32", number=10, accept=False)
    policy = interface(
        session((rule("10.2.0.0/16", number=5), reject, ANY_IPV4)),
        session((ANY_IPV4,), number=2, vni=77, packet_length=64),
    )
    trace = judge(WEB, policy)
    assert describe(trace) == [
        "frame: ingress, 100 bytes, IPv4 10.0.0.1 > 10.1.0.2, TCP (6), ports 40000 > 443",
        "interface: eni-10 (0), its MAC is the frame's destination",
        "session 1 (tms-1), filter tmf-1, 3 ingress rules",
        "  rule 5 (tmfr-5) accept: source 10.0.0.1 not in 10.2.0.0/16",
        "  rule 10 (tmfr-10) reject: matches",
        "session 2 (tms-2), filter tmf-2, 1 ingress rule",
        "  rule 100 (tmfr-100) accept: matches",
        "verdict: mirrored, session 2 (tms-2) takes it: 64 of 100 bytes "
        "(cut to the session's packet length 64) "
        f"to 10.9.0.2, VNI 77, UDP source port {trace.source_port}",
    ]


@pytest.mark.parametrize(
    ("frame", "options", "words"),
    [
        (WEB[:30], {}, "malformed, ends inside the IPv4 header (16 of 20 bytes)"),
        (WEB, {"bad": True}, "malformed, flagged bad by the MAC"),
        (WEB, {"dropped": True}, "dropped, the security group dropped it"),
        (WEB, {"egress": True}, "no-eni, it is no interface's frame"),
        (bytes(IN / ARP()), {}, "not-eligible, arp traffic is never mirrored"),
        (
            bytes(IN / IP(src="169.254.169.253") / UDP(sport=53)),
            {},
            "not-eligible, no session's filter has the network service amazon-dns",
        ),
        (WEB[:5] + b"\x11" + WEB[6:], {}, "target-down, session 1 (tms-1) takes it, but the target has no known MAC"),
        (bytes(IN / Raw(bytes(46))), {}, "not-ip, rules match IP packets only"),
    ],
)
def test_explain_gives_the_reason_of_every_verdict(frame: bytes, options: Any, words: str) -> None:
    policy = interface(session()), interface(session(to=None), address=ENI_1)
    assert describe(judge(frame, *policy, **options))[-1] == f"verdict: {words}"


def test_explain_rejected_and_no_session() -> None:
    lines = describe(judge(WEB, interface(session((rule(accept=False),)))))
    assert lines[-1] == "verdict: rejected, session 1 (tms-1) rejected it first and no session accepted it"
    assert describe(judge(WEB, interface()))[-1] == "verdict: no-session, the interface has no session"


@pytest.mark.parametrize(
    ("packet_length", "mtu_limit", "words"),
    [
        (None, None, "100 of 100 bytes (the whole frame)"),
        (20, None, "35 of 100 bytes (packet length 20 is under the floor of 35 for IPv4)"),
        (90, 80, "80 of 100 bytes (cut to the 80 bytes that the target's MTU leaves)"),
    ],
)
def test_explain_says_which_limit_cut(packet_length: int | None, mtu_limit: int | None, words: str) -> None:
    policy = interface(session(packet_length=packet_length, to=outer(mtu_limit=mtu_limit)))
    (verdict,) = (line for line in describe(judge(WEB, policy)) if line.startswith("verdict: "))
    assert words in verdict
