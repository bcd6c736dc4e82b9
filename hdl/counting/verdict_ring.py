"""The verdict ring: verdict records, those that the host selects, kept until it reads them over the registers."""

from amaranth.hdl import Array, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.tables import SESSION_BITS
from halfsilver.hdl.records import VerdictRecord
from halfsilver.hdl.stream.fifo import Fifo

__all__ = ["Selection", "VerdictRing"]


class Selection(data.Struct):
    """Which records are kept: one in ``every`` of each direction, 0 for none, and perhaps those of a session only."""

    every: 16
    one_session: 1
    eni: 4
    session: SESSION_BITS


class VerdictRing(wiring.Component):
    """``depth`` records in block RAM, first in, first out.

    Ports
    -----
    i            per matcher, an always-ready stream of VerdictRecord; of two, the second is egress
    selection    Selection
    restart      one clock: empty the ring, set ``lost`` to 0, and select anew: the next record selected is the first of
                 its ``every``. Records that come in this clock and the next are not kept
    o            the oldest record
    level        records kept that have not been taken; 0 until the first of them is at ``o``
    lost         records selected that found no room, wraps

    What is kept is never overwritten: a full ring loses what comes. Records of a direction keep their order. Both
    directions may have one in every clock; as one is stored per clock, an egress record that comes behind another one
    that still waits, while an ingress record is stored, is lost. Of one record per clock none is.
    Latency: LATENCY clocks from a record to ``o``.
    """

    LATENCY = 2 + Fifo.LATENCY

    def __init__(self, depth, matchers):
        if not isinstance(depth, int) or depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}")
        self._depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(VerdictRecord, always_ready=True)).array(matchers),
                "selection": In(Selection),
                "restart": In(1),
                "o": Out(stream.Signature(VerdictRecord)),
                "level": Out(range(depth + 1)),
                "lost": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = ResetInserter(self.restart)(Fifo(VerdictRecord, self._depth))
        wiring.connect(m, store.o, wiring.flipped(self.o))
        chosen = [self._select(m, number, records) for number, records in enumerate(self.i)]
        offered, record, crowded = self._merge(m, *chosen) if len(chosen) == 2 else (*chosen[0], 0)

        # The way to the memory is long, so that it is full is known from a flip-flop: held == depth.
        held, full, taken = Signal.like(self.level), Signal(), self.o.valid & self.o.ready
        m.d.comb += [
            store.i.valid.eq(offered & ~full),
            store.i.payload.eq(record),
            self.level.eq(Mux(self.o.valid, held, 0)),
        ]
        m.d.sync += [
            held.eq(held + store.i.valid - taken),
            full.eq(~taken & (full | store.i.valid & (held == self._depth - 1))),
            self.lost.eq(self.lost + (offered & full) + crowded),
        ]
        with m.If(self.restart):
            m.d.sync += [held.eq(0), full.eq(0), self.lost.eq(0)]
        return m

    def _select(self, m, number, records):
        """(valid, record) of those that are selected, registered."""
        wanted, record = self.selection, records.payload
        valid, chosen = Signal(name=f"chosen_{number}"), Signal(VerdictRecord, name=f"record_{number}")
        # Records of a direction that are passed over before the next one is chosen.
        skips = Array(Signal(16, name=f"skip_{number}_{direction}") for direction in range(2))
        skip = skips[record.direction[0]]
        of_session = (record.session == wanted.session) & (record.eni == wanted.eni)
        matches = records.valid & (wanted.every != 0) & (~wanted.one_session | of_session)
        m.d.sync += [valid.eq(matches & (skip == 0)), chosen.eq(record)]
        with m.If(matches):
            m.d.sync += skip.eq(Mux(skip == 0, wanted.every - 1, skip - 1))
        with m.If(self.restart):
            m.d.sync += [valid.eq(0), *(each.eq(0) for each in skips)]
        return valid, chosen

    def _merge(self, m, ingress, egress):
        """Ingress first; an egress record that comes with it waits. Returns (valid, record, a record is lost)."""
        (ingress_valid, ingress_record), (egress_valid, egress_record) = ingress, egress
        waiting, waits = Signal(VerdictRecord), Signal()
        with m.If(egress_valid & (ingress_valid ^ waits)):
            m.d.sync += [waiting.eq(egress_record), waits.eq(1)]
        with m.Elif(waits & ~ingress_valid):
            m.d.sync += waits.eq(0)
        with m.If(self.restart):
            m.d.sync += waits.eq(0)
        later = Mux(waits, waiting.as_value(), egress_record.as_value())
        record = Mux(ingress_valid, ingress_record.as_value(), later)
        return ingress_valid | waits | egress_valid, record, ingress_valid & waits & egress_valid
