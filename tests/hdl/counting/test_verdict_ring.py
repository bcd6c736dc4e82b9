# amaranth: UnusedElaboratable=no
"""The verdict ring against a list: what it keeps, in which order, and to the record what it lost."""

import random

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.counting.verdict_ring import VerdictRing

ALL = {"every": 1, "one_session": 0, "eni": 0, "session": 0}


def simulate(dut, bench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


class Ring:
    def __init__(self, ctx, dut):
        self.ctx, self.dut = ctx, dut
        self.sequence = [0, 0]
        self.offered = []

    async def start(self, **selection):
        self.ctx.set(self.dut.selection, {**ALL, **selection})
        self.ctx.set(self.dut.restart, 1)
        await self.clock()
        self.ctx.set(self.dut.restart, 0)
        await self.clock()
        self.offered.clear()

    async def clock(self, *ways, eni=0, session=0):
        """A clock with a record of each of these directions."""
        assert len(ways) <= len(self.dut.i)
        for records in self.dut.i:
            self.ctx.set(records.valid, 0)
        for way in range(2):
            records = self.dut.i[way % len(self.dut.i)]
            if way in ways:
                self.ctx.set(records.valid, 1)
                one = {"sequence": self.sequence[way], "direction": way, "eni": eni, "session": session, "length": 60}
                self.ctx.set(records.payload, one)
                self.offered.append((way, self.sequence[way], eni, session))
                self.sequence[way] += 1
        await self.ctx.tick()
        for records in self.dut.i:
            self.ctx.set(records.valid, 0)

    async def read(self, most=None):
        """Take records until there are no more: (direction, sequence, ENI, session)."""
        await self.ctx.tick().repeat(self.dut.LATENCY)
        found = []
        while self.ctx.get(self.dut.o.valid) and len(found) != most:
            record = self.ctx.get(self.dut.o.payload)
            found.append((record.direction, record.sequence, record.eni, record.session))
            self.ctx.set(self.dut.o.ready, 1)
            await self.ctx.tick()
            self.ctx.set(self.dut.o.ready, 0)
            await self.ctx.tick().repeat(2)
        return found

    @property
    def level(self):
        return self.ctx.get(self.dut.level)

    @property
    def lost(self):
        return self.ctx.get(self.dut.lost)


def run(bench, depth=16, matchers=1):
    dut = VerdictRing(depth, matchers)

    async def guarded(ctx):
        await bench(Ring(ctx, dut))

    simulate(dut, guarded)


def test_nothing_is_kept_unless_asked_for():
    async def bench(ring):
        await ring.clock(0)
        await ring.start(every=0)
        await ring.clock(0)
        await ring.clock(1)
        assert await ring.read() == []
        assert (ring.level, ring.lost) == (0, 0)

    run(bench)


@pytest.mark.parametrize("matchers", [1, 2])
@pytest.mark.parametrize("beyond", [0, 1, 7])
def test_overflow_is_exact(beyond, matchers):
    """The first ``depth`` are kept, each one more is counted; then there is room again, record by record."""

    async def bench(ring):
        await ring.start()
        for number in range(16 + beyond):
            await ring.clock(number % 2)
        await ring.ctx.tick().repeat(ring.dut.LATENCY)
        assert (ring.level, ring.lost) == (16, beyond)
        kept = list(ring.offered[:16])
        assert await ring.read(most=3) == kept[:3]
        ring.offered.clear()
        for _ in range(5):
            await ring.clock(0)
        await ring.ctx.tick().repeat(ring.dut.LATENCY)
        assert (ring.level, ring.lost) == (16, beyond + 2)
        assert await ring.read() == kept[3:] + ring.offered[:3]
        assert ring.level == 0

    run(bench, matchers=matchers)


def test_one_session():
    async def bench(ring):
        await ring.start(one_session=1, eni=3, session=2)
        for number in range(40):
            await ring.clock(number % 2, eni=number % 5, session=number % 3)
        await ring.clock(0, eni=255, session=255)
        due = [one for one in ring.offered if one[2:] == (3, 2)]
        assert due and await ring.read() == due

    run(bench)


@pytest.mark.parametrize("matchers", [1, 2])
@pytest.mark.parametrize("every", [1, 2, 3, 7, 40])
def test_one_in_n_of_each_direction(every, matchers):
    async def bench(ring):
        await ring.start(every=every)
        source = random.Random(every)
        for _ in range(60):
            ways = [way for way in range(2) if source.random() < 0.6]
            await ring.clock(*ways[:matchers])
            await ring.clock()
        due = [[one for one in ring.offered if one[0] == way][::every] for way in range(2)]
        found = await ring.read()
        assert [[one for one in found if one[0] == way] for way in range(2)] == due
        assert ring.lost == 0

    run(bench, depth=128, matchers=matchers)


def test_a_restart_empties_it_and_selects_anew():
    async def bench(ring):
        await ring.start(every=5)
        for _ in range(100):
            await ring.clock(0)
        assert ring.lost > 0
        await ring.start(every=5)
        assert (ring.level, ring.lost) == (0, 0)
        await ring.clock(0)
        assert await ring.read() == ring.offered[:1]

    run(bench)


def test_one_record_per_clock_loses_none_before_it_is_full():
    """Both directions in one clock, then none: the mean is one."""

    async def bench(ring):
        await ring.start()
        for number in range(32):
            await ring.clock(*((), (0, 1))[number % 2])
        found = await ring.read()
        assert sorted(found) == sorted(ring.offered)
        assert ring.lost == 0

    run(bench, depth=64, matchers=2)


@pytest.mark.parametrize("rate", [0.5, 0.7, 1.0])
def test_two_records_per_clock_are_kept_or_counted(rate):
    async def bench(ring):
        await ring.start()
        source = random.Random(str(rate))
        for _ in range(60):
            await ring.clock(*(way for way in range(2) if source.random() < rate))
        found = await ring.read()
        assert len(found) + ring.lost == len(ring.offered)
        assert set(found) <= set(ring.offered)
        for way in range(2):
            sequence = [one[1] for one in found if one[0] == way]
            assert sequence == sorted(sequence)
        assert [one for one in found if one[0] == 0] == [one for one in ring.offered if one[0] == 0]

    run(bench, depth=128, matchers=2)


@pytest.mark.parametrize("depth", [0, 1, 3, 48, -2, 2.0, "8"])
def test_depth_must_be_a_power_of_two(depth):
    with pytest.raises(ValueError, match="power of two"):
        VerdictRing(depth, 1)
