"""What ``explain`` adds to a copy: MTUs that leave it whole, and where AWS's documents disagree."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from halfsilver.harness.golden.narrate import describe
from halfsilver.harness.policy.policy import check
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from tests.harness.golden.golden_kit import ENI_0, engine, interface, outer, session
from tests.harness.policy.policy_kit import APPLIANCE, SOURCE, documents
from tests.harness.policy.policy_kit import interface as described


def said(packet, to):
    frame = Frame(bytes(Ether(dst=ENI_0) / packet), Direction.INGRESS)
    return [line for line in describe(engine(interface(session(to=to))).explain(frame)) if line.startswith("note: ")]


@pytest.mark.parametrize(
    ("packet", "ends", "mtu", "ways"),
    [
        (IP(), (), 9001 - 40, "a target MTU of 9,055, or a source MTU of 8,947 (TCP MSS 8,907): headroom is 54"),
        (IP(), (), 1500 - 40, "a target MTU of 9,055, or a source MTU of 1,446 (TCP MSS 1,406): headroom is 54"),
        (IPv6(), (), 1500 - 40, "a target MTU of 9,055, or a source MTU of 1,446 (TCP MSS 1,386): headroom is 54"),
        (IP(), ("2001:db8::1", "2001:db8::2"), 1500 - 60, "9,075, or a source MTU of 1,426 (TCP MSS 1,386)"),
    ],
)
def test_an_mtu_that_leaves_it_whole(packet, ends, mtu, ways):
    """By the guide: 8,947 bytes is the most with an MTU of 9,001 (its own sum), 54 or 74 bytes less than any other."""
    whole = packet / UDP() / bytes(9001 - len(packet / UDP()))
    (line,) = said(whole, outer(*ends, mtu_limit=mtu))
    assert ways in line
    assert said(packet / UDP() / bytes(100), outer(*ends, mtu_limit=mtu)) == []


def test_public_ntp_is_told_and_other_udp_is_not():
    (line,) = said(IP(src="192.0.2.1") / UDP(sport=123, dport=123), outer())
    assert "NTP" in line and "4.1" in line
    assert said(IP(src="192.0.2.1") / UDP(sport=124, dport=124), outer()) == []


@pytest.mark.parametrize(
    ("source", "target", "length", "says"),
    [
        (None, None, None, None),
        (None, "1500", None, "has an MTU of 1500, which leaves packets of 1446 bytes after 54 of headers"),
        ("1446", "1500", None, None),
        (None, "1500", 1460, None),
        (None, "1500", 1461, "give the source an MTU of 1446 or the target one of 9055"),
    ],
)
def test_check_warns_of_a_target_with_a_smaller_mtu(source, target, length, says):
    interfaces = [
        described(name, n, TagSet=[{"Key": "halfsilver:mtu", "Value": mtu}] if mtu else [])
        for n, (name, mtu) in enumerate(((SOURCE, source), (APPLIANCE, target)), 1)
    ]
    given = documents(NetworkInterfaces=interfaces)
    given["TrafficMirrorSessions"][0]["PacketLength"] = length
    found = [each.message for each in check(given) if "MTU" in each.message]
    assert len(found) == bool(says) and all(says in each for each in found)
