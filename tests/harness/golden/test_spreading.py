"""Law 17: copies are spread over registered targets, by flow, and a target that goes takes only its own flows along."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether

from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.golden.narrate import describe
from halfsilver.harness.golden.spread import SLOTS, receiver_of, slot_of
from halfsilver.harness.policy.policy import Outer, Session
from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from tests.harness.golden.golden_kit import ENI_0, PEER, engine, interface, judge, outer, session


def receivers(*last: int) -> tuple[Outer, ...]:
    """Ways to 10.9.0.``last``, each with a MAC address of its own."""
    way = outer(mtu_limit=None)
    return tuple(
        replace(way, destination=IPv4Address(f"10.9.0.{each}"), destination_mac=bytes((2, 0, 0, 0, 9, each)))
        for each in last
    )


def spread_over(ways: Sequence[Outer]) -> Session:
    return replace(session(to=ways[0]), receivers=tuple(ways))


SOME_FLOW = bytes(Ether(src=PEER, dst=ENI_0) / IP(src="192.0.2.1", dst="198.51.100.7") / TCP(sport=1, dport=443))


def flow(source: str, sport: int) -> bytes:
    """To 198.51.100.7 port 443."""
    return SOME_FLOW[:26] + ip_address(source).packed + SOME_FLOW[30:34] + sport.to_bytes(2) + SOME_FLOW[36:]


def went_to(copy: bytes) -> str:
    assert copy[4:6] == bytes((9, copy[33])), "MAC and IP address are those of two targets"
    return str(ip_address(copy[30:34]))


def goes(built: GoldenEngine, frames: Sequence[bytes]) -> list[str]:
    outputs = built.process([Frame(each, Direction.INGRESS) for each in frames]).outputs
    return [went_to(each.data) for each in outputs]


def some_flows(count: int) -> list[bytes]:
    rng = random.Random(17)
    return [flow(str(IPv4Address(rng.getrandbits(32))), rng.randrange(1024, 65536)) for _ in range(count)]


def test_the_slot_is_bits_15_to_8_of_the_hash() -> None:
    assert (slot_of(0x1234ABCD), slot_of(0xFFFF00FF), slot_of(0x0000FF00)) == (0xAB, 0, 255)


def test_who_has_which_slot() -> None:
    """``printf '\\x0a\\x09\\x00\\x01\\x00' | sha256sum`` and so on: the greatest of the three has the slot."""
    ways = receivers(1, 2, 3)
    found = [int(receiver_of(ways, slot).destination) & 0xFF for slot in range(SLOTS)]
    assert "".join(map(str, found[:32])) == "12231232131313222121211133122111"


@pytest.mark.parametrize("count", [2, 3, 5, 16])
def test_every_target_gets_its_share_of_the_slots(count: int) -> None:
    shares = Counter(receiver_of(receivers(*range(1, count + 1)), slot) for slot in range(SLOTS))
    assert len(shares) == count
    assert SLOTS / count / 2 < min(shares.values()) <= max(shares.values()) < SLOTS / count * 2


def test_flows_are_spread_and_source_ports_at_each_target_too() -> None:
    built = engine(interface(spread_over(receivers(1, 2, 3))))
    ports = defaultdict(set)
    shares: Counter[str] = Counter()
    for each in built.process([Frame(data, Direction.INGRESS) for data in some_flows(3000)]).outputs:
        shares[went_to(each.data)] += 1
        ports[went_to(each.data)].add(each.data[34:36])
    assert len(shares) == 3 and min(shares.values()) > 800
    assert all(len(each) > 120 for each in ports.values()), "the slot takes some of the 128 ports away from a target"


def test_one_clients_neighbouring_ports_are_spread() -> None:
    """The flows of a client differ in few bits, and a hash that is linear maps them to few slots if badly chosen."""
    slots = {
        slot_of(judge(flow("203.0.113.9", 40000 + n), interface(spread_over(receivers(1, 2)))).hash or 0)
        for n in range(16)
    }
    assert len(slots) == 16


def test_a_flow_stays_with_its_target_both_ways_and_so_do_fragments() -> None:
    there = interface(spread_over(receivers(*range(1, 17))))
    for sport in range(2000, 2040):
        a, b = "203.0.113.9", "198.51.100.7"
        forth = judge(flow(a, sport), there)
        back = bytes(Ether(src=ENI_0, dst=PEER) / IP(src=b, dst=a) / TCP(sport=443, dport=sport))
        assert judge(back, there, egress=True).outer == forth.outer
    pieces = [IP(src="203.0.113.9", dst="198.51.100.7", flags=1, frag=0) / UDP(sport=1, dport=2)]
    pieces += [IP(src="203.0.113.9", dst="198.51.100.7", frag=n, proto=17) / bytes(16) for n in (1, 5)]
    assert len({judge(Ether(src=PEER, dst=ENI_0) / each, there).outer for each in pieces}) == 1
    echoes = [Ether(src=PEER, dst=ENI_0) / IP(src="203.0.113.9") / ICMP(id=n) for n in range(40)]
    assert len({judge(each, there).outer for each in echoes}) > 8


def test_a_target_that_goes_moves_its_own_flows_alone() -> None:
    frames = some_flows(500)
    before = goes(engine(interface(spread_over(receivers(1, 2, 3, 4)))), frames)
    after = goes(engine(interface(spread_over(receivers(1, 2, 4)))), frames)
    moved = {a for a, b in zip(before, after, strict=True) if a != b}
    assert moved == {"10.9.0.3"}
    assert {b for a, b in zip(before, after, strict=True) if a == "10.9.0.3"} == {"10.9.0.1", "10.9.0.2", "10.9.0.4"}


def test_the_order_of_the_file_does_not_matter() -> None:
    frames = some_flows(200)
    ways = receivers(1, 2, 3)
    there, back = (goes(engine(interface(spread_over(each))), frames) for each in (ways, ways[::-1]))
    assert there == back


def test_explain_says_which_target_and_why() -> None:
    trace = judge(flow("203.0.113.9", 40000), interface(spread_over(receivers(1, 2, 3))))
    assert trace.outer is not None and trace.copy is not None and trace.hash is not None
    assert went_to(trace.copy) == str(trace.outer.destination)
    said = describe(trace)[-1]
    assert f" to {trace.outer.destination} (slot {trace.hash >> 8 & 255} of 256, 3 targets), VNI " in said
