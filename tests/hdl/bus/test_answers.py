"""Answers between production: whole frames, in gaps alone, and never more than one before what waits."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.bus.etherbone.port import Answers, EtherboneAddress
from tests.hdl.bus.etherbone_kit import Collector, beats_of

WIDTH = 32
MAC = b"\x02HSM\x00\x01"


def run(production, answers, *, ready=1.0, clocks=3000, after=0):
    """Frames that left, each with the clock in which it began.

    ``production`` has (idle clocks before it, clocks per beat, frame); ``answers`` wait from clock ``after`` on.
    """
    source = random.Random(0)
    dut = Answers(WIDTH)
    seen, collector = [], Collector(WIDTH)

    def put(ctx, stream, beat):
        data, count, last = beat
        ctx.set(stream.payload, {"data": data, "count": count, "last": last, "bad": 0, "drop": 0})

    async def send(ctx, stream, frames):
        for idle, pace, frame in frames:
            for _ in range(idle):
                await ctx.tick()
            for beat in beats_of(frame, WIDTH):
                put(ctx, stream, beat)
                ctx.set(stream.valid, 1)
                await ctx.tick().until(stream.ready)
                ctx.set(stream.valid, 0)
                for _ in range(pace - 1):
                    await ctx.tick()

    async def feed(ctx):
        await send(ctx, dut.i, production)

    async def answer(ctx):
        await send(ctx, dut.i_answer, [(after if not place else 0, 1, frame) for place, frame in enumerate(answers)])

    async def take(ctx):
        stream = dut.o
        for clock in range(clocks):
            ctx.set(stream.ready, source.random() < ready)
            _, _, taken, data, count, last = await ctx.tick().sample(
                stream.valid & stream.ready, stream.p.data, stream.p.count, stream.p.last
            )
            if taken:
                if not collector.begun:
                    seen.append(clock)
                collector.take(data, count, last)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed, background=True)
    simulator.add_testbench(answer, background=True)
    simulator.add_testbench(take)
    simulator.run()
    return list(zip(seen, collector.frames, strict=True))


def kinds(left):
    return "".join("A" if frame[:1] == b"A" else "p" for _, frame in left)


@pytest.mark.parametrize("ready", (1.0, 0.5))
def test_all_frames_leave_whole_and_in_order(ready):
    source = random.Random(5)
    production = [
        (source.choice((0, 1, 7, 12, 40)), source.choice((1, 2, 20)), b"p" + source.randbytes(source.randrange(1, 100)))
        for _ in range(40)
    ]
    answers = [b"A" + source.randbytes(source.randrange(59, 90)) for _ in range(12)]
    left = run(production, answers, ready=ready, clocks=12000)
    assert [frame for _, frame in left if frame[:1] == b"p"] == [frame for _, _, frame in production]
    assert [frame for _, frame in left if frame[:1] == b"A"] == answers
    assert "pAp" in kinds(left)


def test_no_answer_leaves_where_production_leaves_no_gap():
    """Beats every other clock and frames seven clocks apart are a frame after the other that was held up."""
    production = [(30, 2, b"p" * 60), *[(6, 2, b"p" * 60)] * 9]
    assert kinds(run(production, [b"A" * 60] * 3)) == "A" + "p" * 10 + "AA"


def test_an_answer_in_the_gap_of_frames_back_to_back_delays_them_by_itself_at_most():
    """Frames of 60 bytes at 1 Gb/s: a beat each second clock of 62.5 MHz, then 12 clocks of none."""
    production = [(12, 2, b"p" * 60)] * 10
    alone, beside = run(production, []), run(production, [b"A" * 60], after=100)
    assert kinds(beside) == "pppAppppppp"
    starts = [clock for clock, frame in beside if frame[:1] == b"p"]
    late = [clock - before for clock, (before, _) in zip(starts, alone, strict=True)]
    assert 0 < max(late) <= 60 * 8 // WIDTH


def test_addresses_that_cannot_be():
    with pytest.raises(ValueError, match="03:48:53:4d:00:01 is not the address of one station"):
        EtherboneAddress(b"\x03" + MAC[1:], "10.0.0.1")
    with pytest.raises(ValueError, match="10.0.0.256"):
        EtherboneAddress(MAC, "10.0.0.256")
