"""Every verdict and every decision of ``docs/mirroring.md`` sections 1, 2, 4 and 5, with hand-made frames."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from tests.harness.golden.golden_kit import (
    ANY_IPV4,
    ENI_0,
    ENI_1,
    EVERYTHING,
    PEER,
    interface,
    judge,
    names,
    rule,
    session,
)

IN = Ether(dst=ENI_0, src=PEER)
OUT = Ether(dst=PEER, src=ENI_0)
V4 = IP(src="10.0.0.1", dst="10.1.0.2")
V6 = IPv6(src="2001:db8::1", dst="2001:db8:1::2")
WEB = IN / V4 / TCP(sport=40000, dport=443)
LLDP = Ether(dst=ENI_0, src=PEER, type=0x88CC) / Raw(bytes(46))
MALFORMED = bytes(IN / V4)[:33]
DNS = IN / IP(src="169.254.169.253", dst="10.1.0.2") / UDP(sport=53, dport=40000)
REJECT_ALL = rule(number=1, accept=False)

MIRRORED_0 = ("mirrored", "none", 0, 0, 0)


# Section 1: order of judgement


def test_malformed_comes_first_and_names_nothing() -> None:
    assert names(judge(MALFORMED, interface(session()), dropped=True, tap=True)) == (
        "malformed",
        "none",
        None,
        None,
        None,
    )
    assert names(judge(WEB, interface(session()), bad=True))[0] == "malformed"


def test_no_eni_before_dropped_and_not_eligible() -> None:
    frame = Ether(dst=ENI_1, src=PEER) / ARP()
    assert names(judge(frame, interface(session()), dropped=True)) == ("no-eni", "none", None, None, None)


def test_dropped_before_not_eligible() -> None:
    assert names(judge(IN / ARP(), interface(), dropped=True)) == ("dropped", "none", 0, None, None)


def test_drop_mark_is_ignored_on_egress() -> None:
    frame = OUT / V4 / TCP()
    assert names(judge(frame, interface(session()), egress=True, dropped=True)) == MIRRORED_0


def test_not_eligible_before_no_session() -> None:
    assert names(judge(IN / ARP(), interface())) == ("not-eligible", "arp", 0, None, None)


def test_no_session_before_not_ip() -> None:
    assert names(judge(LLDP, interface())) == ("no-session", "none", 0, None, None)
    assert names(judge(WEB, interface())) == ("no-session", "none", 0, None, None)


def test_not_ip_before_the_rules() -> None:
    assert names(judge(LLDP, interface(session(())))) == ("not-ip", "none", 0, None, None)


def test_mirrored_rejected_and_no_match() -> None:
    assert names(judge(WEB, interface(session()))) == MIRRORED_0
    assert names(judge(WEB, interface(session((REJECT_ALL,))))) == ("rejected", "none", 0, 0, 0)
    assert names(judge(WEB, interface(session(())))) == ("no-match", "none", 0, None, None)


def test_target_down_claims_its_frames() -> None:
    down, up = session(to=None), session(number=2)
    trace = judge(WEB, interface(down, up))
    assert names(trace) == ("target-down", "none", 0, 0, 0)
    assert (trace.record.copied, trace.copy) == (0, None)


def test_target_down_only_if_it_would_have_mirrored() -> None:
    policy = interface(session((), to=None), session(number=2))
    assert names(judge(WEB, policy)) == ("mirrored", "none", 0, 1, 0)


# Section 2: whose frame


@pytest.mark.parametrize(
    ("destination", "source", "egress", "eni"),
    [
        (ENI_0, PEER, False, 0),
        (ENI_1, PEER, False, 1),
        (ENI_1, ENI_0, False, 1),
        (ENI_1, ENI_0, True, 0),
        (PEER, ENI_1, True, 1),
        ("ff:ff:ff:ff:ff:ff", ENI_1, True, 1),
        ("ff:ff:ff:ff:ff:ff", PEER, False, 0),
        ("01:00:5e:00:00:fb", PEER, False, 0),
        ("33:33:00:00:00:01", ENI_1, False, 0),
        (PEER, ENI_0, False, None),
        (ENI_0, PEER, True, None),
        (ENI_0, "03:00:00:00:00:01", True, None),  # no group rule on egress
    ],
)
def test_owner(destination: str, source: str, egress: bool, eni: int | None) -> None:
    frame = Ether(dst=destination, src=source) / V4 / UDP(sport=1, dport=2)
    policy = interface(session()), interface(session(), address=ENI_1)
    trace = judge(frame, *policy, egress=egress)
    assert trace.record.eni == eni
    assert names(trace)[0] == ("no-eni" if eni is None else "mirrored")
    assert judge(frame, *policy, egress=egress, tap=True).record.eni == (eni or 0)


# Section 4: services


def udp(source: str, destination: str, sport: int, dport: int, layer: Any = UDP) -> Any:
    network = IPv6 if ":" in source else IP
    return IN / network(src=source, dst=destination) / layer(sport=sport, dport=dport)


@pytest.mark.parametrize(
    ("frame", "service"),
    [
        (IN / ARP(), "arp"),
        (IN / Dot1Q(vlan=1) / ARP(), "arp"),
        (udp("10.0.0.1", "10.0.0.2", 68, 67), "dhcp"),
        (udp("10.0.0.1", "10.0.0.2", 9, 68), "dhcp"),
        (udp("10.0.0.1", "10.0.0.2", 67, 9), "dhcp"),
        (udp("fe80::1", "ff02::1:2", 546, 547), "dhcp"),
        (udp("fe80::1", "fe80::2", 547, 9), "dhcp"),
        (udp("fe80::1", "fe80::2", 9, 546), "dhcp"),
        (udp("10.0.0.1", "169.254.169.254", 9, 80, TCP), "instance-metadata"),
        (IN / IP(src="169.254.169.254", dst="10.0.0.1") / ICMP(), "instance-metadata"),
        (IN / IP(src="10.0.0.1", dst="169.254.169.254", frag=5, proto=17) / Raw(bytes(8)), "instance-metadata"),
        (udp("fd00:ec2::254", "2001:db8::1", 80, 9, TCP), "instance-metadata"),
        (udp("10.0.0.1", "169.254.169.123", 9, 123), "time-sync"),
        (udp("169.254.169.123", "10.0.0.1", 123, 9), "time-sync"),
        (udp("169.254.169.123", "10.0.0.1", 9, 123), "time-sync"),
        (udp("2001:db8::1", "fd00:ec2::123", 123, 123), "time-sync"),
        (udp("10.0.0.1", "169.254.169.250", 9, 1688, TCP), "windows-activation"),
        (udp("169.254.169.251", "10.0.0.1", 1688, 9, TCP), "windows-activation"),
        (udp("2001:db8::1", "fd00:ec2::250", 9, 1688, TCP), "windows-activation"),
        (udp("10.0.0.1", "169.254.169.253", 9, 53), "amazon-dns"),
        (udp("169.254.169.253", "10.0.0.1", 53, 9, TCP), "amazon-dns"),
        (udp("2001:db8::1", "fd00:ec2::253", 9, 53), "amazon-dns"),
        (udp("10.0.0.1", "10.0.0.2", 9, 53), "amazon-dns"),  # the resolver of the interface below
        (udp("10.0.0.2", "10.0.0.1", 53, 9, TCP), "amazon-dns"),
        (IN / Dot1Q(vlan=1) / IP(dst="169.254.169.253", flags="MF") / UDP(sport=9, dport=53), "amazon-dns"),
        # several at once: the lowest code
        (udp("169.254.169.254", "10.0.0.2", 67, 53), "dhcp"),
        (udp("169.254.169.254", "169.254.169.123", 123, 123), "instance-metadata"),
        (udp("169.254.169.123", "169.254.169.253", 123, 53), "time-sync"),
        (udp("169.254.169.250", "169.254.169.253", 1688, 53, TCP), "windows-activation"),
    ],
)
def test_service(frame: Any, service: str) -> None:
    policy = interface(session(), resolver="10.0.0.2")
    assert names(judge(frame, policy)) == ("not-eligible", service, 0, None, None)


@pytest.mark.parametrize(
    "frame",
    [
        udp("10.0.0.1", "10.0.0.3", 67, 9, TCP),  # DHCP is UDP
        udp("10.0.0.1", "10.0.0.3", 546, 547),  # DHCPv6 ports in IPv4
        udp("fe80::1", "fe80::2", 67, 68),  # and the reverse
        udp("10.0.0.1", "169.254.169.123", 123, 9, TCP),
        udp("10.0.0.1", "169.254.169.123", 9, 124),
        udp("10.0.0.1", "194.58.200.20", 123, 123),  # public NTP
        udp("10.0.0.1", "169.254.169.250", 9, 1688),
        udp("10.0.0.1", "169.254.169.252", 9, 1688, TCP),
        udp("10.0.0.1", "169.254.169.253", 9, 54),
        udp("10.0.0.1", "8.8.8.8", 9, 53),
        udp("2001:db8::1", "2001:4860:4860::8888", 9, 53),
        udp("::a00:2", "2001:db8::1", 53, 53),  # the resolver's number, but IPv6
        udp("::a9fe:a9fe", "2001:db8::1", 9, 9),  # the metadata address's number, but IPv6
        IN / IP(src="10.0.0.1", dst="169.254.169.253") / ICMP(),
        IN / IP(src="10.0.0.1", dst="169.254.169.253", frag=5, proto=17) / Raw(b"\0\x35\0\x35" * 2),
        IN / IP(src="10.0.0.1", dst="169.254.169.123", proto=17) / Raw(b"\0\x7b\0"),
    ],
)
def test_no_service(frame: Any) -> None:
    assert names(judge(frame, interface(session(), resolver="10.0.0.2")))[0:2] == ("mirrored", "none")


def test_resolver_is_per_interface() -> None:
    policy = interface(session(), resolver="10.0.0.2"), interface(session(), address=ENI_1)
    query = V4.copy()
    query.dst = "10.0.0.2"
    packet = query / UDP(sport=9, dport=53)
    assert names(judge(IN / packet, *policy))[0] == "not-eligible"
    assert names(judge(Ether(dst=ENI_1, src=PEER) / packet, *policy))[0] == "mirrored"


def test_amazon_dns_is_taken_by_the_first_session_with_the_service() -> None:
    policy = interface(
        session((REJECT_ALL,)), session((), number=2, amazon_dns=True), session(number=3, amazon_dns=True)
    )
    for terminal in (False, True):
        trace = judge(DNS, policy, terminal_reject=terminal)
        assert names(trace) == ("mirrored", "amazon-dns", 0, 1, None)
        assert trace.record.copied == len(bytes(DNS))


def test_amazon_dns_in_egress() -> None:
    query = OUT / IP(dst="169.254.169.253") / UDP(sport=9, dport=53)
    policy = interface(session((), (), amazon_dns=True))
    assert names(judge(query, policy, egress=True)) == ("mirrored", "amazon-dns", 0, 0, None)


def test_amazon_dns_without_the_service_is_never_mirrored_by_a_rule() -> None:
    assert names(judge(DNS, interface(session()))) == ("not-eligible", "amazon-dns", 0, None, None)
    assert names(judge(DNS, interface())) == ("not-eligible", "amazon-dns", 0, None, None)


def test_amazon_dns_to_a_target_that_is_down() -> None:
    policy = interface(session(amazon_dns=True, to=None), session(number=2, amazon_dns=True))
    assert names(judge(DNS, policy)) == ("target-down", "amazon-dns", 0, 0, None)


def test_the_network_service_takes_nothing_but_amazon_dns() -> None:
    policy = interface(session((), amazon_dns=True))
    assert names(judge(WEB, policy)) == ("no-match", "none", 0, None, None)
    metadata = udp("10.0.0.1", "169.254.169.254", 9, 53)
    assert names(judge(metadata, policy)) == ("not-eligible", "instance-metadata", 0, None, None)


# Section 5: sessions and rules


def test_first_matching_rule_decides() -> None:
    narrow = rule("10.0.0.0/24", number=1, accept=False)
    assert names(judge(WEB, interface(session((narrow, ANY_IPV4))))) == ("rejected", "none", 0, 0, 0)
    assert names(judge(WEB, interface(session((ANY_IPV4, narrow))))) == MIRRORED_0


def test_rules_are_those_of_the_direction() -> None:
    policy = interface(session((ANY_IPV4,), (REJECT_ALL, ANY_IPV4)))
    assert names(judge(WEB, policy)) == MIRRORED_0
    assert names(judge(OUT / V4 / TCP(), policy, egress=True)) == ("rejected", "none", 0, 0, 0)


def test_a_reject_goes_on_to_the_next_session_unless_terminal() -> None:
    policy = interface(session((REJECT_ALL,)), session(number=2))
    assert names(judge(WEB, policy)) == ("mirrored", "none", 0, 1, 0)
    assert names(judge(WEB, policy, terminal_reject=True)) == ("rejected", "none", 0, 0, 0)


def test_no_match_goes_on_even_if_terminal() -> None:
    policy = interface(session(()), session((rule("192.0.2.0/24"),), number=2), session(number=3))
    assert names(judge(WEB, policy, terminal_reject=True)) == ("mirrored", "none", 0, 2, 0)


def test_rejected_names_the_first_session_that_rejected() -> None:
    nothing = rule("192.0.2.0/24", number=1)
    policy = interface(session((nothing,)), session((nothing, REJECT_ALL), number=2), session((REJECT_ALL,), number=3))
    assert names(judge(WEB, policy)) == ("rejected", "none", 0, 1, 1)


def test_mirrored_at_most_once() -> None:
    trace = judge(WEB, interface(session(vni=7), session(number=2, vni=8)))
    assert names(trace) == MIRRORED_0
    assert trace.copy is not None and trace.copy[46:49] == b"\0\0\7"


@pytest.mark.parametrize(
    ("frame", "candidate", "matches"),
    [
        # networks, at their edges
        (WEB, rule("10.0.0.1/32", "10.1.0.2/32"), True),
        (WEB, rule("10.0.0.0/32"), False),
        (WEB, rule("10.0.0.0/31"), True),
        (WEB, rule("10.0.0.2/31"), False),
        (WEB, rule("0.0.0.0/0", "10.1.0.3/32"), False),
        (WEB, rule("0.0.0.0/1", "0.0.0.0/1"), True),
        (WEB, rule("128.0.0.0/1"), False),
        (WEB, rule("10.1.0.2/32", "10.0.0.1/32"), False),
        (IN / V6 / TCP(), rule("2001:db8::1/128", "2001:db8:1::/48"), True),
        (IN / V6 / TCP(), rule("2001:db8::/127", "::/0"), True),
        (IN / V6 / TCP(), rule("2001:db8::2/127", "::/0"), False),
        (IN / V6 / TCP(), rule("::/0", "2001:db8::/48"), False),
        # family
        (IN / V6 / TCP(), rule(), False),
        (WEB, rule("::/0", "::/0"), False),
        (IN / IPv6(src="::a00:1", dst="::a01:2") / TCP(), rule("10.0.0.0/8", "10.0.0.0/8"), False),
        # protocol
        (WEB, rule(protocol=6), True),
        (WEB, rule(protocol=17), False),
        (IN / V4 / ICMP(), rule(protocol=1), True),
        (IN / V6 / ICMP(), rule("::/0", "::/0", protocol=58), False),
        (IN / V4 / Raw(b""), rule(protocol=0xFF), False),
        (IN / IP(proto=47) / Raw(bytes(8)), rule(protocol=47), True),
        # ports, at both edges, alone and together
        (WEB, rule(protocol=6, destination_ports=(443, 443)), True),
        (WEB, rule(protocol=6, destination_ports=(444, 500)), False),
        (WEB, rule(protocol=6, destination_ports=(400, 442)), False),
        (WEB, rule(protocol=6, destination_ports=(0, 443)), True),
        (WEB, rule(protocol=6, destination_ports=(443, 65535)), True),
        (WEB, rule(protocol=6, source_ports=(40000, 40000)), True),
        (WEB, rule(protocol=6, source_ports=(40001, 65535)), False),
        (WEB, rule(protocol=6, source_ports=(443, 443)), False),
        (WEB, rule(protocol=6, source_ports=(40000, 40000), destination_ports=(80, 80)), False),
        (IN / V4 / UDP(sport=0, dport=0), rule(protocol=17, source_ports=(0, 0), destination_ports=(0, 0)), True),
        # no ports: a range never matches, not even the whole range
        (IN / IP(frag=1, proto=6) / Raw(bytes(20)), rule(protocol=6, source_ports=(0, 65535)), False),
        (IN / IP(frag=1, proto=6) / Raw(bytes(20)), rule(protocol=6), True),
        (IN / IP(proto=6) / Raw(bytes(3)), rule(protocol=6, destination_ports=(0, 65535)), False),
        (IN / IP(flags="MF") / TCP(dport=443), rule(protocol=6, destination_ports=(443, 443)), True),
        # IPv6 fragments: protocol known, ports only in the first
        (IN / V6 / IPv6ExtHdrFragment(offset=3, nh=17) / Raw(bytes(8)), rule("::/0", "::/0", protocol=17), True),
        (
            IN / V6 / IPv6ExtHdrFragment(m=1) / UDP(dport=9),
            rule("::/0", "::/0", protocol=17, destination_ports=(9, 9)),
            True,
        ),
    ],
)
def test_rule(frame: Any, candidate: Any, matches: bool) -> None:
    expected = MIRRORED_0 if matches else ("no-match", "none", 0, None, None)
    assert names(judge(frame, interface(session((candidate,))))) == expected


def test_a_frame_without_protocol_matches_rules_for_any_protocol_only() -> None:
    destination_options = bytes([60, 0, 1, 4, 0, 0, 0, 0])
    packet = bytes(IN / IPv6(src="2001:db8::1", dst="::2", nh=60) / Raw(destination_options * 3 + bytes(20)))
    typed = [rule("::/0", "::/0", number=n, protocol=p) for n, p in ((1, 60), (2, 17), (3, 59))]
    policy = interface(session((*typed, *EVERYTHING)))
    assert names(judge(packet, policy, extension_headers=2)) == ("mirrored", "none", 0, 0, 4)
    assert names(judge(packet, interface(session(typed)), extension_headers=2))[0] == "no-match"


def test_ip_behind_vlan_tags_is_matched() -> None:
    frame = IN / Dot1Q(vlan=1) / Dot1Q(vlan=2) / V4 / TCP(dport=443)
    only_web = rule(protocol=6, destination_ports=(443, 443))
    assert names(judge(frame, interface(session((only_web,))))) == MIRRORED_0


def test_session_of_the_owner_is_used() -> None:
    policy = interface(session(())), interface(session((), EVERYTHING), address=ENI_1)
    frame = Ether(dst=PEER, src=ENI_1) / V4 / TCP()
    assert names(judge(frame, *policy, egress=True)) == ("mirrored", "none", 1, 0, 0)
