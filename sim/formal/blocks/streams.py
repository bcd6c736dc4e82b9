"""Claims about the buffers of `halfsilver.hdl.stream`, from their docstrings and the packet stream's rules."""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Signal

from halfsilver.sim.formal.changed import Fault, Parts
from halfsilver.sim.formal.claims import Claim, Model, Setup
from halfsilver.sim.formal.monitors import Tracker, lets_go, overdue

__all__ = ["SETUPS"]

BITS = 2
"""Of an entry: one bit is like another."""

BEYOND = {"fifo": 1, "skid_buffer": 2}
"""Entries that fit beside those of the depth."""


def _build(module: str, name: str, depth: int, parts: Parts) -> Model:
    model = Model()
    m = model.m
    block = getattr(parts(f"stream.{module}"), name)
    m.submodules.dut = dut = block(BITS, depth) if depth else block(BITS)
    model.offers(dut.i, "i")
    model.takes(dut.o, "o")
    into, out = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
    room = depth + BEYOND[module]
    mark = model.free(1, "mark")
    track = Tracker(m, "entry", into, dut.i.payload, out, dut.o.payload, room, mark)
    model.bad("lets_go", lets_go(m, "o", dut.o))
    model.bad("from_nothing", track.from_nothing)
    model.bad("too_many", track.too_many)
    for bit, changed in enumerate(track.changed):
        model.bad(f"changed_{bit}", changed)
    model.bad("late", overdue(m, "entry", into, out, dut.LATENCY, room) & ~dut.o.valid)
    # Nothing has moved for as long as it takes to the output: then there must be room.
    still = Signal(range(dut.LATENCY + 1))
    with m.If(into | out):
        m.d.sync += still.eq(0)
    with m.Elif(still != dut.LATENCY):
        m.d.sync += still.eq(still + 1)
    model.bad("refused", (still == dut.LATENCY) & (track.inside < room) & ~dut.i.ready)
    stalled = Signal()  # the receiver has ever waited
    with m.If(~dut.o.ready):
        m.d.sync += stalled.eq(1)
    model.bad("slow", ~stalled & dut.o.ready & ~dut.i.ready)
    return model


def _setup(module: str, name: str, depth: int, faults: dict[str, tuple[str, str]]) -> Setup:
    """``faults`` by what is claimed, and only that is."""
    order = ("from_nothing", "too_many", *(f"changed_{bit}" for bit in range(BITS)))
    claims = {
        "holds": ("holds valid and payload until taken", ("lets_go",)),
        "order": ("order, no loss, nothing twice", order),
        "latency": ("latency as stated", ("late",)),
        "room": ("takes as many as stated", ("refused",)),
        "throughput": ("one entry per clock", ("slow",)),
    }
    return Setup(
        name,
        f"{BITS} bits" + f", depth {depth}" * bool(depth),
        partial(_build, module, name, depth),
        tuple(
            Claim(*claims[key], Fault(f"stream.{module}", *fault), seconds=60, quick=key in ("holds", "order"))
            for key, fault in faults.items()
        ),
    )


_FIFO_FAULTS = {
    "holds": ("load = ~self.o.valid | self.o.ready", "load = ~self.o.valid | shown"),
    "order": ("write.en.eq(room)", "write.en.eq(1)"),
    "latency": ("load = ~self.o.valid | self.o.ready", "load = self.o.ready | (~self.o.valid & ~room)"),
    "room": ("((count == places - 1) & writes)", "(count == places - 1)"),
    "throughput": ("room.eq(reads | ", "room.eq("),
}

SETUPS = (
    _setup(
        "skid_buffer",
        "SkidBuffer",
        0,
        {
            "holds": (
                "with m.If(~self.o.valid | self.o.ready):",
                "with m.If(~self.o.valid | self.o.ready | spare_used):",
            ),
            "order": ("self.i.ready.eq(~spare_used)", "self.i.ready.eq(1)"),
            "latency": ("self.o.valid.eq(self.i.valid | spare_used)", "self.o.valid.eq(spare_used)"),
            "room": ("self.i.ready.eq(~spare_used)", "self.i.ready.eq(~spare_used & ~self.o.valid)"),
            "throughput": ("self.i.ready.eq(~spare_used)", "self.i.ready.eq(~self.o.valid)"),
        },
    ),
    _setup("fifo", "Fifo", 3, _FIFO_FAULTS),
    _setup("fifo", "Fifo", 2, {claim: fault for claim, fault in _FIFO_FAULTS.items() if claim != "throughput"}),
)
