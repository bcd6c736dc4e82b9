"""Claims about the egress, from section 10 of the law and the component's docstring."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Mux, Signal, Value

from halfsilver.hdl.layout.frames import WIRE_OVERHEAD
from halfsilver.sim.formal.changed import Fault, Parts
from halfsilver.sim.formal.claims import Claim, Model, Setup
from halfsilver.sim.formal.monitors import Frames, Tracker, changes, lets_go, overdue

__all__ = ["SETUPS"]

DEPTH = 3
"""Of the FIFO, where its size is not what the claim is about."""

_DEPTH = "self._depth = -(-(longest_copy + 2 * WIRE_OVERHEAD) * 8 // width) + Fifo.LATENCY"
_CHOICE = "self.o_copy.eq(Mux(begun, begun_copy, ~production.o.valid))"


def _order(parts: Parts) -> Model:
    """Small: 8 bits and a short FIFO, any inputs at all."""
    model = Model()
    m = model.m
    egress = parts("egress").Egress
    m.submodules.dut = dut = egress(8, 1)
    model.offers(dut.i, "i")
    model.offers(dut.i_copy, "i_copy")
    model.takes(dut.o, "o")
    out = dut.o.valid & dut.o.ready
    o = Value.cast(dut.o.payload)
    mark = model.free(1, "mark")
    model.bad("lets_go", lets_go(m, "o", dut.o, dut.o_copy))
    frames = Frames(m, "o", dut.o)
    model.bad("mixed", changes(m, "o_copy", frames, dut.o_copy))
    fifo, skid = parts("stream.fifo").Fifo.LATENCY, parts("stream.skid_buffer").SkidBuffer.LATENCY
    late: dict[str, Any] = {}
    for name, stream, of, room, clocks in (
        ("production", dut.i, ~dut.o_copy, DEPTH + 1, fifo),
        ("copy", dut.i_copy, dut.o_copy, 2, skid),
    ):
        into = stream.valid & stream.ready
        track = Tracker(m, name, into, stream.payload, out & of, o, room, mark)
        model.bad(f"{name}_from_nothing", track.from_nothing)
        model.bad(f"{name}_too_many", track.too_many)
        for bit, wrong in enumerate(track.changed):
            model.bad(f"{name}_changed_{bit}", wrong)
        late[name] = overdue(m, name, into, out & of, clocks, room)
    copy_now = Signal()  # the frame that has begun is a copy
    with m.If(dut.o.valid):
        m.d.sync += copy_now.eq(dut.o_copy)
    model.bad("copy_first", frames.starts & dut.o_copy & late["production"])
    held_by_copy = frames.within & copy_now
    model.bad("production_late", late["production"] & ~held_by_copy & ~(dut.o.valid & ~dut.o_copy))
    held_by_production = (frames.within & ~copy_now) | (dut.o.valid & ~dut.o_copy)
    model.bad("copy_late", late["copy"] & ~held_by_production & ~(dut.o.valid & dut.o_copy))
    return model


def _whole(name: str) -> tuple[str, ...]:
    bits = 8 + 1 + 3
    return (f"{name}_from_nothing", f"{name}_too_many", *(f"{name}_changed_{bit}" for bit in range(bits)))


WIDTH, LONGEST = 64, 16
GAP = WIRE_OVERHEAD * 8 // WIDTH


def _room(parts: Parts) -> Model:
    """At the FIFO's real depth: Ethernet on both sides, with its gap behind every frame, and copies without gaps."""
    model = Model()
    m = model.m
    egress = parts("egress").Egress
    m.submodules.dut = dut = egress(WIDTH, LONGEST)
    model.offers(dut.i, "i")
    model.offers(dut.i_copy, "i_copy")
    model.takes(dut.o, "o")
    # A gap behind each production frame. The receiver waits behind a frame as long as such a gap, never within one.
    since = Signal(range(GAP + 1), init=GAP)  # clocks since a production frame's end
    with m.If(dut.i.valid & dut.i.ready & dut.i.p.last):
        m.d.sync += since.eq(0)
    with m.Elif(since != GAP):
        m.d.sync += since.eq(since + 1)
    model.assume((since == GAP) | ~dut.i.valid)
    may_wait = Signal(range(GAP + 1))
    with m.If(dut.o.ready):
        m.d.sync += may_wait.eq(Mux(dut.o.valid & dut.o.p.last, GAP, 0))
    with m.Else():
        m.d.sync += may_wait.eq(may_wait - 1)
    model.assume((may_wait != 0) | dut.o.ready)
    beats = LONGEST * 8 // WIDTH
    beat = Signal(range(beats))
    with m.If(dut.i_copy.valid & dut.i_copy.ready):
        m.d.sync += beat.eq(Mux(dut.i_copy.p.last, 0, beat + 1))
    model.assume((beat == 0) | dut.i_copy.valid)
    model.assume((beat != beats - 1) | dut.i_copy.p.last)
    model.bad("refused", ~dut.i.ready)
    return model


SETUPS = (
    Setup(
        "Egress",
        f"8 bits, FIFO depth {DEPTH}",
        _order,
        (
            Claim(
                "holds valid, payload and o_copy until taken",
                ("lets_go",),
                Fault("egress", "with m.If(self.o.valid):", "with m.If(self.o.valid & self.o.ready):"),
                seconds=60,
                quick=True,
            ),
            Claim(
                "never interleaves: a frame is a copy from its first beat to its last, or never",
                ("mixed",),
                Fault("egress", "begun.eq(~(self.o.ready & self.o.p.last))", "begun.eq(~self.o.ready)"),
                seconds=60,
                quick=True,
            ),
            Claim(
                "no copy starts while production is at the FIFO's output",
                ("copy_first",),
                Fault("egress", _CHOICE, "self.o_copy.eq(Mux(begun, begun_copy, copies.o.valid))"),
                seconds=60,
                quick=True,
            ),
            Claim(
                "production: order, no loss, nothing twice, every bit of each beat",
                _whole("production"),
                Fault(
                    "egress",
                    "production.o.ready.eq(~self.o_copy & self.o.ready)",
                    "production.o.ready.eq(self.o.ready)",
                ),
                seconds=60,
            ),
            Claim(
                "copies: order, no loss, nothing twice, every bit of each beat",
                _whole("copy"),
                Fault("egress", "copies.o.ready.eq(self.o_copy & self.o.ready)", "copies.o.ready.eq(self.o.ready)"),
                seconds=60,
            ),
            Claim(
                "production waits longer than LATENCY only for a copy that has begun",
                ("production_late",),
                Fault("egress", _CHOICE, "self.o_copy.eq(Mux(begun, begun_copy, ~production.o.valid | begun_copy))"),
                seconds=60,
            ),
            Claim(
                "copies wait longer than the skid buffer's latency only for production",
                ("copy_late",),
                Fault("egress", "Mux(self.o_copy, copies.o.valid,", "Mux(self.o_copy, copies.o.valid & begun,"),
                seconds=60,
            ),
        ),
        (Fault("egress", _DEPTH, f"self._depth = {DEPTH}"),),
    ),
    Setup(
        "Egress, its FIFO",
        f"{WIDTH} bits, copies of {LONGEST} bytes",
        _room,
        (
            Claim(
                "copies never make i.ready fall",
                ("refused",),
                Fault("egress", "2 * WIRE_OVERHEAD", "WIRE_OVERHEAD"),
                clocks=20,
                quick=True,
                induction=0,
            ),
        ),
    ),
)
