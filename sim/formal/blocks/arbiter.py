"""Claims about the copy arbiter, from its docstring."""

from __future__ import annotations

from types import SimpleNamespace

from amaranth.hdl import Mux, Signal, Value

from halfsilver.sim.formal.changed import Fault, Parts
from halfsilver.sim.formal.claims import Claim, Model, Setup
from halfsilver.sim.formal.monitors import Frames, Tracker, changes, lets_go

__all__ = ["SETUPS"]

WIDTH = 8
AHEAD = 4
"""Copies that may be announced ahead of their bytes."""


def _build(parts: Parts) -> Model:
    """Both inputs keep to the streams' rules; descriptors and bytes say which direction they are of."""
    model = Model()
    m = model.m
    m.submodules.dut = dut = parts("copy_arbiter").CopyArbiter(SimpleNamespace(width=WIDTH, receiver_bits=0))
    directions = ((dut.i_copy_0, dut.i_data_0), (dut.i_copy_1, dut.i_data_1))
    for number, (copy, data) in enumerate(directions):
        for name, stream in (("copy", copy), ("data", data)):
            model.offers(stream, f"{name}_{number}")
            model.assume(~lets_go(m, f"i_{name}_{number}", stream))
        model.assume((copy.p.slot[0] == number) & (data.p.data[0] == number))
    model.takes(dut.o_copy, "o_copy")
    model.takes(dut.o_data, "o_data")
    model.bad("copy_lets_go", lets_go(m, "o_copy", dut.o_copy))
    model.bad("data_lets_go", lets_go(m, "o_data", dut.o_data))

    taken = {}
    for name, place, o in (("copy", 0, dut.o_copy), ("data", 1, dut.o_data)):
        first, second = (streams[place] for streams in directions)
        took, took_too = first.valid & first.ready, second.valid & second.ready
        taken[name] = out = o.valid & o.ready
        of = Mux(took, Value.cast(first.payload), Value.cast(second.payload))
        same = Value.cast(o.payload) == of
        model.bad(f"{name}_differs", (out != (took | took_too)) | (took & took_too) | (out & ~same))
    model.bad("mixed", changes(m, "data", Frames(m, "o_data", dut.o_data), dut.o_data.p.data[0]))
    ends = taken["data"] & dut.o_data.p.last
    track = Tracker(
        m, "copies", taken["copy"], dut.o_copy.p.slot[0], ends, dut.o_data.p.data[0], AHEAD, model.free(1, "mark")
    )
    model.bad("unannounced", dut.o_data.valid & (track.inside == 0))
    model.bad("too_many", track.too_many)
    model.bad("order", track.changed[0])
    for number, (copy, _) in enumerate(directions):
        other = directions[1 - number][0]
        overtaken = Signal(name=f"overtaken_{number}")
        with m.If(copy.valid & copy.ready):
            m.d.sync += overtaken.eq(0)
        with m.Elif(copy.valid & other.valid & other.ready):
            m.d.sync += overtaken.eq(1)
        model.bad(f"again_{number}", overtaken & other.valid & other.ready)
    return model


_KEPT = """        with m.Elif(self.o_copy.valid):
            m.d.sync += favoured.eq(chosen)
"""

SETUPS = (
    Setup(
        "CopyArbiter",
        f"{WIDTH} bits",
        _build,
        (
            Claim(
                "o_copy and o_data hold valid and payload until taken",
                ("copy_lets_go", "data_lets_go"),
                Fault("copy_arbiter", _KEPT, ""),
                seconds=60,
                quick=True,
            ),
            Claim(
                "each descriptor and beat comes out as it went in, in the same clock, once",
                ("copy_differs", "data_differs"),
                Fault("copy_arbiter", "order.r_rdy & source & self.o_data.ready", "order.r_rdy & self.o_data.ready"),
                seconds=60,
                quick=True,
            ),
            Claim(
                "never interleaves: all beats of a copy are of one direction",
                ("mixed",),
                Fault("copy_arbiter", "self.o_data.ready & self.o_data.p.last)", "self.o_data.ready)"),
                seconds=60,
            ),
            Claim(
                "copies' bytes in the order of their descriptors, none without",
                ("unannounced", "too_many", "order"),
                Fault("copy_arbiter", "order.w_data.eq(chosen)", "order.w_data.eq(favoured)"),
                seconds=60,
            ),
            Claim(
                "turns: one that waits is overtaken once at most",
                ("again_0", "again_1"),
                Fault("copy_arbiter", "favoured.eq(~chosen)", "favoured.eq(0)"),
                seconds=60,
            ),
        ),
    ),
)
