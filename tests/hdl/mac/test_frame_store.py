"""The receive store against a list of frames: what does not fit goes as a whole, what stops gets an end."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.mac.store import ReceiveStore
from halfsilver.hdl.mac.words import Received

WIDTH, OCTETS, LONGEST = 32, 4, 40
CUT = object()


def words(data, outcome=Received.GOOD):
    """A frame as the receiver gives it."""
    cut = [data[place : place + OCTETS] for place in range(0, len(data), OCTETS)] or [b""]
    return [(piece, number == len(cut), outcome) for number, piece in enumerate(cut, 1)]


def run(depth, steps, *, ready, whole=lambda clock: 0, clocks=400):
    """``steps``: words, CUT, or None for a clock without; returns frames at ``o``, with the clock of each, and
    outcomes."""
    dut = ReceiveStore(WIDTH, depth, LONGEST)
    frames, outcomes = [], []

    async def drive(ctx):
        for clock, step in enumerate(steps):
            ctx.set(dut.whole, whole(clock))
            ctx.set(dut.cut, step is CUT)
            ctx.set(dut.i.valid, step not in (None, CUT))
            if step not in (None, CUT):
                data, last, outcome = step
                ctx.set(dut.i.payload.data, int.from_bytes(data, "little"))
                ctx.set(dut.i.payload.count, len(data))
                ctx.set(dut.i.payload.last, last)
                ctx.set(dut.i.payload.outcome, outcome)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.cut, 0)
        await ctx.tick().repeat(clocks)

    async def look(ctx):
        current, clock = b"", 0
        ctx.set(dut.o.ready, int(ready(0)))
        signals = (dut.o.valid, dut.o.ready, dut.o.payload, dut.ended, dut.outcome)
        async for _, _, valid, taken, beat, ended, outcome in ctx.tick().sample(*signals):
            if valid and taken:
                current += beat.data.to_bytes(OCTETS, "little")[: beat.count]
                assert beat.last or (beat.count == OCTETS and not beat.bad)
                if beat.last:
                    frames.append((current, bool(beat.bad), clock))
                    current = b""
            if ended:
                outcomes.append(outcome)
            clock += 1
            ctx.set(dut.o.ready, int(ready(clock)))
        assert not current

    simulator = Simulator(dut)
    simulator.add_clock(16e-9)
    simulator.add_testbench(drive)
    simulator.add_testbench(look, background=True)
    simulator.run()
    return frames, outcomes


def data_of(frames):
    return [(data, bad) for data, bad, _ in frames]


@pytest.mark.parametrize("whole", ["never", "always", "now and then"])
@pytest.mark.parametrize("seed", range(3))
def test_frames_pass_or_go_whole(seed, whole):
    """Any core: what comes out is a part of what went in, in order, bytes and marks right; the rest is counted."""
    rng = random.Random(seed)
    sent = [(rng.randbytes(rng.randint(0, LONGEST)), rng.choice(list(Received)[:6])) for _ in range(150)]
    steps = []
    for data, outcome in sent:
        for word in words(data, outcome):
            steps += [word] + [None] * rng.choice((0, 0, 1))
        steps += [None] * rng.choice((0, 0, 4))
    busy = [rng.random() < rng.choice((0.1, 0.5, 1)) for _ in range(64) for _ in range(16)]
    changes = [rng.random() < 0.5 for _ in range(64) for _ in range(9)]
    holds = {"never": [0], "always": [1], "now and then": changes}[whole]
    frames, outcomes = run(
        11,
        steps,
        ready=lambda clock: clock > len(steps) or busy[clock % len(busy)],
        whole=lambda clock: int(holds[clock % len(holds)]),
    )
    assert len(outcomes) == len(sent)
    passed = [
        (data, outcome is not Received.GOOD)
        for (data, outcome), counted in zip(sent, outcomes, strict=True)
        if counted is not Received.OVERFLOW and data
    ]
    assert data_of(frames) == passed
    lost = outcomes.count(Received.OVERFLOW)
    assert 5 < lost < 140, "the run shows neither"
    assert all(counted in (outcome, Received.OVERFLOW) for (_, outcome), counted in zip(sent, outcomes, strict=True))


def test_the_longest_frame_fits_whatever_the_core_does():
    data = random.Random(0).randbytes(LONGEST)
    frames, outcomes = run(11, words(data), ready=lambda clock: clock > 60)
    assert data_of(frames) == [(data, False)] and outcomes == [Received.GOOD]


def test_a_frame_leaves_before_it_has_ended_unless_whole_is_asked_for():
    data = bytes(LONGEST)
    steps = [step for word in words(data) for step in (word, None, None, None)]
    (cut_through,), _ = run(11, steps, ready=lambda clock: True)
    (whole,), _ = run(11, steps, ready=lambda clock: True, whole=lambda clock: 1)
    ended = len(steps) - 4
    assert cut_through[2] - ended == ReceiveStore.LATENCY
    assert whole[2] - ended == ReceiveStore.LATENCY + LONGEST // OCTETS - 1


@pytest.mark.parametrize("whole", [0, 1])
@pytest.mark.parametrize("busy", [0, 30])
@pytest.mark.parametrize("came", range(1, 10))
def test_a_frame_that_is_cut_ends_and_the_next_one_is_whole(came, busy, whole):
    """Wherever it is, and wherever the core is; a cut between frames is none."""
    before, first, second = (random.Random(seed).randbytes(size) for seed, size in enumerate((12, 40, 20)))
    steps = [*words(before), CUT, *words(first)[:came], None, CUT, CUT, *words(second)]
    frames, outcomes = run(20, steps, ready=lambda clock: clock > busy, whole=lambda clock: whole)
    assert data_of(frames) == [(before, False), (first[: 4 * came] + b"\0", True), (second, False)]
    assert outcomes == [Received.GOOD, Received.STALL, Received.GOOD]


def test_a_frame_that_is_cut_while_it_is_dropped_counts_once():
    first, second = random.Random(1).randbytes(40), random.Random(2).randbytes(20)
    steps = [*words(first), *words(first)[:5], CUT, *[None] * 40, *words(second)]
    frames, outcomes = run(11, steps, ready=lambda clock: clock > 30)
    assert data_of(frames) == [(first, False), (second, False)]
    assert outcomes == [Received.GOOD, Received.OVERFLOW, Received.GOOD]


def test_the_longest_frame_may_be_cut_behind_its_last_octet():
    """Its end finds room: the core took a part of it."""
    data = random.Random(0).randbytes(LONGEST)
    cut = [(piece, False, outcome) for piece, _, outcome in words(data)]
    frames, outcomes = run(11, [*cut, CUT], ready=lambda clock: clock > 60)
    assert data_of(frames) == [(data + b"\0", True)] and outcomes == [Received.STALL]


def test_a_pause_of_the_core_changes_nothing():
    data = random.Random(3).randbytes(40)
    frames, outcomes = run(11, words(data), ready=lambda clock: clock < 8 or clock > 108)
    assert data_of(frames) == [(data, False)] and outcomes == [Received.GOOD]


@pytest.mark.parametrize("arguments", [(32, 10, 40), (7, 11, 40)])
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError):
        ReceiveStore(*arguments)
