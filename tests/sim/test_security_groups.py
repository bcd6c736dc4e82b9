"""Builds with ``security_groups``: what guards let in and what they stop, at any rate, through commits and resets."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from halfsilver.harness.nic.counters import read_counters
from halfsilver.harness.nic.driver import Driver
from halfsilver.harness.policy.policy import Guard, Policy
from halfsilver.harness.records import Frame, Port
from halfsilver.harness.verdict import Direction, Verdict, VerdictRecord
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.sim.benches.frames import frame_of_length
from halfsilver.sim.benches.policies import everything, rule
from halfsilver.sim.build import build_nic
from halfsilver.sim.pump import Pacing, Pump, PumpError, await_at, reset_at, write_at
from halfsilver.sim.traffic import Pair, situations
from halfsilver.sim.traffic.upheavals import run_upheavals

SEED = 20260101
BUILDS = {
    "8 bits": NicParameters(width=8, enis=1, sessions=1, rules=2, lookup_clocks=8, security_groups=5),
    "32 bits": NicParameters(width=32, enis=2, sessions=1, rules=2, lookup_clocks=4, security_groups=6),
    "64 bits": NicParameters(width=64, enis=1, security_groups=34),
}
"""The last as the engine builds it for a policy of one interface."""

HELD = {8: 33, 32: 29, 64: 25}
"""By width: clocks from a frame's last beat in to its first beat out while nothing comes from the host, as
docs/architecture.md says; ``lookup_clocks`` more while something does."""

BACK_TO_BACK = Pacing(full_rate=True)
INGRESS, EGRESS = Direction
NOBODYS = Frame(bytes(60), INGRESS)
"""Of no interface, so it passes."""


@pytest.fixture(params=[pytest.param(name, marks=[] if name == "64 bits" else pytest.mark.long) for name in BUILDS])
def build(request):
    return BUILDS[request.param]


@pytest.fixture
def card(build):
    """(pump, driver) of a card whose only group lets IPv4 in; its filter mirrors everything."""
    pump = Pump(build_nic(build), seed=SEED)
    driver = Driver(pump)
    driver.load(only(rule(1, "0.0.0.0/0", "0.0.0.0/0"), build=build))
    yield pump, driver
    pump.close()


def only(*rules, build):
    """A policy whose interfaces have a group with these rules and no other."""
    policy = everything(build.enis)
    return Policy(tuple(replace(each, guard=Guard(rules, None)) for each in policy.interfaces))


def drawn(source, count, lengths, directions=(INGRESS, EGRESS)):
    """Frames of the interface, half of them IPv6."""
    random.seed(source.random())
    return [frame_of_length(source.choice(lengths), direction) for _ in range(count) for direction in directions]


def beats(frame, build):
    return -(-len(frame.data) // build.beat_bytes)


def test_golden_model_and_gateware_agree(build):
    """Random lists and rules, paced and back to back; pump and counters see that nothing dropped comes out."""
    pair, verdicts = Pair(build), Counter()
    try:
        for number, situation in enumerate(situations(SEED, 40, build)):
            assert situation.policy.guarded
            found = pair.differences(situation)
            assert not found, f"situation {number} of seed {SEED}: {found[0]}"
            verdicts.update(record.verdict for record in pair.results[1].verdicts)
    finally:
        pair.close()
    assert verdicts[Verdict.DROPPED] > 200 and verdicts[Verdict.MIRRORED] > 200, verdicts


def test_lists_and_rules_change_in_one_commit(build):
    """Rule sets with other lists and other filters change places under traffic, and resets cut frames in two: every
    verdict, and with it which frames come out, is that of the one generation that its record names."""
    nic = run_upheavals(build, SEED, 6)
    assert nic.accepted > 20 and nic.resets > 1 and nic.seen[Verdict.DROPPED] > 50 and nic.seen[Verdict.MIRRORED] > 50


@pytest.mark.parametrize("lengths", [(60,), (61,), (74,), (300,), (1514,)])
def test_the_latency_is_constant(build, card, lengths):
    """From the last beat, back to back, whatever the length."""
    pump, _ = card
    for directions in ((INGRESS,), (INGRESS, EGRESS)):
        frames = drawn(random.Random(1), 60, lengths, directions)
        run = pump.run(frames, BACK_TO_BACK, stops=True)
        ends, stated = last_beats(run, frames, build), held(build, directions)
        late = [each.begun - ends[each.frame] for each in run.passed if frames[each.frame].direction is INGRESS]
        assert min(late) >= HELD[build.width] and max(late) == stated, (directions, min(late), max(late))


def held(build, directions):
    return HELD[build.width] + (build.lookup_clocks if EGRESS in directions else 0)


@pytest.mark.parametrize("share", ["all", "half", "none"])
def test_line_rate(build, card, share):
    """The shortest frames back to back both ways: no input ever waits, and no frame is kept longer than is said."""
    pump, driver = card
    families = {"all": ["0.0.0.0/0", "::/0"], "half": ["0.0.0.0/0"], "none": []}[share]
    driver.load(only(*(rule(number, each, each) for number, each in enumerate(families)), build=build))
    frames = [*drawn(random.Random(share), 400, (60,)), NOBODYS]
    run = pump.run(frames, BACK_TO_BACK, stops=True)
    dropped = sum(VerdictRecord.from_bytes(each).verdict is Verdict.DROPPED for each in run.verdicts)
    assert {"all": dropped == 0, "half": 100 < dropped < 300, "none": dropped == 400}[share]
    assert len(run.passed) == len(frames) - dropped
    ends = last_beats(run, frames, build)
    for each in run.passed:
        if frames[each.frame].direction is INGRESS:
            assert each.begun - ends[each.frame] <= held(build, Direction)
    check_sums(driver.counters(), frames)


def last_beats(run, frames, build):
    """The cycle of each frame's last beat in: they came with no clock lost, each way from the same one on."""
    clock, ends = dict.fromkeys(Direction, 0), []
    for frame in frames:
        clock[frame.direction] += beats(frame, build)
        ends.append(clock[frame.direction] - 1)
    origins = {each.entered + beats(frames[each.frame], build) - 1 - ends[each.frame] for each in run.passed}
    assert len(origins) == 1, "an input has waited"
    return [end + min(origins) for end in ends]


def check_sums(counters, frames=None):
    """Offered = sum over verdicts; of ingress in = out + dropped, of egress in = out."""
    for direction, enters, leaves in (
        (INGRESS, Port.NETWORK_IN, Port.HOST_OUT),
        (EGRESS, Port.HOST_IN, Port.NETWORK_OUT),
    ):
        judged = {verdict: tally.frames for (way, verdict), tally in counters.verdicts.items() if way is direction}
        dropped = judged.get(Verdict.DROPPED, 0) if direction is INGRESS else 0
        assert counters.passed(enters) == sum(judged.values()) == counters.passed(leaves) + dropped
        if frames is not None:
            assert counters.passed(enters) == sum(frame.direction is direction for frame in frames)


def test_long_and_short_frames_at_line_rate(build, card):
    """A long frame before short ones, the longest that is mirrored, too: nobody's input waits, and a frame that is
    late waits for those before it alone."""
    pump, _ = card
    source = random.Random(2)
    frames = drawn(source, 12, (60, 61, 1514, 9216, 60, 60))
    run = pump.run(frames, BACK_TO_BACK, stops=True)
    ends, passed, free = last_beats(run, frames, build), {each.frame: each for each in run.passed}, 0
    for number, frame in enumerate(frames):
        if frame.direction is EGRESS:
            continue
        latest = max(ends[number] + held(build, Direction), free + 1)
        if number in passed:
            assert passed[number].begun <= latest
            free = passed[number].ended
        else:
            # Where it was let go is not seen; a beat goes in each clock.
            free = latest + beats(frame, build) - 1
    assert 2 < sum(number not in passed for number in range(len(frames))) < 70


@pytest.mark.parametrize("stalls", [0.3, 0.95])
def test_receivers_that_wait_lose_nothing(card, stalls):
    """Frames of any length, those too long to be kept and those that are bad among them, into receivers that stall."""
    pump, driver = card
    source = random.Random(stalls)
    lengths = (1, 13, 14, 60, 61, 200, 1514) + ((9216, 9217, 9300, 20_000) if stalls < 0.5 else ())
    frames = [replace(frame, bad=source.random() < 0.1) for frame in drawn(source, 60, lengths)]
    run = pump.run(frames, replace(BACK_TO_BACK, output_stalls=stalls), stops=True)
    stopped = len(frames) - len(run.passed)
    assert stopped == sum(VerdictRecord.from_bytes(each).verdict is Verdict.DROPPED for each in run.verdicts) > 2
    check_sums(driver.counters(), frames)


class Kept:
    """A card whose snapshot was taken before, while frames ran."""

    def __init__(self, pump):
        self._pump, self.read = pump, pump.read

    def write(self, writes):
        self._pump.write([each for each in writes if each[0] != REGISTERS.address("SNAPSHOT")])


def test_a_snapshot_meets_while_frames_wait_and_are_stopped(build, card):
    """Taken in the middle of traffic, into a host that stalls: what had come in has gone on, or was dropped."""
    pump, _ = card
    source, status = random.Random(3), REGISTERS.address("SNAPSHOT_STATUS")
    busy, inside = REGISTERS.pack("SNAPSHOT_STATUS", busy=1), 0
    for _ in range(12):
        frames = drawn(source, 30, (60, 61, 300))
        cycle = source.randrange(sum(beats(frame, build) for frame in frames) // 2)
        take = [write_at(cycle, REGISTERS.address("SNAPSHOT"), 1), await_at(cycle, status, busy, 0)]
        before = pump.read([status])
        pump.run(frames, replace(BACK_TO_BACK, output_stalls=0.5), schedule=take, stops=True)
        assert pump.read([status]) != before
        counters = read_counters(Kept(pump), build)
        check_sums(counters)
        inside += counters.passed(Port.NETWORK_IN) > 0
    assert inside == 12


def test_without_lists_the_mark_alone_drops_and_the_frame_goes_on(build, card):
    """The policy has neither list: as in a card without the option, the pump wants every frame, marks and all."""
    pump, driver = card
    driver.load(everything(build.enis))
    frames = [replace(frame, dropped=True) for frame in drawn(random.Random(4), 20, (60, 100))]
    run = pump.run(frames, BACK_TO_BACK)
    assert len(run.passed) == len(frames)
    told = Counter(VerdictRecord.from_bytes(each).verdict for each in run.verdicts)
    assert told[Verdict.DROPPED] == 20


def test_the_pump_sees_what_comes_out_and_should_not(build, card):
    """And what does not come out and should: the card's policy is not the one that the pump is told of."""
    pump, driver = card
    frames = [replace(NOBODYS, data=everything(build.enis).interfaces[0].mac + bytes(54), dropped=True), NOBODYS]
    with pytest.raises(PumpError, match="ingress frame 0 does not come out"):
        pump.run(frames[:1], replace(BACK_TO_BACK, timeout=500))
    pump.run([], BACK_TO_BACK, schedule=[reset_at(0)])
    driver.load(everything(build.enis))
    with pytest.raises(PumpError, match="production ingress"):
        pump.run(frames, BACK_TO_BACK, stops=True)


def test_with_lists_a_frame_that_comes_marked_is_stopped_too(build, card):
    pump, driver = card
    driver.load(only(rule(1, "0.0.0.0/0", "0.0.0.0/0"), rule(2, "::/0", "::/0"), build=build))
    frames = [
        replace(frame, dropped=number % 3 == 0)
        for number, frame in enumerate(drawn(random.Random(4), 30, (60,), [INGRESS]))
    ]
    run = pump.run(frames, BACK_TO_BACK, stops=True)
    assert [each.frame for each in run.passed] == [number for number in range(30) if number % 3]
