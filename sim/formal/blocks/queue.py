"""Claims about the mirror queue, from sections 6 and 10 of the law and the component's docstring.

The whole queue is searched for some clocks. For any time there are claims about its parts, each with the FIFOs beside
it free; what is taken from a FIFO is claimed of `halfsilver.hdl.stream.Fifo`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Array, Cat, Signal, Value

from halfsilver.hdl.packet import beat_layout
from halfsilver.sim.formal.changed import Fault, Parts
from halfsilver.sim.formal.claims import Claim, Model, Setup
from halfsilver.sim.formal.monitors import earlier, lets_go

__all__ = ["SETUPS"]

FRAMES = 4
"""Frames of a run; each byte says which it is of, and where in it it stands."""

COPIES = 8
LONGEST = 15
CLOCKS = 22
"""A frame's first byte needs about 14 clocks to the output."""


def _queue(parts: Parts) -> Any:
    return parts("mirror_queue").MirrorQueue(
        SimpleNamespace(width=8, beat_bytes=1, queue_depth=16, copies=COPIES, receiver_bits=0)
    )


def _build(parts: Parts) -> Model:
    """Up to FRAMES frames of any lengths; verdicts as the intake gives them: in order, DECIDE_CLOCKS behind the frame's
    end at least, and for a copy only of a good frame that fits, of at most its length.
    """
    model = Model()
    m = model.m
    m.submodules.dut = dut = _queue(parts)
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
    copy_of = Array(Signal(range(FRAMES + 1), name=f"copy_of_{number}") for number in range(FRAMES))
    with m.If(dut.i_decided):
        m.d.sync += decided.eq(decided + 1)
        with m.If(mirror):
            m.d.sync += [copies.eq(copies + 1), copied[copies].eq(length), copy_of[copies].eq(decided)]

    model.takes(dut.o_copy, "o_copy")
    model.takes(dut.o, "o")
    sent, place = Signal(range(FRAMES + 1)), Signal(range(LONGEST + 1))
    with m.If(dut.o.valid & dut.o.ready):
        m.d.sync += place.eq(place + 1)
        with m.If(dut.o.p.last):
            m.d.sync += [place.eq(0), sent.eq(sent + 1)]
    model.bad("unwanted", dut.o.valid & (sent >= copies))
    model.bad("length", dut.o.valid & (dut.o.p.last != (place + 1 == copied[sent])))
    model.bad("bytes", dut.o.valid & (dut.o.p.data != Cat(place, copy_of[sent])))
    return model


def _anything(model: Model, queue: Any) -> Any:
    """The queue's inputs may be anything; returns its parts."""
    m, blocks = model.m, model.opened(queue)
    for name in ("i_valid", "i", "i_decided", "i_decision"):
        port = Value.cast(getattr(queue, name))
        m.d.comb += port.eq(model.free(len(port), name))
    model.takes(queue.o_copy, "o_copy")
    model.takes(queue.o, "o")
    return blocks


def _parts(parts: Parts) -> Model:
    """The FIFO of copies that wait is free."""
    model = Model()
    m = model.m
    queue = _queue(parts)
    blocks = _anything(model, queue)
    model.bad("copy_lets_go", lets_go(m, "o_copy", queue.o_copy))
    model.bad("data_lets_go", lets_go(m, "o", queue.o))
    model.bad("no_room", blocks.read_ahead.w_en & ~blocks.read_ahead.w_rdy)
    return model


def _lengths(parts: Parts) -> Model:
    """Besides, the FIFO between the ring and the output is free. A copy that is taken up has this length; its bytes
    come to that FIFO.
    """
    model = Model()
    m = model.m
    queue = _queue(parts)
    blocks = _anything(model, queue)
    copy = blocks.committed.o
    length = copy.p.decision.length
    taken = copy.valid & copy.ready
    model.assume(~taken | ((length != 0) & (length <= LONGEST)))
    owed, wanted = Signal(), Signal(range(LONGEST + 1))  # a copy's descriptor, and what it must say
    announced = queue.o_copy.valid & queue.o_copy.ready
    m.d.sync += owed.eq(taken | (owed & ~announced))
    with m.If(taken):
        m.d.sync += wanted.eq(length)
    model.bad("descriptor", (queue.o_copy.valid & (~owed | (queue.o_copy.p.length != wanted))) | (taken & owed))

    # The ring takes two clocks: so long after a copy was taken up, the last byte of the one before has come.
    begins, of_length = earlier(m, "begins", taken, 2), earlier(m, "of_length", length, 2)
    left = Signal(range(LONGEST + 1))  # of a copy's bytes
    comes, last = blocks.read_ahead.w_en, beat_layout(8)(blocks.read_ahead.w_data).last
    with m.If(begins):
        m.d.sync += left.eq(of_length)
    with m.Elif(comes):
        m.d.sync += left.eq(left - 1)
    model.bad("length", (comes & ((left == 0) | (last != (left == 1)))) | (begins & (left != 0)))
    return model


def _places(parts: Parts) -> Model:
    """The FIFOs of frames and of bytes are free. A copy is committed only of a frame that was kept, once each."""
    model = Model()
    m = model.m
    queue = _queue(parts)
    blocks = _anything(model, queue)
    frames = blocks.pending
    kept = Signal(range(4 * COPIES))  # frames that wait for a verdict
    comes = frames.i.valid & frames.i.p.kept
    goes = queue.i_decided & frames.o.p.kept
    m.d.sync += kept.eq(kept + comes - goes)
    model.assume(~goes | (kept != 0))
    model.assume(~queue.i_decided | ~queue.i_decision.mirror | frames.o.p.kept)
    model.bad("no_place", blocks.committed.i.valid & ~blocks.committed.i.ready)
    return model


_QUEUE = f"8 bits, ring of 16 bytes, {COPIES} copies"

SETUPS = (
    Setup(
        "MirrorQueue, its outputs",
        f"{_QUEUE}, any inputs",
        _parts,
        (
            Claim(
                "o_copy and o hold valid and payload until taken",
                ("copy_lets_go", "data_lets_go"),
                Fault("mirror_queue", "with m.If(self.o_copy.ready):", "with m.If(offered):"),
                seconds=60,
                quick=True,
            ),
            Claim(
                "a byte is asked of the ring only if there is room for it before the output",
                ("no_room",),
                Fault("mirror_queue", "_READ_ROOM_CLOCKS = _RING_CLOCKS + 2", "_READ_ROOM_CLOCKS = _RING_CLOCKS - 1"),
                clocks=28,
                induction=8,
                seconds=60,
                quick=True,
            ),
        ),
        freed=("dut.committed", "dut.pending", "dut.payload_sum"),
    ),
    Setup(
        "MirrorQueue, its lengths",
        f"{_QUEUE}, copies of 1 to {LONGEST} bytes",
        _lengths,
        (
            Claim(
                "as many bytes are read for a copy as its verdict says, the last one marked so, before the next one's",
                ("length",),
                Fault("mirror_queue", "fetch.last.eq(left == 1)", "fetch.last.eq(left <= 2)"),
                seconds=120,
            ),
            Claim(
                "each copy has one descriptor, which says that length",
                ("descriptor",),
                Fault("mirror_queue", "with m.If(committed.valid & ~offered):", "with m.If(committed.valid):"),
                seconds=60,
                quick=True,
            ),
        ),
        freed=("dut.committed", "dut.pending", "dut.payload_sum", "dut.read_ahead"),
    ),
    Setup(
        "MirrorQueue, its places",
        _QUEUE,
        _places,
        (
            Claim(
                "a copy that is committed finds a place",
                ("no_place",),
                Fault("mirror_queue", "_RESERVE_CLOCKS = 3", "_RESERVE_CLOCKS = 0"),
                clocks=18,
                induction=0,
            ),
        ),
        freed=("dut.pending", "dut.payload_sum", "dut.read_ahead"),
    ),
    Setup(
        "MirrorQueue",
        f"{_QUEUE}, {FRAMES} frames of 1 to {LONGEST} bytes",
        _build,
        (
            Claim(
                "never part of a copy, never more than its length: last on the byte that the verdict's length says",
                ("unwanted", "length"),
                Fault("mirror_queue", "fetch.last.eq(left == 1)", "fetch.last.eq(left <= 2)"),
                clocks=CLOCKS,
                induction=0,
            ),
            Claim(
                "the bytes of a copy are its frame's, from the first one on",
                ("bytes",),
                Fault("mirror_queue", "fetch.address.eq(copy.start)", "fetch.address.eq(copy.start | 1)"),
                clocks=CLOCKS,
                induction=0,
            ),
        ),
        (Fault("mirror_queue", "UNDECIDED_FRAMES = 64", f"UNDECIDED_FRAMES = {FRAMES}"),),
    ),
)
