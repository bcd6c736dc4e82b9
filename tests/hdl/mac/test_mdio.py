"""MDIO against a PHY written from clause 22: it takes bits at MDC's rising edge, drives what it is asked for, and lets
go, as late as it may behind it, and sees to it that nobody else drives then."""

import itertools
from dataclasses import dataclass, field

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from halfsilver.hdl.mac.mdio import LinkPoller, MdioReader
from halfsilver.hdl.mac.words import Speed

CLOCK = 25e6
PERIOD_NS = 1e9 / CLOCK


@dataclass
class Phy:
    """Registers of a PHY; register 1 keeps a lost link until it is read (22.2.4.2.13)."""

    registers: dict[int, int] = field(default_factory=dict)
    link: bool = True
    lost: bool = False

    def lose(self):
        self.link, self.lost = False, True

    def read(self, register):
        if register != 1:
            return self.registers.get(register, 0)
        link, self.lost = self.link and not self.lost, False
        return 0x7949 | link << 2


def negotiated(ours_gigabit=0b11, partners_gigabit=0b11, ours=0b1111, partners=0b1111):
    """Registers after negotiation: abilities as bits, half duplex below full; 10 Mb/s below 100 Mb/s."""
    return {9: ours_gigabit << 8, 10: partners_gigabit << 10, 4: ours << 5 | 1, 5: partners << 5 | 1}


class Bus:
    """MDC and MDIO with PHYs by address; ``frames`` is what was asked: (PHY, register)."""

    def __init__(self, pins, phys):
        self.pins, self.phys, self.frames = pins, phys, []

    async def run(self, ctx):
        """A frame, bit by bit, as a PHY sees it (22.2.4.5). Times in clocks of the design."""
        mdc, ones, head, answer = ctx.get(self.pins.mdc), 0, [], None
        rose = changed = -100
        drives, driven, last = None, None, None
        for clock in itertools.count():
            await ctx.tick()
            level, own, oe = ctx.get(self.pins.mdc), ctx.get(self.pins.o), ctx.get(self.pins.oe)
            line = (own, oe)
            if line != last:
                changed, last = clock, line
            if clock - rose == round(290 / PERIOD_NS):
                driven = drives
            assert driven is None or not oe, "both ends drive"
            bit = own if oe else 1 if driven is None else driven
            ctx.set(self.pins.i, bit)
            if level and not mdc:
                assert clock - rose >= 400 / PERIOD_NS, "MDC is faster than 2.5 MHz"
                assert clock - changed >= 10 / PERIOD_NS or not oe, "MDIO changes where it is taken"
                rose = clock
                ones, head, answer, drives = self.take(bit, oe, ones, head, answer)
            mdc = level

    def take(self, bit, oe, ones, head, answer):
        """The bit at a rising edge; returns the state behind it, and what the PHY drives from now on."""
        if answer is not None:
            return (0, [], None, None) if not answer else (0, head, answer[1:], answer[0])
        if not head and (bit or ones < 32):
            return ones + 1 if bit else 0, [], None, None
        assert oe, "the line is left within the head"
        head = [*head, bit]
        if len(head) < 14:
            return ones, head, None, None
        assert head[:4] == [0, 1, 1, 0], "start, and the operation of a read"
        phy, register = (int("".join(map(str, head[at : at + 5])), 2) for at in (4, 9))
        self.frames.append((phy, register))
        if phy not in self.phys:
            return 0, [], [None] * 18, None
        value = self.phys[phy].read(register)
        return 0, head, [None, 0, *(value >> place & 1 for place in reversed(range(16)))][1:], None


def simulate(dut, bus, stimulus):
    m = Module()
    m.submodules.dut = dut
    simulator = Simulator(m)
    simulator.add_clock(1 / CLOCK)
    simulator.add_testbench(bus.run, background=True)
    simulator.add_testbench(stimulus)
    simulator.run()


def test_registers_are_read():
    dut = MdioReader(CLOCK)
    bus = Bus(dut.pins, {5: Phy({3: 0xA5C3, 31: 0x8001}), 31: Phy({3: 0xFFFF, 0: 0x0001})})
    seen = []

    async def stimulus(ctx):
        for phy, register in ((5, 3), (31, 3), (5, 31), (4, 3), (31, 0), (5, 2)):
            ctx.set(dut.phy, phy)
            ctx.set(dut.register, register)
            await ctx.tick().until(dut.done)
            seen.append((ctx.get(dut.answered), ctx.get(dut.value)))

    simulate(dut, bus, stimulus)
    assert bus.frames == [(5, 3), (31, 3), (5, 31), (4, 3), (31, 0), (5, 2)]
    assert seen == [(1, 0xA5C3), (1, 0xFFFF), (1, 0x8001), (0, 0xFFFF), (1, 1), (1, 0)]


CASES = [
    (negotiated(), Speed.M1000, 1),
    (negotiated(partners_gigabit=0b01), Speed.M1000, 0),
    (negotiated(ours_gigabit=0b10, partners_gigabit=0b01), Speed.M100, 1),
    (negotiated(partners_gigabit=0, partners=0b0111), Speed.M100, 0),
    (negotiated(partners_gigabit=0, partners=0b0011), Speed.M10, 1),
    (negotiated(ours_gigabit=0, ours=0b1101, partners=0b0011), Speed.M10, 0),
]


@pytest.mark.parametrize(("registers", "speed", "duplex"), CASES)
def test_the_best_that_both_can(registers, speed, duplex):
    dut = LinkPoller([3], CLOCK)
    bus = Bus(dut.pins, {3: Phy(registers)})

    async def stimulus(ctx):
        await until_asked(ctx, bus, 1)
        status = ctx.get(dut.status[0])
        assert (status.link, status.speed, status.duplex, ctx.get(dut.found)) == (1, speed, duplex, 1)

    simulate(dut, bus, stimulus)


async def until_asked(ctx, bus, rounds, watch=lambda: None):
    """So many rounds of five registers of a PHY from now on; ``watch`` is called in each clock."""
    first = len(bus.frames)
    while len(bus.frames) <= first + 5 * rounds:
        await ctx.tick()
        watch()


def test_a_link_that_is_lost_a_phy_that_is_not_there_and_one_that_comes_late():
    dut = LinkPoller([0, 1, 9], CLOCK)
    phys = {0: Phy(negotiated(partners_gigabit=0)), 1: Phy(negotiated())}
    bus = Bus(dut.pins, phys)

    def links(ctx):
        return [ctx.get(status.link) for status in dut.status], ctx.get(dut.found)

    async def stimulus(ctx):
        assert links(ctx) == ([1, 1, 1], 0)
        await until_asked(ctx, bus, 3)
        assert links(ctx) == ([1, 1, 1], 0b011)
        assert ctx.get(dut.status[2].speed) is Speed.M1000
        phys[1].lose()
        phys[1].link = True  # back before anybody asks
        phys[0].lose()
        seen = []
        await until_asked(ctx, bus, 6, lambda: seen.append(ctx.get(dut.status[1].link)))
        assert links(ctx) == ([0, 1, 1], 0b011)
        assert [link for link, _ in itertools.groupby(seen)] == [1, 0, 1], "a link that was lost shortly"
        assert ctx.get(dut.status[0].speed) is Speed.M100
        phys[9] = Phy(negotiated(), link=False)
        await until_asked(ctx, bus, 6)
        assert links(ctx) == ([0, 1, 0], 0b111)

    simulate(dut, bus, stimulus)


@pytest.mark.parametrize("addresses", [(), (1, 1), (-1,), (32,)])
def test_addresses_that_cannot_be(addresses):
    with pytest.raises(ValueError, match="addresses of PHYs must be different numbers from 0 to 31"):
        LinkPoller(addresses, CLOCK)


def test_a_clock_that_is_too_slow():
    with pytest.raises(ValueError, match="clock must be at least 20 MHz"):
        MdioReader(1e6)
