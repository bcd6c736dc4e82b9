"""Tables written, rule sets committed and resets in the middle of random traffic."""

import random
from dataclasses import replace

import pytest

from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction, Verdict
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.pump import Pacing
from halfsilver.sim.traffic.judge import Judge
from halfsilver.sim.traffic.live import LiveNic
from halfsilver.sim.traffic.policies import draw_places, draw_policy
from halfsilver.sim.traffic.upheavals import run_upheavals

SMALL = NicParameters(width=8, enis=1, lookup_clocks=8)
SEED = 20260101


def test_no_frame_sees_a_mixture():
    nic = run_upheavals(SMALL, SEED, 10)
    assert nic.accepted > 40 and nic.refused > 20 and nic.resets > 2
    assert nic.seen[Verdict.MIRRORED] > 500 and nic.seen[Verdict.REJECTED] > 20


def test_generations_wrap_under_traffic(nic):
    """Past 255 and past 65,535, by commits without a frame up to there and with frames across."""
    for seed in (1, 2):
        nic.stage(random.Random(seed), rule_set(seed), frames(1), Pacing())
        nic.commit(random.Random(seed), 1, frames(10), Pacing())
    for last in (0xFF, 0xFFFF):
        nic.turn(last - nic.generation - 1)
        nic.commit(random.Random(last), 6, frames(60), Pacing())
        assert nic.seen[Verdict.MIRRORED] > 60
    assert 1 <= nic.generation <= 4


@pytest.mark.parametrize(("ways", "mirrored", "least"), [(1, 4, 100), (2, 8, 150), (1, 1, 5), (2, 1, 1)])
def test_a_swap_each_100_cycles_under_full_load(nic, ways, mirrored, least):
    """Two rule sets take turns while ``ways`` inputs are busy, and one in so many frames is mirrored; so many swaps at
    least are made. The others are refused, as copies of the last but one rule set still leave."""
    for seed in (1, 2):
        nic.stage(random.Random(seed), rule_set(seed), frames(1), Pacing())
        nic.commit(random.Random(seed), 1, frames(10), Pacing())
    before = nic.generation
    load = [
        replace(frame, direction=way, data=frame.data if number % mirrored == 0 else NOBODYS + frame.data[12:])
        for number, frame in enumerate(frames(240))
        for way in tuple(Direction)[:ways]
    ]
    nic.commit_every(100, load, Pacing(full_rate=True))
    assert nic.generation - before >= least


NOBODYS = bytes.fromhex("0200000000aa 0200000000bb")
"""Addresses of neither interface."""


@pytest.fixture
def nic():
    made = LiveNic(SMALL)
    yield made
    made.close()


def rule_set(seed):
    """One that mirrors all IP frames of the interface 02:00:00:00:00:01."""
    rng = random.Random(seed)
    return draw_policy(rng, SMALL, draw_places(rng), wide=True, macs=[bytes.fromhex("020000000001")]), Flags()


def frames(count):
    head = bytes.fromhex("020000000001 0200000000ff 0800 4500 0000 0000 0000 402f 0000 0a000001 0a000002")
    return [Frame(head + bytes([number]) * 60, Direction.INGRESS) for number in range(count)]


def test_a_rule_set_that_is_not_what_was_written_is_noticed(nic):
    """Copies of another rule set than the one believed to be in the bank: as if a commit had mixed two."""
    nic.stage(random.Random(1), rule_set(1), frames(1), Pacing())
    nic.banks[1] = rule_set(2)
    with pytest.raises(HalfsilverError, match="not "):
        nic.commit(random.Random(1), 1, frames(60), Pacing())


def test_a_commit_that_nobody_made_is_noticed(nic):
    nic.stage(random.Random(1), rule_set(1), frames(1), Pacing())
    nic._pump.write([(0x18, 1)])
    with pytest.raises(HalfsilverError, match="generation 1"):
        nic.process(frames(3), Pacing())


def test_after_a_reset_frames_are_nobodys(nic):
    nic.stage(random.Random(1), rule_set(1), frames(1), Pacing())
    nic.commit(random.Random(1), 1, frames(20), Pacing())
    nic.reset(random.Random(1), frames(20), Pacing(full_rate=True, output_stalls=0.9))
    before = nic.seen[Verdict.NO_ENI]
    nic.process(frames(5), Pacing())
    assert nic.seen[Verdict.NO_ENI] == before + 5


def test_an_upheaval_that_fails_says_which(monkeypatch):
    """The golden model's rule sets are not those that the NIC was given."""
    empty = Policy(())
    monkeypatch.setattr(
        Judge,
        "_model",
        lambda self, policy, flags, generation, model=Judge._model: model(self, empty, flags, generation),
    )
    with pytest.raises(HalfsilverError, match=f"upheaval 0 of seed {SEED}: "):
        run_upheavals(SMALL, SEED, 1)
