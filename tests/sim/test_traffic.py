"""Random traffic: what is drawn, that a seed repeats it, and that golden model and gateware agree on it."""

import random
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise

import pytest

from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.verdict import Direction, Service, Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.traffic import Pair, draw_situation, golden_for, situations
from halfsilver.sim.traffic.outer_edges import even_out, ipv4_outer_with_checksum
from halfsilver.sim.traffic.packets import EXTENSIONS
from halfsilver.sim.traffic.services import SERVICES, service_flow
from halfsilver.sim.traffic.situations import carries

SEED = 20260101
SMALL = NicParameters(width=8, enis=1, lookup_clocks=8)
LARGE = NicParameters(width=64, enis=4)
MANY_RULES = NicParameters(width=32, enis=1, rules=40, lookup_clocks=8)
"""120 rules in a context, and a matcher for each direction."""
assert MANY_RULES.matchers == 2
TURNS = NicParameters(width=128, enis=4)
WIDEST = NicParameters(width=512, enis=4)
"""Parsers that take turns at one memory; at 512 bits more of them, and two classifiers."""
COUNTS = {SMALL: 40, LARGE: 40, MANY_RULES: 40, TURNS: 40, WIDEST: 40}
"""Situations per build."""

TAGS = (b"\x81\x00", b"\x88\xa8")


@pytest.fixture(scope="module")
def drawn():
    """200 situations of a build of middle size."""
    return list(situations(SEED, 200, NicParameters(enis=3, extension_headers=5)))


def frames_of(drawn):
    return [frame for situation in drawn for frame in situation.frames]


def behind_tags(data):
    """Number of tags, and what stands at the ethertype behind them."""
    tags = 0
    while data[12 + 4 * tags : 14 + 4 * tags] in TAGS:
        tags += 1
    return tags, data[12 + 4 * tags :]


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(SMALL, id="small"),
        pytest.param(LARGE, id="large"),
        pytest.param(MANY_RULES, id="many rules", marks=pytest.mark.long),
        pytest.param(TURNS, id="turns", marks=pytest.mark.long),
        pytest.param(WIDEST, id="widest", marks=pytest.mark.long),
    ],
)
def test_golden_model_and_gateware_agree(parameters):
    """Paced and overloaded in turn on one pair; a frame and a rule of every kind is met on the way."""
    pair, verdicts, services, parts = Pair(parameters), Counter(), Counter(), set()
    try:
        for number, situation in enumerate(situations(SEED, COUNTS[parameters], parameters)):
            found = pair.differences(situation)
            assert not found, f"situation {number} of seed {SEED}: {found[0]}"
            verdicts.update(record.verdict for record in pair.results[1].verdicts)
            services.update(record.service for record in pair.results[1].verdicts)
            parts |= {
                (record.session * parameters.rules + record.rule) // 32
                for record in pair.results[1].verdicts
                if record.rule is not None
            }
    finally:
        pair.close()
    assert parts == set(range(-(-parameters.rule_slots // 32))), "rules of a part of the table's words never decided"
    assert set(verdicts) == set(Verdict) - {Verdict.SAMPLED_OUT, Verdict.RATE_LIMITED}
    assert set(services) == set(Service)


def test_counters_and_sequences_carry_past_sixteen_bits():
    """65,610 frames in each direction, and more than 2^18 bytes in one counter."""
    pair = Pair(SMALL)
    try:
        assert not pair.differences(carries(random.Random(SEED), SMALL, 65_550, 60))
        (last,) = [record.sequence for record in pair.results[1].verdicts][-1:]
        assert last > 65_550
        assert any(tally.octets > 1 << 18 for tally in pair.results[1].counters.verdicts.values())
    finally:
        pair.close()


def test_a_difference_is_reported():
    """The golden model is told that the first interface has another address, one bit away."""
    situation = draw_situation(random.Random(SEED), SMALL, full_rate=False)
    (interface,) = situation.policy.interfaces
    mac = interface.mac[:5] + bytes([interface.mac[5] ^ 1])
    pair = Pair(SMALL)
    try:
        found = pair.differences(situation, told=Policy((replace(interface, mac=mac),)))
        assert any(each.startswith("frame ") and "no-eni" in each for each in found)
        assert not pair.differences(situation)
    finally:
        pair.close()


def test_a_seed_gives_the_same_situations():
    one, again = (list(situations(7, count, SMALL)) for count in (3, 5))
    assert one == again[:3]
    assert one != list(situations(8, 3, SMALL))


def test_every_header_length_and_tag_is_drawn(drawn):
    tags, lengths, versions = set(), set(), set()
    for frame in frames_of(drawn):
        count, rest = behind_tags(frame.data)
        tags.add(count)
        if rest[:2] == b"\x08\x00" and len(rest) > 2:
            versions.add(rest[2] >> 4)
            lengths.add(rest[2] & 15)
    assert tags >= {0, 1, 2, 3}
    assert lengths == set(range(16)) and len(versions) > 8
    kinds = {frame.data[12:14] for frame in frames_of(drawn)}
    assert {bytes.fromhex(kind) for kind in ("9100", "0806", "8847", "88cc")} <= kinds


def test_every_extension_header_is_drawn_complete_and_up_to_its_longest(drawn):
    pairs, longest, count = set(), Counter(), Counter()
    for frame in frames_of(drawn):
        _, rest = behind_tags(frame.data)
        if rest[:2] != b"\x86\xdd" or len(rest) < 42:
            continue
        chain, kind, at = [], rest[8], 42
        while kind in EXTENSIONS and at + 2 <= len(rest):
            octets = 8 if kind == 44 else (rest[at + 1] + 2) * 4 if kind == 51 else (rest[at + 1] + 1) * 8
            if at + octets <= len(rest):
                longest[kind] = max(longest[kind], octets)
            chain.append(kind)
            kind, at = rest[at], at + octets
        pairs.update(pairwise(chain))
        count[len(chain)] += 1
    assert pairs == {(one, other) for one in EXTENSIONS for other in EXTENSIONS}
    assert {longest[kind] for kind in EXTENSIONS} == {8, 1028, 2048}
    assert all(count[each] for each in (0, 1, 4, 5, 6, 7, 16))


def test_every_service_is_met_and_just_missed():
    """One bit or one byte from each service's address, and its address with another port or protocol."""
    rng = random.Random(SEED)
    flows = [service_flow(rng, [ip_address("10.1.2.2").packed]) for _ in range(20000)]
    ends = [(flow.family, flow.destination, flow.destination_port, flow.protocol) for flow in flows]
    ends += [(flow.family, flow.source, flow.source_port, flow.protocol) for flow in flows]
    seen = set(ends)
    addresses = {address for _, address, _, _ in seen}
    for service in SERVICES:
        for address in service.addresses:
            near = {other for other in addresses if len(other) == len(address) and distance(other, address) == 1}
            assert len(near) >= 4 * len(address), f"{ip_address(address)} was missed by one bit in {len(near)} ways"
        for port in service.ports:
            missed = {other for _, address, other, _ in seen if address in service.addresses or not service.addresses}
            assert {port, port - 1, port + 1} <= missed
    assert {protocol for _, _, port, protocol in seen if port == 123} >= {17, 6}


def distance(one, other):
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def test_lengths_around_every_limit(drawn):
    lengths = {len(frame.data) for frame in frames_of(drawn)}
    assert {1, 13, 14, 15, 34, 35, 36, 54, 55, 56, 9215, 9216, 9217, 9218} <= lengths
    around = Counter()
    for situation in drawn:
        golden = golden_for(NicParameters(enis=3, extension_headers=5))
        golden.configure(situation.policy, situation.flags)
        for record in golden.process(situation.frames).verdicts:
            if record.verdict is Verdict.MIRRORED:
                around[record.length - record.copied] += 1
    assert all(around[beyond] > 5 for beyond in (0, 1, 2))


def test_group_addresses_and_near_misses_in_both_directions(drawn):
    seen = Counter()
    for situation in drawn:
        macs = {interface.mac for interface in situation.policy.interfaces}
        for frame in situation.frames:
            if len(frame.data) < 12:
                continue
            ends = frame.data[:6], frame.data[6:12]
            for place, mac in enumerate(ends):
                near = mac not in macs and any(distance(mac, own) == 1 for own in macs)
                seen[frame.direction, place, "near"] += near
                seen[frame.direction, place, "group"] += mac[0] & 1
                seen[frame.direction, place, "broadcast"] += mac == b"\xff" * 6
            seen[frame.direction, "both"] += set(ends) <= macs
    for direction in Direction:
        assert seen[direction, "both"] > 20
        for place in range(2):
            assert all(seen[direction, place, what] > 20 for what in ("near", "group", "broadcast"))


def test_outer_checksums_reach_their_edges(drawn):
    """Of the IPv4 header 0; of UDP over IPv6 what would be 0 and leaves as 0xffff; and their neighbours."""
    header, udp = set(), set()
    for situation in drawn:
        golden = golden_for(NicParameters(enis=3, extension_headers=5))
        golden.configure(situation.policy, situation.flags)
        for output in golden.process(situation.frames).outputs:
            if output.data[12:14] == b"\x08\x00":
                header.add(output.data[24:26].hex())
            else:
                udp.add(output.data[60:62].hex())
    assert {"0000", "0001", "fffe"} <= header
    assert {"ffff", "0001", "fffe"} <= udp and "0000" not in udp


@pytest.mark.parametrize("seed", range(20))
def test_an_outer_header_with_a_checksum_at_an_edge(seed):
    """Judged by the sum that a receiver makes (RFC 1071): with the checksum it is all ones."""
    source, target = ipv4_outer_with_checksum(random.Random(seed), 60)
    header = bytes.fromhex("45000060 00000000 ff110000") + source.packed + target.packed
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, 20, 2))
    folded = (total & 0xFFFF) + (total >> 16)
    edges = {0, 1, 0xFFFE, 0x0100, 0x00FF, 0xFF00}
    assert folded > 0xFFFF or (~folded & 0xFFFF) in edges


def test_even_out_changes_two_bytes():
    data = bytes(range(20))
    changed = even_out(data, 4, 0x1234, 0)
    assert (changed[:4], changed[6:]) == (data[:4], data[6:])
    assert int.from_bytes(changed[4:6], "big") == 0x0405 + 0x1234
