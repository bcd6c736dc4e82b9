"""Between GMII octets and both edges of RGMII's clock, at three speeds; the cells at the pins are per FPGA family."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.mac.words import GmiiSignature, Speed

__all__ = ["RgmiiReceiver", "RgmiiTransmitter"]

_STEADY = 3
"""In-band status counts when it was the same for one clock more."""

_NIBBLE_CLOCKS = {Speed.M100: 5, Speed.M10: 50}
"""Clocks of 125 MHz for a nibble."""


class RgmiiReceiver(wiring.Component):
    """What was sampled at both edges of the receive clock -> GMII.

    Ports: ``data`` and ``ctl``, low half from the rising edge, high half from the falling edge behind it; ``gigabit``:
    an octet per clock instead of a nibble; ``gmii``; ``inband``: link, speed (2 bits), duplex as the PHY shows them
    between frames, when they were the same for four clocks.

    At 10 and 100 Mb/s nibbles are paired by the SFD, so that a preamble of any number of nibbles is right; an odd
    nibble at the end is dropped. ``gigabit`` takes effect between frames. Latency: 1 clock.
    Source: RGMII 2.0, sections 3.1 to 3.4.
    """

    def __init__(self):
        super().__init__(
            {"data": In(8), "ctl": In(2), "gigabit": In(1), "gmii": Out(GmiiSignature()), "inband": Out(4)}
        )

    def elaborate(self, platform):
        m = Module()
        valid, error, low = self.ctl[0], self.ctl[0] ^ self.ctl[1], self.data[:4]
        gigabit, second, aligned = Signal(), Signal(), Signal()
        nibble, nibble_error = Signal(4), Signal()
        delimiter = ~aligned & (nibble == 0x5) & (low == 0xD)

        m.d.sync += [self.gmii.valid.eq(valid), self.gmii.data.eq(Mux(gigabit, self.data, Cat(nibble, low)))]
        m.d.sync += self.gmii.error.eq(valid & (error | ~gigabit & nibble_error))
        with m.If(~valid):
            m.d.sync += [self.gmii.en.eq(1), gigabit.eq(self.gigabit), second.eq(0), aligned.eq(0), nibble.eq(0)]
            m.d.sync += nibble_error.eq(0)
        with m.Else():
            ends = second | delimiter
            m.d.sync += [self.gmii.en.eq(gigabit | ends), second.eq(~ends), nibble.eq(low)]
            m.d.sync += [nibble_error.eq(error & ~ends), aligned.eq(aligned | delimiter)]

        before, steady = Signal(4), Signal(range(_STEADY + 1))
        with m.If(self.ctl == 0):
            m.d.sync += [before.eq(low), steady.eq(Mux(before != low, 0, steady + (steady != _STEADY)))]
            with m.If((before == low) & (steady == _STEADY)):
                m.d.sync += self.inband.eq(low)
        with m.Else():
            m.d.sync += steady.eq(0)
        return m


class RgmiiTransmitter(wiring.Component):
    """GMII -> what the two halves of a clock of 125 MHz are to be, data, control and clock.

    Ports: ``gmii``, and ``take``: it is replaced in the next clock; ``idle``: ``speed`` may change; ``data``, ``ctl``,
    ``clock``: low half for the half that begins with the rising edge.

    The edges of the clock are those of the data: cell, board or PHY must shift it. At 10 and 100 Mb/s a nibble
    takes 50 and 5 clocks, the clock being high in its first half. Latency: 1 clock.
    Source: RGMII 2.0, sections 3.1 and 3.3.
    """

    def __init__(self):
        super().__init__(
            {
                "gmii": In(GmiiSignature()),
                "take": Out(1),
                "idle": In(1),
                "speed": In(Speed),
                "data": Out(8),
                "ctl": Out(2),
                "clock": Out(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        speed, gigabit = Signal(Speed, init=Speed.M1000), Signal(init=1)
        tick = Signal(range(max(_NIBBLE_CLOCKS.values())))
        ends_next, ends, second = Signal(), Signal(), Signal()  # a nibble; it is the octet's second
        halves = Signal(2)  # of the clock
        for each, clocks in _NIBBLE_CLOCKS.items():
            with m.If(speed == each):
                m.d.comb += ends_next.eq(tick == clocks - 2)
                # In the odd clock in the middle of 5 the two halves differ.
                m.d.comb += halves.eq(Cat(tick < (clocks + 1) // 2, tick < clocks // 2))
        with m.If(gigabit):
            m.d.comb += halves.eq(0b01)

        m.d.sync += [ends.eq(ends_next), self.take.eq(gigabit | ends_next & second), tick.eq(tick + 1)]
        with m.If(ends | gigabit):
            m.d.sync += [tick.eq(0), second.eq(~second & ~gigabit)]
        with m.If(self.idle & self.take & (self.speed != speed)):
            becomes_gigabit = self.speed == Speed.M1000
            m.d.sync += [speed.eq(self.speed), gigabit.eq(becomes_gigabit), self.take.eq(becomes_gigabit)]
            m.d.sync += [ends.eq(0), tick.eq(0), second.eq(0)]

        nibble = Mux(second, self.gmii.data[4:], self.gmii.data[:4])
        m.d.sync += [
            self.data.eq(Mux(gigabit, self.gmii.data, Cat(nibble, nibble))),
            self.ctl.eq(Cat(self.gmii.valid ^ (self.gmii.error & ~half) for half in halves)),
            self.clock.eq(halves),
        ]
        return m
