"""State of the link in the core's clock, and how it gets where it is needed."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.mac.words import Speed, Status

__all__ = ["CLOCK_DIVIDER", "LinkStatus", "Settled"]

CLOCK_DIVIDER = 16
"""Clocks of the receive clock from one change of the beat that shows it is there to the next."""

_SETTLE_CLOCKS = 8

_BEATS = 4
"""Changes of the beat that show a clock: what the PHY says between frames has come anew by then, and one change is
what a reset makes of a beat that stands at 1."""


class Settled(wiring.Component):
    """A few bits that seldom change, from another clock: what was the same for 8 clocks is taken.

    Ports: ``i`` (any clock, from flip-flops), ``o``. Bits of ``i`` may arrive a clock apart from each other: each has
    its FFSynchronizer, and what they show while they change does not last. A value that stays for less than 10
    clocks may be missed. Latency: 11 clocks.
    """

    def __init__(self, width, init=0):
        self._init = init
        super().__init__({"i": In(width), "o": Out(width, init=init)})

    def elaborate(self, platform):
        m = Module()
        arrived, before = Signal.like(self.i, init=self._init), Signal.like(self.i, init=self._init)
        clocks = Signal(range(_SETTLE_CLOCKS))
        m.submodules.arrive = FFSynchronizer(self.i, arrived, init=self._init)
        m.d.sync += before.eq(arrived)
        with m.If(arrived != before):
            m.d.sync += clocks.eq(0)
        with m.Elif(clocks != _SETTLE_CLOCKS - 1):
            m.d.sync += clocks.eq(clocks + 1)
        with m.Else():
            m.d.sync += self.o.eq(before)
        return m


class LinkStatus(wiring.Component):
    """Link, speed and duplex, from the PHY's in-band status or, if ``manual``, from who knows them otherwise.

    Ports: ``inband`` (4 bits, receive clock), ``beat`` (receive clock; changes each `CLOCK_DIVIDER` clocks), ``manual``
    and ``manual_status``, ``status``, ``clock``: the receive clock is running; ``lost``: high in one clock, when a
    receive clock is given up.

    There is no link without a receive clock. Speed and duplex stay as they were while there is no link; at first
    they are 1 Gb/s, full. The speed 3, which RGMII reserves, is no link. A clock runs from the fourth change of
    ``beat`` on, and is given up when there was none for ``clocks``, which must be more than `CLOCK_DIVIDER` clocks of
    2.5 MHz.
    """

    def __init__(self, clocks):
        self._clocks = clocks
        super().__init__(
            {
                "inband": In(4),
                "beat": In(1),
                "manual": In(1),
                "manual_status": In(Status),
                "status": Out(Status, init={"speed": Speed.M1000, "duplex": 1}),
                "clock": Out(1),
                "lost": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.settled = settled = Settled(4)
        m.d.comb += settled.i.eq(self.inband)

        beat, before = Signal(), Signal()
        m.submodules.beat = FFSynchronizer(self.beat, beat)
        left, beats = Signal(range(self._clocks)), Signal(range(_BEATS + 1))
        m.d.comb += self.clock.eq(beats == _BEATS)
        m.d.sync += [before.eq(beat), self.lost.eq((beat == before) & (left == 1))]
        with m.If(beat != before):
            m.d.sync += [left.eq(self._clocks - 1), beats.eq(beats + ~self.clock)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.Else():
            m.d.sync += beats.eq(0)

        chosen = Signal(Status)
        m.d.comb += Value.cast(chosen).eq(Mux(self.manual, self.manual_status.as_value(), settled.o))
        link = chosen.link & self.clock & (chosen.as_value()[1:3] != 3)
        m.d.sync += self.status.link.eq(link)
        with m.If(link):
            m.d.sync += [self.status.speed.eq(chosen.speed), self.status.duplex.eq(chosen.duplex)]
        return m
