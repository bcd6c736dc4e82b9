# amaranth: UnusedElaboratable=no
"""Counters: nothing is lost, whatever the distance between records of one counter. The sums are added up here."""

import random
from collections import Counter

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.sim import Simulator

from halfsilver.hdl.counters import SNAPSHOT_CLOCKS, CounterGroup, Counters
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.verdict import NONE

MIRRORED, NO_MATCH, CONGESTED, NO_ENI = 0, 8, 11, 2


def record(octets, verdict=MIRRORED, direction=0, eni=0, session=0, rule=0):
    return {"verdict": verdict, "direction": direction, "eni": eni, "session": session, "rule": rule, "octets": octets}


def expected(records, enis):
    """Tables by group, as docs/mirroring.md section 9 words them; ``enis`` is already a power of two."""
    frames, octets = Counter(), Counter()
    for one in records:
        direction, eni, session = one["direction"], one["eni"], one["session"]
        keys = [(0, direction * 16 + one["verdict"])]
        if one["verdict"] == MIRRORED and session != NONE:
            keys.append((1, eni * 4 + session))
        if one["rule"] != NONE:
            keys.append((2, ((direction * enis + eni) * 4 + session) * 16 + one["rule"]))
        for key in keys:
            frames[key] += 1
            octets[key] += one["octets"]
    return {key: (frames[key], octets[key]) for key in frames}


def offer(ctx, dut, one):
    """Put a record (or nothing) at the input for the coming clock edge."""
    ctx.set(dut.i.valid, one is not None)
    if one is not None:
        for name, value in one.items():
            target = dut.i.p.octets if name == "octets" else dut.i.p.record[name]
            ctx.set(target, value)


async def read(ctx, dut, group, index):
    """A snapshot; also checks how long it takes."""
    ctx.set(dut.read_group, group)
    ctx.set(dut.read_index, index)
    ctx.set(dut.read, 1)
    await ctx.tick()
    ctx.set(dut.read, 0)
    await ctx.tick().repeat(SNAPSHOT_CLOCKS - 2)
    assert ctx.get(dut.read_busy)
    await ctx.tick()
    assert not ctx.get(dut.read_busy)
    return ctx.get(dut.frames), ctx.get(dut.octets)


async def cleared(ctx, dut):
    """Wait until the counters take records; returns the clocks."""
    for clocks in range(4096):
        if ctx.get(dut.o_ready):
            return clocks
        await ctx.tick()
    raise AssertionError("never ready")


def run(parameters, bench):
    dut = Counters(parameters)

    async def guarded(ctx):
        await cleared(ctx, dut)
        await bench(ctx, dut)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(guarded)
    simulator.run()


def check(parameters, enis, slots, keys=()):
    """Offer one slot (a record or None) per clock, then compare every counter that may have changed."""
    want = expected([slot for slot in slots if slot], enis)

    async def bench(ctx, dut):
        for slot in slots:
            offer(ctx, dut, slot)
            await ctx.tick()
        offer(ctx, dut, None)
        for group, index in sorted(want.keys() | set(keys)):
            assert await read(ctx, dut, group, index) == want.get((group, index), (0, 0)), (group, index)

    run(parameters, bench)


@pytest.mark.parametrize("gap", range(12))
def test_one_counter_at_every_distance(gap):
    slots = []
    for number in range(12):
        slots += [record(100 + number), *[None] * gap]
    check(NicParameters(enis=1), 1, slots)


@pytest.mark.parametrize("others", range(1, 11))
def test_one_counter_with_others_in_between(others):
    slots = []
    for number in range(10):
        slots.append(record(60 + number, rule=0))
        slots += [
            record(
                1000 + other, verdict=NO_MATCH + other % 2, session=other % 3, rule=1 + other % 9, direction=other % 2
            )
            for other in range(others)
        ]
    check(NicParameters(enis=1), 1, slots)


@pytest.mark.parametrize(("enis", "rounded"), [(1, 1), (3, 4), (4, 4)])
def test_random_records_at_full_rate(enis, rounded):
    source = random.Random(enis)
    slots = []
    for _ in range(3000):
        if source.random() < 0.1:
            slots.append(None)
            continue
        verdict = source.choice([MIRRORED, MIRRORED, CONGESTED, NO_MATCH, NO_ENI])
        named = verdict in (MIRRORED, CONGESTED)
        rule = source.choice([0, 0, 1, 9, NONE]) if named else NONE
        slots.append(
            record(
                source.choice([14, 60, 1500, 9216, 65535]),
                verdict,
                source.randrange(2),
                NONE if verdict == NO_ENI else source.randrange(enis),
                source.randrange(3) if named else NONE,
                rule,
            )
        )
    check(NicParameters(enis=enis), rounded, slots, keys=[(0, 1), (1, 3), (2, 5)])


def test_no_session_no_session_counter():
    """A record without a session has 255 there, whose low bits are those of a slot."""
    records = [record(64, verdict, session=NONE, rule=NONE) for verdict in (MIRRORED, NO_MATCH)]
    check(NicParameters(enis=1), 1, records, keys=[(1, slot) for slot in range(4)])


def test_longest_run_of_largest_records():
    check(NicParameters(enis=1), 1, [record(65535)] * 300)


CARRIES = [1 << 24, 1 << 32, 1 << 48, 1 << 63, 1 << 64]
"""The halves meet at 32 bits; 48 were all there once were; after 64 a counter begins again."""


@pytest.mark.parametrize("carry", CARRIES, ids=lambda carry: f"{carry.bit_length() - 1} bits")
@pytest.mark.parametrize("gap", [0, 1, 4, 5, 9])
def test_carries_of_frames_and_bytes(carry, gap):
    """Frames and bytes pass a power of two in the third of five records, at any distance of the records."""
    dut = CounterGroup(2)

    async def bench(ctx):
        ctx.set(dut.storage[1], {"frames": carry - 3, "octets": carry - 2 * 65535 - 1})
        ctx.set(dut.index, 1)
        ctx.set(dut.read_index, 1)
        ctx.set(dut.octets, 65535)
        for _ in range(5):
            ctx.set(dut.valid, 1)
            await ctx.tick()
            ctx.set(dut.valid, 0)
            if gap:
                await ctx.tick().repeat(gap)
        await ctx.tick().repeat(20)
        assert ctx.get(dut.frames) == (carry + 2) % (1 << 64)
        assert ctx.get(dut.octets_total) == (carry + 3 * 65535 - 1) % (1 << 64)
        ctx.set(dut.read_index, 0)
        await ctx.tick().repeat(4)
        assert (ctx.get(dut.frames), ctx.get(dut.octets_total)) == (0, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_carry_of_many_records():
    """The bytes of 256 records of 65,535 are 256 less than 2**24."""
    pause = [None] * 9
    check(
        NicParameters(enis=1),
        1,
        [record(65535)] * 256 + pause + [record(255)] + pause + [record(1)] + pause + [record(1)],
    )


def test_a_snapshot_holds_everything_up_to_its_clock_and_stays():
    async def bench(ctx, dut):
        for clock in range(40):
            offer(ctx, dut, record(64))
            if clock == 9:
                ctx.set(dut.read, 1)
            await ctx.tick()
            ctx.set(dut.read, 0)
        frames, octets = ctx.get(dut.frames), ctx.get(dut.octets)
        assert frames >= 10
        assert octets == 64 * frames
        offer(ctx, dut, None)
        await ctx.tick().repeat(30)
        assert (ctx.get(dut.frames), ctx.get(dut.octets)) == (frames, octets)
        assert await read(ctx, dut, 0, 0) == (40, 40 * 64)

    run(NicParameters(enis=1), bench)


def test_a_read_right_after_a_record():
    async def bench(ctx, dut):
        for number in range(1, 6):
            offer(ctx, dut, record(64))
            ctx.set(dut.read_group, 1)
            ctx.set(dut.read_index, 0)
            ctx.set(dut.read, 1)
            await ctx.tick()
            offer(ctx, dut, None)
            ctx.set(dut.read, 0)
            await ctx.tick().repeat(SNAPSHOT_CLOCKS - 1)
            assert ctx.get(dut.frames) == number

    run(NicParameters(enis=1), bench)


@pytest.mark.parametrize("gap", [0, 1, 4, 5, 6])
def test_a_snapshot_at_any_moment_of_a_running_stream(gap):
    """Reads drift through every phase of the records; none may show less than was there, or more than came."""

    async def bench(ctx, dut):
        offered, clock = 0, 0
        for _ in range(30):
            at_read = 0
            for step in range(SNAPSHOT_CLOCKS + 1):
                come = clock % (gap + 1) == 0
                offer(ctx, dut, record(64) if come else None)
                offered += come
                clock += 1
                ctx.set(dut.read, step == 0)
                at_read = offered if step == 0 else at_read
                await ctx.tick()
            assert not ctx.get(dut.read_busy)
            assert at_read <= ctx.get(dut.frames) <= offered
            assert ctx.get(dut.octets) == 64 * ctx.get(dut.frames)

    run(NicParameters(enis=1), bench)


def test_counters_that_do_not_exist_read_as_zero():
    async def bench(ctx, dut):
        offer(ctx, dut, record(64))
        await ctx.tick()
        offer(ctx, dut, None)
        assert await read(ctx, dut, 0, 0) == (1, 64)
        for group, index in ((0, 32), (1, 4), (2, 128), (3, 0), (0, 0x8000)):
            assert await read(ctx, dut, group, index) == (0, 0)

    run(NicParameters(enis=1), bench)


def test_reset_clears_and_holds_off_the_input():
    parameters = NicParameters(enis=4)
    dut = Counters(parameters)

    async def bench(ctx):
        assert await cleared(ctx, dut) == 512  # 2 directions x 4 ENIs x 4 sessions x 16 rules
        for _ in range(2):
            for _ in range(5):
                offer(ctx, dut, record(77, eni=3, session=2, rule=15, direction=1))
                await ctx.tick()
            offer(ctx, dut, None)
            assert await read(ctx, dut, 2, 511 - 16) == (5, 385)
            assert await read(ctx, dut, 1, 14) == (5, 385)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            assert not ctx.get(dut.o_ready)
            await cleared(ctx, dut)
            assert await read(ctx, dut, 2, 511 - 16) == (0, 0)
            assert await read(ctx, dut, 0, 16) == (0, 0)

    reset = Signal()
    top = Module()
    top.submodules.dut = ResetInserter(reset)(dut)
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("depth", [0, 1, 3, 48, -2, 2.0, "8"])
def test_depth_must_be_a_power_of_two(depth):
    with pytest.raises(ValueError, match="power of two"):
        CounterGroup(depth)
