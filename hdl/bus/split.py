"""Two sets of registers behind one bridge: the highest address bit says whose a register is."""

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.register_file import RegisterBus

__all__ = ["BusSplit"]


class BusSplit(wiring.Component):
    """The lower half of the addresses goes to ``low``, the upper half to ``high``.

    Ports: ``i``, ``low``, ``high``; both see the whole address. Latency: none beside theirs. Bad input: none.
    """

    def __init__(self):
        super().__init__({"i": In(RegisterBus()), "low": Out(RegisterBus()), "high": Out(RegisterBus())})

    def elaborate(self, platform):
        m = Module()
        upper = self.i.address[-1]
        for bus, chosen in ((self.low, ~upper), (self.high, upper)):
            m.d.comb += [
                bus.address.eq(self.i.address),
                bus.write_data.eq(self.i.write_data),
                bus.write.eq(self.i.write & chosen),
                bus.read.eq(self.i.read & chosen),
            ]
        m.d.comb += [
            self.i.read_valid.eq(self.low.read_valid | self.high.read_valid),
            self.i.read_data.eq(Mux(self.high.read_valid, self.high.read_data, self.low.read_data)),
        ]
        return m
