"""Sweeps: that no case is left out, that golden model and gateware agree, and that each check can fail."""

import random
from collections import defaultdict
from dataclasses import replace

import pytest

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.build import build_nic
from halfsilver.sim.mutation.traffic import ENIS, RULES, SESSIONS
from halfsilver.sim.traffic import Pair, golden_for
from halfsilver.sim.traffic.farm import BUILDS
from halfsilver.sim.traffic.sweeps import (
    check_bus,
    check_commits,
    check_counters,
    check_leftovers,
    check_pace,
    check_places,
    check_registers,
    check_resets,
    check_ring,
    check_tables,
    check_turns,
    crowd,
    held,
    least_held,
    quick,
    thorough,
)
from halfsilver.sim.traffic.sweeps.decisions import order, rules
from halfsilver.sim.traffic.sweeps.fields import fields
from halfsilver.sim.traffic.sweeps.headers import cuts, protocols, runts
from halfsilver.sim.traffic.sweeps.resets import COMMIT_CLOCKS

SEED = 20260101
LEAST = BUILDS["8"]
MIDDLE = NicParameters(enis=ENIS, sessions=SESSIONS, rules=RULES, extension_headers=3, copies=16)
UNEVEN_KEY = bytes(range(3, 43))


def test_golden_model_and_gateware_agree():
    pair = Pair(LEAST)
    try:
        for number, situation in enumerate(quick(SEED, LEAST)):
            found = pair.differences(situation)
            assert not found, f"situation {number} of seed {SEED}: {found[0]}"
    finally:
        pair.close()


def test_a_difference_is_reported():
    """The golden model is told of another network identifier."""
    situation = next(cuts(random.Random(SEED), LEAST, False))
    (interface,) = situation.policy.interfaces
    sessions = tuple(replace(session, vni=session.vni ^ 2) for session in interface.sessions)
    pair = Pair(LEAST)
    try:
        assert pair.differences(situation, told=Policy((replace(interface, sessions=sessions),)))
        assert not pair.differences(situation)
    finally:
        pair.close()


@pytest.mark.parametrize(
    "check", [check_registers, check_bus, check_tables, check_ring, check_counters, check_pace, check_turns]
)
def test_the_host_reads_and_writes(check):
    check(LEAST, SEED)


def test_resets():
    assert check_resets(LEAST, SEED, range(0, 120, 7)).resets == 24 + COMMIT_CLOCKS


def test_a_register_that_is_not_as_the_map_has_it_is_noticed():
    with pytest.raises(HalfsilverError, match="after a reset: 0x010 reads 0x00004000, not 0x00008000"):
        check_registers(replace(LEAST, queue_depth=32768), SEED, build_nic(LEAST))


def test_no_place_for_a_copy_is_lost():
    check_places(LEAST, SEED, 4)


def test_commits():
    check_commits(LEAST, SEED, range(0, 120, 7), 10)


def test_what_a_bank_held_before_does_not_matter():
    check_leftovers(LEAST, SEED, 1)


def test_places_that_the_build_does_not_have_are_missed():
    with pytest.raises(HalfsilverError, match=r"ingress: room for \d copies, not 13"):
        check_places(replace(LEAST, copies=16), SEED, 1, build_nic(LEAST))


def test_a_ring_that_loses_too_soon_is_noticed():
    with pytest.raises(HalfsilverError, match="the ring has 512 verdicts and lost"):
        check_ring(replace(LEAST, verdict_ring=1024), SEED, build_nic(LEAST))


def test_frames_after_a_reset_that_are_not_judged_as_they_should_be_are_noticed():
    with pytest.raises(HalfsilverError, match="copy 1 is not due"):
        check_resets(replace(LEAST, hash_key=UNEVEN_KEY), SEED, [1], build_nic(LEAST))


@pytest.mark.parametrize("size", [60, 4096, 9216])
def test_room_for_as_many_copies_as_the_build_says(size):
    """Twice, the second time after the queue was drained."""
    pair, each = Pair(LEAST), crowd(random.Random(SEED), LEAST, size)
    try:
        for _ in range(2):
            assert not pair.differences(each.situation)
            records = pair.results[1].verdicts
            assert not least_held(each, records)
            assert Verdict.CONGESTED in {record.verdict for record in records}
            more = each._replace(least=max(held(records).values()) + 1)
            assert "copies found room" in least_held(more, records)
    finally:
        pair.close()


def test_copies_and_bytes_fill_their_places():
    assert crowd(random.Random(1), MIDDLE, 60).least == 13
    assert crowd(random.Random(1), replace(MIDDLE, copies=32), 60).least == 29
    for size, least in ((8192, 2), (4096, 4), (9216, 2), (5460, 3)):
        each = crowd(random.Random(1), MIDDLE, size)
        assert each.least == least
        good = [frame for frame in each.situation.frames if not frame.bad]
        octets = sum(len(frame.data) for frame in good[:least])
        assert octets <= MIDDLE.queue_depth - 16 and octets > MIDDLE.queue_depth - 32 or size == 5460


def test_runts_of_every_length_stand_in_front_of_frames_of_every_kind():
    lengths, behind = set(), defaultdict(set)
    for situation in runts(random.Random(SEED), MIDDLE, False):
        assert situation.pacing.full_rate
        for direction in Direction:
            frames = [frame for frame in situation.frames if frame.direction is direction]
            for one, other in zip(frames, frames[1:], strict=False):
                if len(one.data) < 14 <= len(other.data):
                    lengths.add((direction, len(one.data)))
                    behind[direction].add(other.data[12:14])
    assert lengths == {(direction, length) for direction in Direction for length in range(1, 14)}
    for direction in Direction:
        assert behind[direction] >= {b"\x08\x00", b"\x86\xdd", b"\x81\x00"}


def test_frames_end_at_every_byte():
    lengths = {len(frame.data) for situation in cuts(random.Random(SEED), MIDDLE, True) for frame in situation.frames}
    assert lengths >= set(range(13, 86))


def test_every_protocol_is_met_in_every_place():
    seen = defaultdict(set)
    for situation in protocols(random.Random(SEED), MIDDLE, True):
        for frame in situation.frames:
            if frame.data[12:14] == b"\x08\x00":
                seen["IPv4", frame.data[20:22]].add(frame.data[23])
            elif frame.data[20] in (60, 44):
                seen[frame.data[20], frame.data[56:58]].add(frame.data[54])
            else:
                seen["IPv6"].add(frame.data[20])
    assert [len(each) for place, each in sorted(seen.items(), key=str) if place != (60, b"")].count(256) >= 5


def test_every_rule_of_every_session_decides():
    """In both directions, of every interface; and every verdict that a policy can lead to is met."""
    named, verdicts = set(), set()
    for situation in rules(random.Random(SEED), MIDDLE, True):
        golden = golden_for(MIDDLE)
        golden.configure(situation.policy, situation.flags)
        for record in golden.process(situation.frames).verdicts:
            named.add((record.direction, record.eni, record.session, record.rule))
            verdicts.add(record.verdict)
    every = {
        (direction, eni, session, rule)
        for direction in Direction
        for eni in range(ENIS)
        for session in range(SESSIONS)
        for rule in range(RULES)
    }
    assert every <= named
    never = {Verdict.NO_ENI, Verdict.NOT_IP, Verdict.CONGESTED, Verdict.SAMPLED_OUT, Verdict.RATE_LIMITED}
    assert verdicts == set(Verdict) - never


def test_each_bit_of_a_field_is_met():
    """Versions and IHLs, both fragment words, and the length of an extension header."""
    ipv4, ipv6 = set(), set()
    for situation in fields(random.Random(SEED), MIDDLE, True):
        for frame in situation.frames:
            (ipv4 if frame.data[12:14] == b"\x08\x00" else ipv6).add(frame.data[14:])
    assert {data[0] for data in ipv4} >= {*range(0x40, 0x50), *range(0x05, 0x105, 0x10)}
    assert {data[0] >> 4 for data in ipv6} == set(range(16))
    bits = {1 << bit for bit in range(16)}
    assert {int.from_bytes(data[6:8], "big") for data in ipv4 if len(data) > 20} >= bits
    assert {int.from_bytes(data[42:44], "big") for data in ipv6 if data[6:7] == b"\x2c" and len(data) > 48} >= bits
    for kind in (0, 43, 51, 60, 135):
        assert {data[41] for data in ipv6 if data[6] == kind and len(data) > 41} >= {1 << bit for bit in range(8)}


def test_every_pair_of_verdicts_that_fit_one_frame():
    """Marks on frames of each verdict: the first in the law's order is given."""
    seen = set()
    for situation in order(random.Random(SEED), MIDDLE, True):
        golden = golden_for(MIDDLE)
        golden.configure(situation.policy, situation.flags)
        for frame, record in zip(situation.frames, golden.process(situation.frames).verdicts, strict=True):
            seen.add((record.verdict, frame.bad, frame.dropped))
    for verdict in (Verdict.MALFORMED, Verdict.NO_ENI, Verdict.NOT_ELIGIBLE, Verdict.NO_SESSION, Verdict.NOT_IP):
        assert {(verdict, False, False), (verdict, False, True)} <= seen
    assert {(Verdict.MALFORMED, True, True), (Verdict.DROPPED, False, True), (Verdict.MIRRORED, False, True)} <= seen


def test_a_seed_gives_the_same():
    assert list(quick(7, LEAST)) == list(quick(7, LEAST)) != list(quick(8, LEAST))
    assert len(list(thorough(7, LEAST))) > len(list(quick(7, LEAST)))
