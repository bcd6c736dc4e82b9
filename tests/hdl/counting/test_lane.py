# amaranth: UnusedElaboratable=no
"""Lanes and totals alone: no record is lost, whatever the distance between records of one counter, and carries."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.counting.lane import Lane
from halfsilver.hdl.counting.totals import Totals


def simulate(dut, bench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


async def clear(ctx, lane, places):
    ctx.set(lane.clear, 0b11)
    for place in range(places):
        ctx.set(lane.clear_index, place)
        await ctx.tick()
    ctx.set(lane.clear, 0)


async def emptied(ctx, lane, bank, places):
    """Sums of a bank, {index: (frames, bytes)}, which are 0 afterwards."""
    await ctx.tick().repeat(lane.SETTLE_CLOCKS)
    sums = {}
    ctx.set(lane.empty_bank, bank)
    for place in range(places):
        ctx.set(lane.empty, 1)
        ctx.set(lane.empty_index, place)
        await ctx.tick()
        ctx.set(lane.empty, 0)
        ctx.set(lane.clear, 1 << bank)
        ctx.set(lane.clear_index, place)
        await ctx.tick()
        ctx.set(lane.clear, 0)
        await ctx.tick().repeat(lane.EMPTY_CLOCKS - 2)
        if any(found := (ctx.get(lane.o.frames), ctx.get(lane.o.octets))):
            sums[place] = found
    return sums


def check(slots, places=8):
    """One slot, (bank, index, bytes) or None, per clock; then both banks."""
    dut = Lane((places - 1).bit_length(), 1, 12)
    due = [{}, {}]
    for slot in slots:
        if slot is not None:
            bank, index, octets = slot
            frames, before = due[bank].get(index, (0, 0))
            due[bank][index] = (frames + 1, before + octets)

    async def bench(ctx):
        await clear(ctx, dut, places)
        for slot in slots:
            ctx.set(dut.valid, slot is not None)
            if slot is not None:
                ctx.set(dut.bank, slot[0])
                ctx.set(dut.index, slot[1])
                ctx.set(dut.octets, slot[2])
            await ctx.tick()
        ctx.set(dut.valid, 0)
        for bank in range(2):
            assert await emptied(ctx, dut, bank, places) == due[bank]
        for bank in range(2):
            assert await emptied(ctx, dut, bank, places) == {}

    simulate(dut, bench)


@pytest.mark.parametrize("gap", range(9))
def test_one_counter_at_every_distance(gap):
    slots = []
    for number in range(12):
        slots += [(0, 3, 100 + number), *[None] * gap]
    check(slots)


@pytest.mark.parametrize("others", range(1, 9))
def test_one_counter_with_others_in_between(others):
    slots = []
    for number in range(10):
        slots.append((1, 0, 60 + number))
        slots += [(other % 2, 1 + other % 3, 1000 + other) for other in range(others)]
    check(slots)


@pytest.mark.parametrize("seed", range(4))
def test_random_records_at_full_rate(seed):
    source = random.Random(seed)
    indices = [0, 0, 1, 7] if seed % 2 else range(8)
    check(
        [
            None
            if source.random() < 0.1
            else (source.random() < 0.3, source.choice(indices), source.choice([1, 60, 65535]))
            for _ in range(1500)
        ]
    )


def test_a_bank_is_emptied_while_the_other_counts():
    dut = Lane(3, 1, 12)
    source = random.Random(1)

    async def bench(ctx):
        await clear(ctx, dut, 8)
        for bank in (0, 1, 0, 1):
            due = {}
            ctx.set(dut.bank, bank)
            for _ in range(200):
                index, octets = source.randrange(8), source.randrange(1 << 16)
                ctx.set(dut.valid, 1)
                ctx.set(dut.index, index)
                ctx.set(dut.octets, octets)
                frames, before = due.get(index, (0, 0))
                due[index] = (frames + 1, before + octets)
                await ctx.tick()
            ctx.set(dut.bank, not bank)  # the last record goes on and on into the other bank
            assert await emptied(ctx, dut, bank, 8) == due
            ctx.set(dut.valid, 0)
            assert (await emptied(ctx, dut, not bank, 8)).keys() == {index}

    simulate(dut, bench)


@pytest.mark.parametrize("sizes", [(0, 1, 8), (4, 0, 8), (4, 1, 0)])
def test_lanes_have_places_banks_and_frames(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        Lane(*sizes)


CARRIES = [1 << 24, 1 << 32, 1 << 48, 1 << 63, 1 << 64]
"""The halves meet at 32 bits; after 64 a counter begins again."""


@pytest.mark.parametrize("carry", CARRIES, ids=lambda carry: f"{carry.bit_length() - 1} bits")
def test_totals_carry(carry):
    """Frames and bytes pass a power of two; a row that is not the snapshot's is not shown."""
    dut = Totals(3, 10)

    async def add(ctx, row, frames, octets, snapshot):
        ctx.set(dut.add, 1)
        ctx.set(dut.row, row)
        await ctx.tick()
        ctx.set(dut.add, 0)
        await ctx.tick().repeat(dut.ADD_CLOCKS - 1)
        ctx.set(dut.increment, {"frames": frames, "octets": octets})
        ctx.set(dut.snapshot, snapshot)
        await ctx.tick().repeat(dut.WRITE_CLOCKS)

    async def shown(ctx, row):
        ctx.set(dut.read_row, row)
        await ctx.tick().repeat(dut.READ_CLOCKS)
        return ctx.get(dut.frames), ctx.get(dut.octets)

    async def bench(ctx):
        for row in (1, 2):
            ctx.set(dut.storage[row], {"frames": carry - 3, "octets": carry - 2000})
        await add(ctx, 1, 2, 1999, True)
        assert await shown(ctx, 1) == (carry - 1, carry - 1)
        await add(ctx, 1, 1, 1, True)
        assert await shown(ctx, 1) == (carry % (1 << 64), carry % (1 << 64))
        await add(ctx, 1, 1023, (1 << 26) - 1, False)
        assert await shown(ctx, 1) == (carry % (1 << 64), carry % (1 << 64))
        await add(ctx, 1, 0, 0, True)
        assert await shown(ctx, 1) == ((carry + 1023) % (1 << 64), (carry + (1 << 26) - 1) % (1 << 64))
        await add(ctx, 2, 0, 0, True)
        assert await shown(ctx, 2) == (carry - 3, carry - 2000)

    simulate(dut, bench)


def test_increments_fit_half_a_total():
    with pytest.raises(ValueError, match="at most 16"):
        Totals(4, 17)
