"""A block whose clock stands still while nothing is in it.

For simulation: a model spends no time on a clock that does not tick. On an FPGA the block runs in the clock of the
rest, and does the same in every clock in which something is in it.
"""

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Signal

__all__ = ["put_to_sleep"]


def put_to_sleep(m, name, block, busy, clocks):
    """Add ``block`` to ``m`` in a clock of its own that ticks from ``busy`` until so many clocks after.

    ``busy`` comes from registers. What the block does on its own, without ``busy``, must be over by then. The enable
    is taken over by the falling edge, so that the clock has no glitch.
    """
    m.domains += [
        ClockDomain(name, local=True, reset_less=True),
        ClockDomain(f"{name}_fall", local=True, clk_edge="neg", reset_less=True),
    ]
    left = Signal(range(clocks + 1), name=f"{name}_left")
    awake = Signal(name=f"{name}_awake")
    with m.If(busy):
        m.d.sync += left.eq(clocks)
    with m.Elif(left != 0):
        m.d.sync += left.eq(left - 1)
    m.d[f"{name}_fall"] += awake.eq(busy | (left != 0))
    m.d.comb += [ClockSignal(f"{name}_fall").eq(ClockSignal()), ClockSignal(name).eq(ClockSignal() & awake)]
    m.submodules[name] = DomainRenamer(name)(block)
