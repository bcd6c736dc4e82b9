"""One bridge before two sets of registers: each access reaches one of them, each answer comes back."""

import random

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from halfsilver.hdl.bus.register_file import RegisterFile
from halfsilver.hdl.bus.split import BusSplit
from halfsilver.hdl.layout.register_map import Access, Field, Register, RegisterMap


def registers(name, base):
    """Four to read and write, 4 bytes apart."""
    field = [Field("value", 31, 0, "a number")]
    return RegisterMap(
        name, "some", [Register(f"R{number}", base + 4 * number, Access.RW, "one", field) for number in range(4)]
    )


def test_each_half_has_its_own():
    m = Module()
    m.submodules.split = split = BusSplit()
    m.submodules.low = low = RegisterFile(registers("low", 0))
    m.submodules.high = high = RegisterFile(registers("high", 0x800))
    wiring.connect(m, split.low, low.bus)
    wiring.connect(m, split.high, high.bus)
    bus, source, known = split.i, random.Random(1), {}

    async def bench(ctx):
        for _ in range(200):
            address = source.choice((0, 0x800)) + 4 * source.randrange(5)
            ctx.set(bus.address, address)
            if source.random() < 0.5:
                word = source.getrandbits(32)
                known[address] = word if address & 0x7FF < 16 else 0
                ctx.set(bus.write_data, word)
                ctx.set(bus.write, 1)
                await ctx.tick()
                ctx.set(bus.write, 0)
                continue
            ctx.set(bus.read, 1)
            await ctx.tick()
            ctx.set(bus.read, 0)
            ctx.set(bus.address, source.getrandbits(12))  # counts in the clock of the read alone
            clocks = 1
            while not ctx.get(bus.read_valid):
                await ctx.tick()
                clocks += 1
            assert (ctx.get(bus.read_data), clocks) == (known.get(address, 0), 2), f"{address:#x}"
            await ctx.tick()
            assert not ctx.get(bus.read_valid)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(known) == 10
