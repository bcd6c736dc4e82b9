"""Outer header: copy descriptor and template -> the finished prefix of the outer packet, and how the packet ends."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.checksum import add_with_carry
from halfsilver.hdl.encapsulator.descriptor import CopyDescriptor, spreading
from halfsilver.hdl.encapsulator.prefix import ipv4_prefix, ipv6_prefix
from halfsilver.hdl.encapsulator.template_memory import BODY_WORDS, TemplateMemory
from halfsilver.hdl.layout.outer import IPV4_BYTES, PREFIX_IPV4, PREFIX_IPV6, TEMPLATE_BODY, UDP_VXLAN_BYTES, WORD_BITS
from halfsilver.hdl.layout.tables import SESSION_BITS
from halfsilver.hdl.structs import struct_of
from halfsilver.hdl.table_port import TablePort

__all__ = ["OuterHeader", "ending_layout", "header_signature"]

CHECKSUM_CLOCKS = 5

TEMPLATE_CLOCKS = 2
"""From a template's index to its row in ``body``: the memory, and the register behind it."""


def ending_layout(beat_bytes):
    """How a copy ends.

    outer6   the prefix is the IPv6 one
    spills   the copy's last beat holds more than fits behind the prefix, so one more beat follows
    count    bytes of the outer packet's last beat
    bank     bank of the template
    """
    return data.StructLayout({"outer6": 1, "spills": 1, "count": range(beat_bytes + 1), "bank": 1})


def header_signature(beat_bytes):
    """A finished prefix, first byte in the lowest bits; IPv4 uses the first 50 of 70 bytes."""
    return stream.Signature(data.StructLayout({"prefix": PREFIX_IPV6 * 8, "ending": ending_layout(beat_bytes)}))


class _Stages:
    """Registers that move with the pipeline, which is ``move``; a held descriptor's move always."""

    def __init__(self, m, move, pipelined):
        self._m, self._pipelined = m, pipelined
        self.move = move

    def stage(self, value):
        """``value`` one stage on."""
        register = Signal(len(value))
        with self._m.If(self.move):
            self._m.d.sync += register.eq(value)
        return register

    def later(self, value, clocks):
        """``value`` as many stages on; a held descriptor does not change, so there it is ``value`` itself."""
        if clocks < 0:
            raise ValueError(f"nothing is {clocks} stages later")
        for _ in range(clocks if self._pipelined else 0):
            value = self.stage(value)
        return value


class OuterHeader(wiring.Component):
    """Descriptor in, finished prefix out.

    Ports: ``i`` descriptors, ``o`` prefixes, ``write`` the table write port.

    Up to 64 bits the shortest outer packet (50 + 14 bytes) takes at least 8 clocks, so one descriptor is held
    while its template is read row by row from 1 (2 at 64 bits) block RAMs: one header every rows + 2 clocks,
    8 at 64 bits and 14 below. Wider, the whole template is read in one clock and descriptors move through a
    pipeline, one per clock.
    """

    def __init__(self, beat_bytes, eni_bits, receiver_bits=0):
        self._beat_bytes = beat_bytes
        self._pipelined = beat_bytes > 8
        self._lanes = BODY_WORDS if self._pipelined else max(1, beat_bytes // (WORD_BITS // 8))
        self._eni_bits, self._receiver_bits = eni_bits, receiver_bits
        self._index_bits = 1 + receiver_bits + eni_bits + SESSION_BITS  # bank, receiver, ENI, session
        self._descriptor = spreading(CopyDescriptor, receiver_bits)
        super().__init__(
            {
                "i": In(stream.Signature(self._descriptor)),
                "o": Out(header_signature(beat_bytes)),
                "write": In(TablePort()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.templates = templates = TemplateMemory(self._eni_bits, self._lanes, self._receiver_bits)
        wiring.connect(m, wiring.flipped(self.write), templates.write)
        job = Signal(self._descriptor)
        index = job.slot[: self._index_bits]
        stages = _Stages(m, Signal(name="move") if self._pipelined else Const(1), self._pipelined)
        body = self._flow_through(m, templates, job, stages) if self._pipelined else self._hold_one(m, templates, job)
        m.d.comb += [templates.seed_index.eq(index), templates.seed_enable.eq(stages.move)]

        udp_length, total_length, checksum = self._sum(job, templates.seed, stages)
        source_port = stages.later(job.source_port, CHECKSUM_CLOCKS)
        outer6 = stages.later(job.outer6, CHECKSUM_CLOCKS)
        template = data.View(struct_of(TEMPLATE_BODY), body)
        prefix4 = ipv4_prefix(template, udp_length, total_length, source_port, checksum)
        prefix6 = ipv6_prefix(template, udp_length, source_port, checksum)
        spills, count = self._find_end(job, stages)
        ending = self.o.payload.ending
        m.d.comb += [
            self.o.payload.prefix.eq(Mux(outer6, prefix6, prefix4)),
            ending.outer6.eq(outer6),
            ending.bank.eq(stages.later(index[-1], CHECKSUM_CLOCKS)),
            ending.spills.eq(spills),
            ending.count.eq(count),
        ]
        return m

    def _hold_one(self, m, templates, job):
        """One descriptor at a time; rows of its template are shifted into the body, first row lowest."""
        body = Signal(BODY_WORDS * WORD_BITS)
        busy = Signal()
        complete_at = templates.rows - 1 + TEMPLATE_CLOCKS  # clocks behind the job: its last row is in the body
        assert complete_at >= CHECKSUM_CLOCKS, "the prefix would leave before its checksum"
        step = Signal(range(complete_at + 1))
        row_read = Signal()
        m.d.comb += [
            self.i.ready.eq(~busy | (self.o.valid & self.o.ready)),
            templates.index.eq(job.slot[: self._index_bits]),
            templates.row.eq(step),
            templates.enable.eq(1),
        ]
        m.d.sync += row_read.eq(busy & (step < templates.rows))
        with m.If(busy & ~self.o.valid):
            m.d.sync += step.eq(step + 1)
        with m.If(row_read):
            m.d.sync += body.eq(Cat(body[WORD_BITS * templates.lanes :], templates.body))
        with m.If(busy & (step == complete_at - 1)):
            m.d.sync += self.o.valid.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), busy.eq(0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [job.eq(self.i.payload), busy.eq(1), step.eq(0)]
        return body

    def _flow_through(self, m, templates, job, stages):
        """A pipeline that moves as one; the template's row reaches the body together with the checksum."""
        body = Signal(BODY_WORDS * WORD_BITS)
        valid = Signal(CHECKSUM_CLOCKS + 1)
        index = job.slot[: self._index_bits]
        m.d.comb += [
            self.o.valid.eq(valid[-1]),
            stages.move.eq(~valid[-1] | self.o.ready),
            self.i.ready.eq(stages.move),
            templates.index.eq(stages.later(index, CHECKSUM_CLOCKS - TEMPLATE_CLOCKS)),
            templates.enable.eq(stages.move),
        ]
        with m.If(stages.move):
            m.d.sync += [job.eq(self.i.payload), valid.eq(Cat(self.i.valid, valid)), body.eq(templates.body)]
        return body

    def _sum(self, job, seed, stages):
        """Lengths and checksum, all `CHECKSUM_CLOCKS` stages behind the job: UDP length, total length, checksum."""
        # Clock 1: lengths, and the part of the sum that the copy brings along.
        udp_length = stages.stage(job.length + UDP_VXLAN_BYTES)
        total_length = stages.stage(job.length + IPV4_BYTES + UDP_VXLAN_BYTES)
        copy_sum = stages.stage(Mux(job.outer6, job.payload_sum + job.source_port, 0))
        # Clock 2: IPv6 counts the UDP length twice, in pseudo header and UDP header (RFC 8200 section 8.1).
        lengths = Mux(stages.later(job.outer6, 1), udp_length << 1, total_length)
        length_sum = stages.stage(add_with_carry(copy_sum, lengths[:16]))
        seed = stages.stage(seed)
        # Clocks 3, 4, 5: seed, last carry, complement.
        seeded = stages.stage(add_with_carry(length_sum, seed))
        total = stages.stage(add_with_carry(seeded, 0)[:16])
        keep_ones = stages.later(job.outer6, CHECKSUM_CLOCKS - 1) & total.all()
        checksum = stages.stage(Mux(keep_ones, total, ~total))
        return (
            stages.later(udp_length, CHECKSUM_CLOCKS - 1),
            stages.later(total_length, CHECKSUM_CLOCKS - 1),
            checksum,
        )

    def _find_end(self, job, stages):
        """Where the outer packet ends, counted in beats of a power of two of bytes: spills, count."""
        beat_bytes = self._beat_bytes
        if beat_bytes == 1:
            return Const(0), Const(1)
        bits = beat_bytes.bit_length() - 1
        last_byte = stages.stage((job.length - 1)[:bits])
        behind_prefix = Mux(stages.later(job.outer6, 1), PREFIX_IPV6 % beat_bytes, PREFIX_IPV4 % beat_bytes)
        end = stages.stage((last_byte + behind_prefix)[: bits + 1])
        count = stages.stage(end[:bits] + 1)
        spills_at, count_at = 2, 3
        return (stages.later(end[bits], CHECKSUM_CLOCKS - spills_at), stages.later(count, CHECKSUM_CLOCKS - count_at))
