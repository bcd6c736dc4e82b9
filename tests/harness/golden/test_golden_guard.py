"""``docs/mirroring.md`` section 14: what security groups and network ACLs drop is not mirrored."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from halfsilver.harness.policy.policy import Guard, Interface, Rule
from tests.harness.golden.golden_kit import ANY_IPV4, ENI_0, PEER, interface, judge, rule, session

IN = Ether(dst=ENI_0, src=PEER)
WEB = IN / IP(src="10.1.0.1", dst="10.0.0.1") / TCP(sport=40000, dport=443)
DENY_ALL = rule(number=1, accept=False)
LETS_WEB_IN = rule("10.1.0.0/16", protocol=6, destination_ports=(443, 443))


def guarded(groups: tuple[Rule, ...] | None = None, acl: tuple[Rule, ...] | None = None) -> Interface:
    return replace(interface(session()), guard=Guard(groups, acl))


def verdict(frame: Packet | bytes, guard: Interface, **flags: bool) -> str:
    return str(judge(frame, guard, **flags).record.verdict)


@pytest.mark.parametrize(
    ("groups", "acl", "expected"),
    [
        (None, None, "mirrored"),
        ((), None, "dropped"),
        (None, (), "dropped"),
        ((LETS_WEB_IN,), None, "mirrored"),
        ((LETS_WEB_IN,), (ANY_IPV4,), "mirrored"),
        ((LETS_WEB_IN,), (DENY_ALL, ANY_IPV4), "dropped"),
        ((LETS_WEB_IN,), (LETS_WEB_IN, DENY_ALL), "mirrored"),
        ((), (ANY_IPV4,), "dropped"),
        ((replace(LETS_WEB_IN, destination_ports=(444, 444)),), None, "dropped"),
        ((replace(LETS_WEB_IN, protocol=17),), None, "dropped"),
        ((rule("::/0", "::/0"),), None, "dropped"),
    ],
)
def test_both_lists_have_to_let_a_frame_in(
    groups: tuple[Rule, ...] | None, acl: tuple[Rule, ...] | None, expected: str
) -> None:
    assert verdict(WEB, guarded(groups, acl)) == expected


def test_what_is_not_ip_and_what_aws_does_not_filter_comes_in() -> None:
    nothing = guarded((), ())
    assert verdict(IN / ARP(), nothing) == "not-eligible"
    assert verdict(IN / IP(src="169.254.169.253") / UDP(sport=53, dport=4), nothing) == "not-eligible"
    assert verdict(IN / IP() / UDP(sport=67, dport=68), nothing) == "not-eligible"
    assert verdict(Ether(dst=ENI_0, src=PEER, type=0x88CC) / bytes(46), nothing) == "not-ip"
    assert verdict(IN / IPv6(), nothing) == "dropped"


def test_egress_and_tap_are_not_guarded() -> None:
    nothing = guarded((), ())
    out = Ether(dst=PEER, src=ENI_0) / IP(src="10.0.0.1", dst="10.1.0.1") / TCP()
    assert verdict(out, nothing, egress=True) == "mirrored"
    others = Ether(dst="02:00:00:00:00:77", src=PEER) / IP() / TCP()
    assert verdict(others, nothing, tap=True) == "mirrored"
    assert verdict(Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER) / IP() / TCP(), nothing) == "dropped"


def test_malformed_comes_first_and_the_reason_is_told() -> None:
    assert verdict(bytes(WEB)[:30], guarded((), ())) == "malformed"
    trace = judge(WEB, guarded((LETS_WEB_IN,), (DENY_ALL,)))
    assert trace.refusal is not None and trace.refusal.name == "ACL_ENTRY"
