# amaranth: UnusedElaboratable=no
"""Counters and their snapshot: whatever the traffic, the sums are those of whole frames, and meet to the last byte."""

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.sim import Simulator

from halfsilver.hdl.counting.counters import Counters
from halfsilver.hdl.layout.parameters import NicParameters
from tests.hdl.counting.wire import (
    COPIES_OUT,
    MIRRORED,
    NO_ENI,
    PORT,
    RULE,
    SESSION,
    VERDICT,
    WAYS,
    Passing,
    Wire,
    tables,
)

READ_CLOCKS = 4


def simulate(dut, bench, top=None):
    simulator = Simulator(top or dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


class Card:
    """`Counters` behind a wire: one step is one clock."""

    def __init__(self, ctx, dut, wire):
        self.ctx, self.dut, self.wire = ctx, dut, wire
        self._shown = ()

    async def step(self, clocks=1):
        ctx, dut = self.ctx, self.dut
        for _ in range(clocks):
            ports, records = self.wire.step()
            for port, frame in ports.items():
                event = dut.i_ports[port]
                ctx.set(event.valid, frame is not None)
                if frame is not None:
                    ctx.set(event.octets, frame.length)
                    ctx.set(event.bad, frame.bad)
            for records_of in dut.i:
                ctx.set(records_of.valid, 0)
            for way, frame in enumerate(records):
                records_of = dut.i[way % len(dut.i)]
                if frame is not None:
                    assert not ctx.get(records_of.valid)
                    ctx.set(records_of.valid, 1)
                    for name, value in frame.record().items():
                        ctx.set(records_of.p.record[name], value)
                    ctx.set(records_of.p.octets, frame.octets)
            await ctx.tick()

    async def until(self, condition, clocks=20_000):
        for _ in range(clocks):
            if condition():
                return
            await self.step()
        raise AssertionError(f"not in {clocks} clocks")

    async def ready(self):
        self.wire.on = False
        await self.until(lambda: self.ctx.get(self.dut.o_ready))
        self.wire.on = True

    async def take(self):
        """Take a snapshot; returns the clocks in which its instant must have been."""
        self.ctx.set(self.dut.take, 1)
        begin = self.wire.clock
        await self.step()
        self.ctx.set(self.dut.take, 0)
        assert self.ctx.get(self.dut.busy)
        return range(begin, begin + self.dut.instant_clocks + 1)

    async def whole(self):
        await self.until(lambda: not self.ctx.get(self.dut.busy))

    async def read(self, group, index):
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.read_group, group)
        ctx.set(dut.read_index, index)
        ctx.set(dut.read, 1)
        await self.step()
        ctx.set(dut.read, 0)
        for _ in range(READ_CLOCKS):
            if not ctx.get(dut.read_busy):
                break
            await self.step()
        return ctx.get(dut.frames), ctx.get(dut.octets)

    async def read_all(self, keys=()):
        """Every counter that may differ from 0, and those of ``keys``."""
        rounded = 1 << (self.wire.enis - 1).bit_length()
        rule_bits = max(4, (self.wire.rules - 1).bit_length())
        places = {(VERDICT, index) for index in range(32)} | {(SESSION, index) for index in range(16 * rounded)}
        places |= {(PORT, index) for index in range(16)} | set(keys)
        places |= set(tables(self._all(), self.wire.copies, rounded, rule_bits))
        counters = {place: await self.read(*place) for place in sorted(places)}
        return {place: counted for place, counted in counters.items() if counted != (0, 0)}

    def _all(self):
        return self.wire.frames[0] + self.wire.frames[1]

    def due(self, counters):
        """What the accountant has for as many frames of each direction, and as many copies, as ``counters`` show."""
        entered = [sum(counters.get((PORT, 2 * ways[0] + bad), (0, 0))[0] for bad in range(2)) for ways in WAYS]
        copies = counters.get((PORT, 2 * COPIES_OUT), (0, 0))[0]
        frames = [frame for way in range(2) for frame in self.wire.frames[way][: entered[way]]]
        rounded = 1 << (self.wire.enis - 1).bit_length()
        table = tables(frames, self.wire.copies[:copies], rounded, max(4, (self.wire.rules - 1).bit_length()))
        return (*entered, copies), table

    def passed(self, clock):
        """Frames of each direction, and copies, up to a clock."""
        times = (*self.wire.entered, self.wire.copied)
        return tuple(sum(one <= clock for one in its) for its in times)


def run(parameters, wire, bench):
    dut = Counters(parameters)
    wire.matchers = parameters.matchers

    async def guarded(ctx):
        card = Card(ctx, dut, wire)
        await card.ready()
        await bench(card)

    simulate(dut, guarded)
    return dut


def check_snapshot(card, counters, instants):
    """One cut through the traffic, made at one of these clocks, and every counter as the accountant's."""
    counts, table = card.due(counters)
    assert counters == table
    assert any(card.passed(clock) == counts for clock in instants), f"{counts} passed at none of {instants}"


@pytest.mark.parametrize(
    ("width", "rate", "hold"),
    [(512, 1.0, 0.0), (512, 1.0, 0.5), (64, 1.0, 0.0), (64, 0.5, 0.3), (512, 0.1, 0.0), (64, 0.02, 0.9)],
    ids=str,
)
def test_snapshots_under_traffic_are_one_cut(width, rate, hold):
    """Snapshot after snapshot, each read while traffic goes on; the wire is as full as it can be.

    At 512 bits there are two matchers, and as many records per clock.
    """

    async def bench(card):
        for _ in range(4):
            await card.step(card.wire.source.randrange(200))
            instants = await card.take()
            await card.whole()
            check_snapshot(card, await card.read_all(), instants)

    run(NicParameters(width=width, enis=1), Wire(f"{rate} {hold}", rate=rate, hold=hold), bench)


@pytest.mark.parametrize(("enis", "sessions", "rules"), [(3, 2, 4), (4, 3, 10), (1, 1, 1)])
def test_snapshots_of_other_builds(enis, sessions, rules):
    async def bench(card):
        for _ in range(2):
            await card.step(300)
            instants = await card.take()
            await card.whole()
            check_snapshot(card, await card.read_all(), instants)

    run(
        NicParameters(width=512 if enis == 1 else 64, enis=enis, sessions=sessions, rules=rules),
        Wire(enis, rate=1.0, hold=0.1, enis=enis, rules=rules),
        bench,
    )


def test_snapshots_at_every_cycle_of_the_walk():
    """``take`` drifts through the states of the walker; the last snapshot is of a wire that has gone quiet."""
    places = [(PORT, index) for index in range(10)] + [
        (VERDICT, index) for way in (0, 16) for index in range(way, way + 13)
    ]

    async def bench(card):
        for _ in range(25):
            instants = await card.take()
            await card.whole()
            counters = {place: counted for place in places if (counted := await card.read(*place)) != (0, 0)}
            counts, table = card.due(counters)
            assert counters == {place: sums for place, sums in table.items() if place[0] in (VERDICT, PORT)}
            assert any(card.passed(clock) == counts for clock in instants)
        card.wire.on = False
        await card.until(lambda: card.wire.quiet)
        await card.take()
        await card.whole()
        everything = [frame for way in card.wire.frames for frame in way]
        assert await card.read_all() == tables(everything, card.wire.copies, 1)

    run(NicParameters(enis=1, rules=2), Wire(5, rate=0.9, hold=0.2, rules=2), bench)


def test_what_is_read_does_not_change_with_traffic():
    async def bench(card):
        await card.step(200)
        await card.take()
        await card.whole()
        first = await card.read_all()
        await card.step(400)
        assert await card.read_all(first) == first

    run(NicParameters(enis=1), Wire(6, rate=1.0), bench)


def test_a_receiver_that_holds_its_port_holds_the_snapshot_and_no_count():
    """Frames that cannot leave keep the snapshot from becoming whole; the other direction counts on for long."""

    async def bench(card):
        card.wire.stuck[0] = True
        await card.step(200)
        instants = await card.take()
        await card.step(1200)
        assert card.ctx.get(card.dut.busy)
        card.wire.stuck[0] = False
        await card.whole()
        check_snapshot(card, await card.read_all(), instants)
        instants = await card.take()
        await card.whole()
        check_snapshot(card, await card.read_all(), instants)

    run(NicParameters(enis=1), Wire(7, rate=1.0, hold=0.0), bench)


def test_verdicts_that_come_late_belong_to_the_snapshot():
    async def bench(card):
        await card.step(50)
        card.wire.latency = 2500
        await card.step(100)
        instants = await card.take()
        await card.step(1000)
        assert card.ctx.get(card.dut.busy)
        card.wire.latency = 9
        await card.whole()
        check_snapshot(card, await card.read_all(), instants)

    run(NicParameters(enis=1), Wire(8, rate=0.7), bench)


def test_one_counter_at_full_rate_for_long():
    """The largest record, every clock, in both directions: no narrow sum may wrap, snapshots or not."""

    async def bench(card):
        for pause in (0, 700, 3):
            await card.step(pause)
            instants = await card.take()
            await card.whole()
            check_snapshot(card, await card.read_all(), instants)

    def largest(source, way, enis, rules):
        return Passing(way, 65535, False, 65535, MIRRORED, 0, 2, 9)

    run(NicParameters(width=512, enis=1), Wire(9, rate=1.0, hold=0.0, under_way=120, latency=100, frame=largest), bench)


def test_counters_that_do_not_exist_read_as_zero():
    """Also those whose number would fall on another counter's row."""

    async def bench(card):
        await card.step(400)
        await card.take()
        await card.whole()
        for group, index in (
            (VERDICT, 32),
            (SESSION, 3),
            (SESSION, 16),
            (RULE, 10),
            (RULE, 13),
            (RULE, 3 * 16),
            (RULE, 128),
            (PORT, 10),
            (PORT, 16),
            (VERDICT, 0x8000),
        ):
            assert await card.read(group, index) == (0, 0), (group, index)

    run(NicParameters(enis=1), Wire(10, rate=1.0), bench)


def test_snapshots_asked_for_while_one_is_made_are_one():
    async def bench(card):
        for _ in range(3):
            await card.take()
            await card.step(5)
        await card.whole()
        assert card.ctx.get(card.dut.taken) in (1, 2)
        before = card.ctx.get(card.dut.taken)
        card.wire.stuck[1] = True
        await card.step(20)
        await card.take()
        await card.step(300)
        instants = await card.take()
        await card.step(10)
        await card.take()
        card.wire.stuck[1] = False
        begin = card.wire.clock
        await card.whole()
        assert card.ctx.get(card.dut.taken) == before + 2
        check_snapshot(card, await card.read_all(), range(instants[0], begin + 2 * card.dut.instant_clocks))

    run(NicParameters(enis=1), Wire(11, rate=0.5), bench)


def test_reset_clears_everything_and_counting_goes_on_meanwhile():
    """Frames of no interface, as all are before the first rule set, are counted from the first clocks on."""
    parameters = NicParameters(width=512, enis=1, rules=2)
    dut = Counters(parameters)
    reset = Signal()
    top = Module()
    top.submodules.dut = ResetInserter(reset)(dut)

    def of_nobody(source, way, enis, rules):
        return Passing(way, source.choice([60, 1500]), False, 60, NO_ENI)

    async def bench(ctx):
        card = Card(ctx, dut, Wire(12, matchers=2, rate=1.0))
        await card.ready()
        await card.step(300)
        ctx.set(reset, 1)
        for port in dut.i_ports:
            ctx.set(port.valid, 0)
        for records in dut.i:
            ctx.set(records.valid, 0)
        await ctx.tick()
        ctx.set(reset, 0)
        card = Card(ctx, dut, Wire(13, matchers=2, rate=1.0, latency=dut.FIRST_RECORD, frame=of_nobody))
        instants = await card.take()
        assert not ctx.get(dut.o_ready)
        await card.whole()
        check_snapshot(card, await card.read_all(), instants)
        assert ctx.get(dut.taken) == 1

    simulate(dut, bench, top)
