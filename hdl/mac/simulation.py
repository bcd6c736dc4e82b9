"""I/O cells for simulators: what DDR cells do, with flip-flops at both edges and a multiplexer."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.pipeline import delay

__all__ = ["SimulationCells"]


class _Capture(wiring.Component):
    """Pins -> both halves. Latency: 1 clock from the rising edge to ``o``."""

    def __init__(self, width):
        super().__init__({"i": In(width), "o": Out(2 * width)})

    def elaborate(self, platform):
        m = Module()
        m.domains.fall = ClockDomain(clk_edge="neg", reset_less=True, local=True)
        m.d.comb += ClockSignal("fall").eq(ClockSignal())
        # As in the cells: a reset does not make a frame under way look like a gap.
        rising, falling = Signal.like(self.i, reset_less=True), Signal.like(self.i, reset_less=True)
        both = Signal.like(self.o, reset_less=True)
        m.d.fall += falling.eq(self.i)
        m.d.sync += [rising.eq(self.i), both.eq(Cat(rising, falling))]
        m.d.comb += self.o.eq(both)
        return m


class _Launch(wiring.Component):
    """Both halves -> pins. Latency: 1 clock and ``stages``."""

    def __init__(self, width, stages=0):
        self._stages = stages
        super().__init__({"i": In(2 * width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        halves = delay(m, self.i, 1 + self._stages, "halves")
        m.d.comb += self.o.eq(Mux(ClockSignal(), halves[: len(self.o)], halves[len(self.o) :]))
        return m


class SimulationCells:
    """The cells of one port. Nothing is delayed: the bench shifts the receive clock, as a board or PHY does.

    ``clock_domain`` launches the transmit clock: the domain ``tx`` of the MAC, or one of the design above it with the
    same clock less than half a period later, which shifts the pin.
    """

    def __init__(self, clock_domain="tx"):
        self.clock_domain = clock_domain

    def receive(self, width):
        """A component with ``i``, the pins, and ``o``: rising edge in the low half, falling edge in the high half."""
        return _Capture(width)

    def transmit(self, width, *, clock=False):
        """A component with ``i``, both halves, and ``o``, the pins; ``clock``: for the pin of the clock."""
        # The later clock would launch what the other one takes only in its next clock.
        return _Launch(width, stages=int(clock and self.clock_domain != "tx"))
