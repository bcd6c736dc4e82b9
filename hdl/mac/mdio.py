"""Link, speed and duplex asked of the PHYs over MDIO, for boards whose PHYs do not show them between frames.

Sources: IEEE Std 802.3-2022, 22.2.4.5 (management frames), 22.3.4 (their timing), 22.2.4.2 (register 1), 28.2.4.1
(registers 4 and 5), 28B.3 (which ability wins), 40.5.1.1 (registers 9 and 10).
"""

import enum
from math import ceil

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.mac.words import Speed, Status

__all__ = ["GIGABIT", "LinkPoller", "MdioReader", "MdioSignature"]

GIGABIT = Status.const({"link": 1, "speed": Speed.M1000, "duplex": 1})
"""What is believed of a PHY that nobody can ask."""

_HALF_PERIOD = 200e-9
"""Seconds; MDC may have 2.5 MHz at most."""

_PREAMBLE = 32
_START_AND_READ = 0b0110
_HEAD_BITS = 14
_TURNAROUND = _PREAMBLE + _HEAD_BITS
_ANSWER = _TURNAROUND + 1
"""In this bit, the second of the turnaround, a PHY that is there drives 0."""
_LAST = _ANSWER + 16
_FRAME = _LAST + 2
"""The last one is nobody's: a PHY may hold the line for 300 ns behind the edge that takes its last bit."""

_ADDRESSES = 32


class MdioSignature(wiring.Signature):
    """The pins, behind a buffer with three states: ``mdc``; ``o`` is driven while ``oe``; ``i``, pulled up."""

    def __init__(self):
        super().__init__({"mdc": Out(1), "o": Out(1, init=1), "oe": Out(1), "i": In(1, init=1)})


class MdioReader(wiring.Component):
    """Reads registers of PHYs, one after the other.

    Parameters: ``clock``, Hz of ``sync``, at least 20 MHz, so that the two flip-flops before ``i`` are quick enough.

    Ports: ``pins``; ``phy`` and ``register``, which stay until ``done``; ``done``, one clock: ``value`` is what was
    read, and ``answered`` says that there is a PHY. Then the next frame begins.

    Latency and throughput: 65 periods of MDC, which is as near to 2.5 MHz from below as ``clock`` allows. MDIO changes
    with MDC's falling edge, and is taken at its rising edge, when the PHY has had a whole period for 300 ns. Bad input:
    where nothing answers MDIO is pulled up: ``answered`` is low, ``value`` all ones.
    """

    def __init__(self, clock):
        if clock < 20e6:
            raise ValueError(f"clock must be at least 20 MHz, not {clock!r} Hz")
        self._half = ceil(clock * _HALF_PERIOD)
        super().__init__(
            {
                "pins": Out(MdioSignature()),
                "phy": In(5),
                "register": In(5),
                "done": Out(1),
                "answered": Out(1),
                "value": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        arrived = Signal(init=1)
        m.submodules.arrive = FFSynchronizer(self.pins.i, arrived, init=1)

        left = Signal(range(self._half), init=self._half - 1)
        place = Signal(range(_FRAME))
        m.d.sync += [self.done.eq(0), left.eq(left - 1)]
        with m.If(left == 0):
            m.d.sync += [left.eq(self._half - 1), self.pins.mdc.eq(~self.pins.mdc)]
            with m.If(~self.pins.mdc):
                self._take(m, arrived, place)
            with m.Else():
                self._give(m, place)
        return m

    def _take(self, m, arrived, place):
        """MDC's rising edge: the bit that is on the line."""
        with m.If(place <= _LAST):
            m.d.sync += self.value.eq(Cat(arrived, self.value))
        with m.If(place == _ANSWER):
            m.d.sync += self.answered.eq(~arrived)
        m.d.sync += self.done.eq(place == _LAST)

    def _give(self, m, place):
        """MDC's falling edge: the next bit, or the line to the PHY."""
        following = Mux(place == _FRAME - 1, 0, place + 1)
        head = Cat(self.register, self.phy, Const(_START_AND_READ, 4))
        m.d.sync += [place.eq(following), self.pins.o.eq(1), self.pins.oe.eq(following < _TURNAROUND)]
        with m.Switch(following):
            for bit in range(_HEAD_BITS):
                with m.Case(_PREAMBLE + bit):
                    m.d.sync += self.pins.o.eq(head[_HEAD_BITS - 1 - bit])


class _Register(enum.IntEnum):
    """Those that are read, in this order."""

    STATUS = 1
    GIGABIT_OURS = 9
    GIGABIT_PARTNERS = 10
    OURS = 4
    PARTNERS = 5


class LinkPoller(wiring.Component):
    """Asks PHYs in turn, for ever, whether they have a link and what was negotiated.

    Parameters: ``addresses`` of the PHYs on the bus; ``clock`` as of `MdioReader`.

    Ports: ``pins``; ``status`` of each; ``found``, a bit for each: it answers.

    The speed is the best that both sides say they can, so the PHYs must negotiate, as they do unless somebody tells
    them not to. A link that was lost since the PHY was last asked is seen once as lost (register 1 keeps it). A PHY
    that does not answer is taken for one of 1 Gb/s with a link, which the receive clock makes true or not. Latency:
    325 periods of MDC for each PHY: 135 us at 62.5 MHz.
    """

    def __init__(self, addresses, clock):
        addresses = tuple(addresses)
        if not addresses or len(set(addresses)) != len(addresses) or not set(addresses) <= set(range(_ADDRESSES)):
            raise ValueError(f"addresses of PHYs must be different numbers from 0 to 31, not {addresses!r}")
        self._addresses, self._clock = addresses, clock
        super().__init__(
            {
                "pins": Out(MdioSignature()),
                "status": Out(Status, init=GIGABIT).array(len(addresses)),
                "found": Out(len(addresses)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = MdioReader(self._clock)
        wiring.connect(m, reader.pins, wiring.flipped(self.pins))
        step, number = Signal(range(len(_Register))), Signal(range(len(self._addresses)))
        last_step, last = step == len(_Register) - 1, number == len(self._addresses) - 1
        with m.Switch(step):
            for place, register in enumerate(_Register):
                with m.Case(place):
                    m.d.comb += reader.register.eq(register)
        with m.Switch(number):
            for place, address in enumerate(self._addresses):
                with m.Case(place):
                    m.d.comb += reader.phy.eq(address)

        with m.If(reader.done):
            m.d.sync += step.eq(Mux(last_step, 0, step + 1))
            with m.If(last_step):
                m.d.sync += number.eq(Mux(last, 0, number + 1))
            self._judge(m, reader, step, number)
        return m

    def _judge(self, m, reader, step, number):
        """What a register says; with the last one, the status of the PHY."""
        heard, link = Signal(), Signal()
        gigabit, other = Signal(2), Signal(4)  # both: half duplex first; the other: 10 Mb/s, then 100 Mb/s
        value, both = reader.value, Signal(4)
        m.d.comb += both.eq(other & value[5:9])
        m.d.sync += heard.eq(heard & reader.answered)
        for place, register in enumerate(_Register):
            with m.If(step == place):
                match register:
                    case _Register.STATUS:
                        m.d.sync += [heard.eq(reader.answered), link.eq(value[2])]
                    case _Register.GIGABIT_OURS:
                        m.d.sync += gigabit.eq(value[8:10])
                    case _Register.GIGABIT_PARTNERS:
                        m.d.sync += gigabit.eq(gigabit & value[10:12])
                    case _Register.OURS:
                        m.d.sync += other.eq(value[5:9])

        found = Signal(Status)
        m.d.comb += found.link.eq(link)
        with m.If(gigabit.any()):
            m.d.comb += [found.speed.eq(Speed.M1000), found.duplex.eq(gigabit[1])]
        with m.Elif(both[2:].any()):
            m.d.comb += [found.speed.eq(Speed.M100), found.duplex.eq(both[3])]
        with m.Else():
            m.d.comb += [found.speed.eq(Speed.M10), found.duplex.eq(both[1])]
        for place in range(len(self._addresses)):
            with m.If((step == len(_Register) - 1) & (number == place)):
                answered = heard & reader.answered
                m.d.sync += self.found[place].eq(answered)
                m.d.sync += self.status[place].eq(Mux(answered, found.as_value(), GIGABIT.as_value()))
