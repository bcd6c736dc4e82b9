"""Claims about the blocks of which the counters are made, from section 9 of the law and their docstrings.

Each is about one counter, whichever a free input names, and what has come to it.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Signal

from halfsilver.sim.formal.changed import Fault, Parts
from halfsilver.sim.formal.claims import Claim, Model, Setup
from halfsilver.sim.formal.monitors import earlier, once

__all__ = ["OCTETS", "SETUPS"]

OCTETS = Fault("counting.lane", "OCTET_BITS = 16", "OCTET_BITS = 1")
"""Bytes of a record: so few are added as many are."""

COUNTER_BITS = 2


def _lane(parts: Parts) -> Model:
    """A lane, and what is expected of one of its sums. From the first time that it is cleared on, as memories keep what
    they have when a reset comes.
    """
    model = Model()
    m = model.m
    m.submodules.dut = dut = parts("counting.lane").Lane(1, 1, FRAME_BITS)
    for name in ("valid", "bank", "index", "octets", "empty", "empty_bank", "empty_index", "clear", "clear_index"):
        port = getattr(dut, name)
        m.d.comb += port.eq(model.free(len(port), name))
    bank, index = model.constant(1, "its_bank"), model.constant(1, "its_index")
    to_bank = Signal()
    m.d.comb += to_bank.eq(dut.valid & (dut.bank == bank))
    on_the_way = Cat(earlier(m, f"record_{clock}", to_bank, clock) for clock in range(dut.SETTLE_CLOCKS)).any()
    emptied = dut.empty & (dut.empty_bank == bank)
    cleared = dut.clear.bit_select(bank, 1)
    model.assume(~on_the_way | (~emptied & ~cleared))
    expected, known = Signal.like(dut.o), Signal()
    with m.If(cleared & (dut.clear_index == index)):
        m.d.sync += [expected.eq(0), known.eq(1)]
    with m.Elif(to_bank & (dut.index == index)):
        m.d.sync += [expected.frames.eq(expected.frames + 1), expected.octets.eq(expected.octets + dut.octets)]
    asked = known & emptied & (dut.empty_index == index)
    shown = earlier(m, "asked", asked, dut.EMPTY_CLOCKS)
    model.assume(~shown | (dut.empty_bank == bank))
    for name in ("frames", "octets"):
        wanted = earlier(m, f"wanted_{name}", expected[name], dut.EMPTY_CLOCKS)
        for bit, (got, right) in enumerate(zip(dut.o[name], wanted, strict=True)):
            model.bad(f"{name}_{bit}", shown & (got != right))
    return model


FRAME_BITS = 2


def _totals(parts: Parts) -> Model:
    """Totals of two rows, one of them followed."""
    model = Model()
    m = model.m
    m.submodules.dut = dut = parts("counting.totals").Totals(1, 1)
    for name in ("add", "row", "snapshot", "clear", "read_row"):
        m.d.comb += getattr(dut, name).eq(model.free(1, name))
    m.d.comb += dut.increment.eq(model.free(len(dut.increment.as_value()), "increment"))
    row = model.constant(1, "its_row")
    hit = dut.add & (dut.row == row)
    again = Cat(earlier(m, f"hit_{clock}", hit, clock) for clock in range(1, dut.WRITE_CLOCKS)).any()
    clearing = Signal(init=1)
    m.d.sync += clearing.eq(clearing & dut.clear)
    model.assume(~(hit & again) & (~dut.clear | (clearing & ~dut.add)))
    known = Signal()
    with m.If(dut.clear & (dut.row == row)):
        m.d.sync += known.eq(1)
    added = earlier(m, "added", hit, dut.ADD_CLOCKS)
    settle = dut.WRITE_CLOCKS - dut.ADD_CLOCKS + dut.READ_CLOCKS
    asked = earlier(m, "asked", known & (dut.read_row == row), dut.READ_CLOCKS)
    for name, got in (("frames", dut.frames), ("octets", dut.octets)):
        expected, kept = Signal(COUNTER_BITS, name=f"expected_{name}"), Signal(COUNTER_BITS, name=f"kept_{name}")
        total = (expected + dut.increment[name])[:COUNTER_BITS]
        with m.If(added):
            m.d.sync += expected.eq(total)
            with m.If(dut.snapshot):
                m.d.sync += kept.eq(total)
        wanted = earlier(m, f"wanted_{name}", kept, settle)
        for bit in range(COUNTER_BITS):
            model.bad(f"{name}_{bit}", asked & (got[bit] != wanted[bit]))
    return model


UNDER_WAY_BITS = 3


def _cut(parts: Parts) -> Model:
    """A cut, and one frame, whichever a free input marks; frames leave in the order in which they entered."""
    model = Model()
    m = model.m
    m.submodules.dut = dut = parts("counting.cut").Cut(UNDER_WAY_BITS)
    for name in ("entered", "left", "arm"):
        m.d.comb += getattr(dut, name).eq(model.free(1, name))
    inside, ahead, flying = Signal(UNDER_WAY_BITS), Signal(UNDER_WAY_BITS), Signal()
    m.d.sync += inside.eq(inside + dut.entered - dut.left)
    model.assume((inside != (1 << UNDER_WAY_BITS) - 1) | ~dut.entered)
    model.assume((inside != 0) | ~dut.left)
    model.assume(~dut.arm | ~dut.waiting)
    enters = once(m, "marked", model.free(1, "mark") & dut.entered)
    leaves = flying & dut.left & (ahead == 0)
    with m.If(enters):
        m.d.sync += [flying.eq(1), ahead.eq(inside - dut.left)]
    with m.Elif(flying & dut.left):
        m.d.sync += [flying.eq(ahead != 0), ahead.eq(ahead - 1)]
    armed, ours = Signal(), Signal()  # the cut is to come; the marked frame is the snapshot's
    with m.If(dut.arm):
        m.d.sync += [armed.eq(1), ours.eq((flying & ~leaves) | enters)]
    with m.Elif(dut.cut):
        m.d.sync += armed.eq(0)
    model.bad("early", dut.cut & flying & ours & armed)
    model.bad("late", leaves & ~ours & armed & ~dut.cut)
    model.bad("unasked", (dut.cut & ~armed) | (dut.waiting != armed))
    return model


def _bits(**names: int) -> tuple[str, ...]:
    return tuple(f"{name}_{bit}" for name, bits in names.items() for bit in range(bits))


SETUPS = (
    Setup(
        "Lane",
        f"2 banks of 2 sums, frames of {FRAME_BITS} bits, bytes of {FRAME_BITS + 1}, records of 1 byte at most",
        _lane,
        (
            Claim(
                "a sum is of all records since it was cleared, each once, as far as its bits go",
                _bits(frames=FRAME_BITS, octets=FRAME_BITS + 1),
                Fault("counting.lane", "_JOIN = _WRITE - _READ", "_JOIN = _WRITE - _READ - 1"),
                clocks=24,
                induction=0,
            ),
        ),
        (OCTETS,),
    ),
    Setup(
        "Totals",
        f"2 rows, totals of {COUNTER_BITS} bits",
        _totals,
        (
            Claim(
                "a row of the snapshot is the sum of all increments up to its last one that is the snapshot's",
                _bits(frames=COUNTER_BITS, octets=COUNTER_BITS),
                Fault("counting.totals", "(high + low[_HALF])", "high"),
                clocks=24,
                seconds=120,
                quick=True,
            ),
        ),
        (
            Fault("counting.lane", "OCTET_BITS = 16", "OCTET_BITS = 0"),
            Fault(
                "counting.totals",
                "from halfsilver.hdl.layout.counters import COUNTER_BITS",
                f"COUNTER_BITS = {COUNTER_BITS}",
            ),
        ),
    ),
    Setup(
        "Cut",
        f"counts of {UNDER_WAY_BITS} bits",
        _cut,
        (
            Claim(
                "every frame in at the snapshot's instant leaves before the cut, and none that comes later",
                ("early", "late"),
                Fault("counting.cut", "inside + self.entered == 1", "inside == 1"),
                seconds=60,
                quick=True,
            ),
            Claim(
                "one cut for each snapshot",
                ("unasked",),
                Fault("counting.cut", "counting_down & self.left & (ours == 1)", "counting_down & (ours == 1)"),
                seconds=60,
                quick=True,
            ),
        ),
    ),
)
