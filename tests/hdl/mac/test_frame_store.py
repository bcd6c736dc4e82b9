"""The receive store against a list of frames: what does not fit goes as a whole, what stops gets an end."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.mac.store import ReceiveStore
from halfsilver.hdl.mac.words import Received

WIDTH, OCTETS, LONGEST, STALL = 32, 4, 40, 50


def words(data, outcome=Received.GOOD):
    """A frame as the receiver gives it."""
    cut = [data[place : place + OCTETS] for place in range(0, len(data), OCTETS)] or [b""]
    return [(piece, number == len(cut), outcome) for number, piece in enumerate(cut, 1)]


def run(depth, steps, *, ready, whole=0, clocks=400):
    """``steps``: words, or None for a clock without; returns frames at ``o`` and outcomes, with the clock of each."""
    dut = ReceiveStore(WIDTH, depth, LONGEST, STALL)
    frames, outcomes = [], []

    async def drive(ctx):
        ctx.set(dut.whole, whole)
        for step in steps:
            ctx.set(dut.i.valid, step is not None)
            if step is not None:
                data, last, outcome = step
                ctx.set(dut.i.payload.data, int.from_bytes(data, "little"))
                ctx.set(dut.i.payload.count, len(data))
                ctx.set(dut.i.payload.last, last)
                ctx.set(dut.i.payload.outcome, outcome)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
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


@pytest.mark.parametrize("whole", [0, 1])
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
    frames, outcomes = run(11, steps, ready=lambda clock: clock > len(steps) or busy[clock % len(busy)], whole=whole)
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
    (whole,), _ = run(11, steps, ready=lambda clock: True, whole=1)
    ended = len(steps) - 4
    assert cut_through[2] - ended == ReceiveStore.LATENCY
    assert whole[2] - ended == ReceiveStore.LATENCY + LONGEST // OCTETS - 1


def test_a_frame_that_stops_is_ended_and_its_rest_dropped():
    first, second = random.Random(1).randbytes(40), random.Random(2).randbytes(20)
    pieces = words(first)
    steps = [*pieces[:4], *[None] * (STALL + 20), *pieces[4:], *words(second)]
    frames, outcomes = run(11, steps, ready=lambda clock: True)
    assert data_of(frames) == [(first[:16] + b"\0", True), (second, False)]
    assert outcomes == [Received.STALL, Received.GOOD]
    assert STALL <= frames[0][2] - 4 <= STALL + 2 * ReceiveStore.LATENCY


def test_a_pause_of_the_core_is_no_stall():
    data = random.Random(3).randbytes(40)
    frames, outcomes = run(11, words(data), ready=lambda clock: clock < 8 or clock > 8 + 2 * STALL)
    assert data_of(frames) == [(data, False)] and outcomes == [Received.GOOD]


@pytest.mark.parametrize("gap", range(STALL - 4, STALL + 8))
def test_the_rest_may_come_in_the_very_clock_of_the_stall(gap):
    first, second = random.Random(4).randbytes(8), random.Random(5).randbytes(20)
    steps = [words(first)[0], *[None] * gap, words(first)[1], *words(second)]
    frames, outcomes = run(11, steps, ready=lambda clock: True)
    assert data_of(frames)[1:] == [(second, False)]
    assert data_of(frames)[0] in ((first, False), (first[:4] + b"\0", True))
    assert outcomes[0] in (Received.GOOD, Received.STALL) and outcomes[1:] == [Received.GOOD]
    assert (outcomes[0] is Received.STALL) == frames[0][1]


@pytest.mark.parametrize("arguments", [(32, 10, 40, 50), (7, 11, 40, 50), (32, 11, 40, 1)])
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError):
        ReceiveStore(*arguments)
