"""Timing shell: any component with flip-flops around it and four pins, so that it can be placed and routed alone."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal

__all__ = ["TimingShell", "flat_ports"]

_FOLD = 4
"""Outputs XORed per stage: one LUT, so the shell is never the slowest path."""


def flat_ports(component):
    """(inputs, outputs) of a component as lists of values; fixed (constant) members left out."""
    inputs, outputs = [], []
    for path, member, value in component.signature.flatten(component):
        del path
        signal = value.as_value() if hasattr(value, "as_value") else value
        if not isinstance(signal, Signal):
            continue
        (outputs if member.flow.name == "Out" else inputs).append(signal)
    return inputs, outputs


class TimingShell(Elaboratable):
    """``core`` behind a shift register (all its inputs) and a registered XOR tree (all its outputs).

    Pins: ``clk``, ``rst``, ``serial_in``, ``serial_out``. Nothing of the core can be optimised away, and every path
    of it lies between flip-flops.
    """

    def __init__(self, core):
        self._core = core
        self.clk, self.rst, self.serial_in, self.serial_out = (
            Signal(name=name) for name in ("clk", "rst", "serial_in", "serial_out")
        )

    @property
    def ports(self):
        return [self.clk, self.rst, self.serial_in, self.serial_out]

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.d.comb += ClockSignal().eq(self.clk)
        reset = Signal(2)
        m.d.sync += reset.eq(Cat(self.rst, reset))
        m.submodules.core = self._core
        m.d.comb += ResetSignal().eq(reset[1])
        inputs, outputs = flat_ports(self._core)

        chain = Signal(sum(len(signal) for signal in inputs), reset_less=True)
        m.d.sync += chain.eq(Cat(self.serial_in, chain))
        m.d.comb += Cat(inputs).eq(chain)

        level = Cat(outputs)
        while len(level) > 1:
            held = Signal(len(level), reset_less=True)
            m.d.sync += held.eq(level)
            level = Cat(held[start : start + _FOLD].xor() for start in range(0, len(held), _FOLD))
        m.d.sync += self.serial_out.eq(level)
        return m
