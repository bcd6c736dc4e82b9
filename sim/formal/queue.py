"""Claims about the mirror queue, from sections 6 and 10 of the law and the component's docstring."""

from __future__ import annotations

from types import SimpleNamespace

from amaranth.hdl import Array, Cat, Signal

from halfsilver.sim.formal.changed import Fault, Parts
from halfsilver.sim.formal.claims import Claim, Model, Setup
from halfsilver.sim.formal.monitors import lets_go

__all__ = ["SETUPS"]

FRAMES = 4
"""Frames of a run; each byte says which it is of, and where in it it stands."""

LONGEST = 15
CLOCKS = 22
"""A frame's first byte needs about 14 clocks to the output."""


def _build(parts: Parts) -> Model:
    """Up to FRAMES frames of any lengths; verdicts as the intake gives them: in order, DECIDE_CLOCKS behind the frame's
    end at least, and for a copy only of a good frame that fits, of at most its length.
    """
    model = Model()
    m = model.m
    shape = SimpleNamespace(width=8, beat_bytes=1, queue_depth=16, copies=8)
    m.submodules.dut = dut = parts("mirror_queue").MirrorQueue(shape)
    frames, ended, decided = (Signal(range(FRAMES + 1), name=name) for name in ("frames", "ended", "decided"))
    here = Signal(range(LONGEST + 1))
    lengths = Array(Signal(range(LONGEST + 1), name=f"length_{number}") for number in range(FRAMES))
    good = Array(Signal(name=f"good_{number}") for number in range(FRAMES))
    fits = Array(Signal(name=f"fits_{number}") for number in range(FRAMES))
    m.d.comb += [
        dut.i_valid.eq(model.free(1, "i_valid")),
        dut.i.data.eq(Cat(here, frames)),
        dut.i.count.eq(1),
        dut.i.last.eq(model.free(1, "last")),
        dut.i.bad.eq(model.free(1, "bad")),
        dut.i.drop.eq(model.free(1, "drop")),
    ]
    model.assume(~dut.i_valid | ((frames != FRAMES) & ((here != LONGEST - 1) | dut.i.last)))
    with m.If(dut.i_valid):
        m.d.sync += here.eq(here + 1)
        with m.If(dut.i.last):
            m.d.sync += [here.eq(0), frames.eq(frames + 1), lengths[frames].eq(here + 1), good[frames].eq(~dut.i.bad)]
    with m.If(dut.o_end):
        m.d.sync += [ended.eq(ended + 1), fits[ended].eq(dut.o_fits)]
    known = ended
    for step in range(dut.DECIDE_CLOCKS):
        later = Signal(range(FRAMES + 1), name=f"known_{step}")
        m.d.sync += later.eq(known)
        known = later

    mirror, length = model.free(1, "mirror"), model.free(14, "copied")
    m.d.comb += [
        dut.i_decided.eq(model.free(1, "decide")),
        dut.i_decision.mirror.eq(mirror),
        dut.i_decision.length.eq(length),
        dut.i_decision.slot.eq(Cat(decided, model.free(8 - len(decided), "slot"))),
        dut.i_decision.source_port.eq(model.free(16, "source_port")),
        dut.i_decision.outer_ipv6.eq(model.free(1, "outer_ipv6")),
    ]
    model.assume(~dut.i_decided | (decided < known))
    of_whole = fits[decided] & good[decided] & (length != 0) & (length <= lengths[decided])
    model.assume(~dut.i_decided | ~mirror | of_whole)
    copies = Signal(range(FRAMES + 1))
    copied = Array(Signal(range(LONGEST + 1), name=f"copied_{number}") for number in range(FRAMES))
    with m.If(dut.i_decided):
        m.d.sync += decided.eq(decided + 1)
        with m.If(mirror):
            m.d.sync += [copies.eq(copies + 1), copied[copies].eq(length)]

    model.takes(dut.o_copy, "o_copy")
    model.takes(dut.o, "o")
    model.bad("copy_lets_go", lets_go(m, "o_copy", dut.o_copy))
    model.bad("data_lets_go", lets_go(m, "o", dut.o))
    sent, place = Signal(range(FRAMES + 1)), Signal(range(LONGEST + 1))
    with m.If(dut.o.valid & dut.o.ready):
        m.d.sync += place.eq(place + 1)
        with m.If(dut.o.p.last):
            m.d.sync += [place.eq(0), sent.eq(sent + 1)]
    model.bad("unwanted", dut.o.valid & (sent >= copies))
    model.bad("length", dut.o.valid & (dut.o.p.last != (place + 1 == copied[sent])))
    return model


SETUPS = (
    Setup(
        "MirrorQueue",
        f"8 bits, ring of 16 bytes, 8 copies, {FRAMES} frames of 1 to {LONGEST} bytes",
        _build,
        (
            Claim(
                "o_copy and o hold valid and payload until taken",
                ("copy_lets_go", "data_lets_go"),
                Fault("mirror_queue", "with m.If(self.o_copy.ready):", "with m.If(offered):"),
                clocks=CLOCKS,
                induction=0,
            ),
            Claim(
                "never part of a copy, never more than its length: last on the byte that the verdict's length says",
                ("unwanted", "length"),
                Fault("mirror_queue", "fetch.last.eq(left == 1)", "fetch.last.eq(left <= 2)"),
                clocks=CLOCKS,
                induction=0,
            ),
        ),
        (Fault("mirror_queue", "UNDECIDED_FRAMES = 64", f"UNDECIDED_FRAMES = {FRAMES}"),),
    ),
)
