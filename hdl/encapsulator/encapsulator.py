"""The encapsulator: puts Ethernet, IPv4 or IPv6, UDP and VXLAN in front of each copy.

Stands between the mirror queue, which sends copied bytes and one ``CopyDescriptor`` per copy, and the egress.
The packet is that of ``docs/mirroring.md`` section 7. What is constant per session (addresses, VNI, checksum
seed) comes from a template memory that the host fills; ``OuterHeader`` completes the next header while
``Encapsulator`` still sends the copy before it.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.checksum import add_with_carry
from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.packet import packet_signature

__all__ = ["TEMPLATE_WORDS", "CopyDescriptor", "Encapsulator"]

TEMPLATE_WORDS = 16
"""Address space of one template in 32-bit words; 0 to 11 hold addresses and VNI, 12 the checksum seed."""

BODY_WORDS = 12
SEED_WORD = 12

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
VERSION_IHL = 0x45  # RFC 791: version 4, five words, no options
VERSION_IPV6 = 6 << 28  # RFC 8200: version 6, traffic class 0, flow label 0
PROTOCOL_UDP = 17
HOP_LIMIT = 255  # also the IPv4 time to live
VXLAN_PORT = 4789  # RFC 7348 section 5
VXLAN_FLAGS = 0x08  # RFC 7348 section 5: the VNI is valid

UDP_VXLAN_BYTES = 8 + 8
IPV4_BYTES = 20
PREFIX4 = 14 + IPV4_BYTES + UDP_VXLAN_BYTES
PREFIX6 = 14 + 40 + UDP_VXLAN_BYTES

CHECKSUM_CLOCKS = 5


class CopyDescriptor(data.Struct):
    """What the encapsulator must know before the copy's first byte.

    slot          template index {bank, ENI, session}; only the low bits a build needs are looked at
    length        copied bytes, at least 14
    source_port   UDP source port
    payload_sum   sum of the copied bytes as in ``halfsilver.hdl.checksum.PayloadSum``; looked at only when ``outer6``
    outer6        the outer packet is IPv6
    """

    slot: 8
    length: 14
    source_port: 16
    payload_sum: 16
    outer6: 1


def _ending_layout(beat_bytes):
    """How a copy ends.

    outer6   the prefix is the IPv6 one
    spills   the copy's last beat holds more than fits behind the prefix, so one more beat follows
    count    bytes of the outer packet's last beat
    bank     bank of the template
    """
    return data.StructLayout({"outer6": 1, "spills": 1, "count": range(beat_bytes + 1), "bank": 1})


def _header_signature(beat_bytes):
    """A finished prefix, first byte in the lowest bits; IPv4 uses the first 50 of 70 bytes."""
    return stream.Signature(data.StructLayout({"prefix": PREFIX6 * 8, "ending": _ending_layout(beat_bytes)}))


class TemplateMemory(wiring.Component):
    """The templates of all sessions, both banks: block RAM written by the word, read ``lanes`` words at a
    time.

    ``body`` is row ``row`` of template ``index`` one clock after ``enable``; ``seed`` is the checksum seed of
    template ``seed_index`` one clock after ``seed_enable``. Word ``w`` is lane ``w % lanes`` of row
    ``w // lanes``. The host writes only the bank that is not read.
    """

    def __init__(self, templates, lanes):
        self.lanes = lanes
        self.rows = BODY_WORDS // lanes
        self._row_bits = (self.rows - 1).bit_length()
        self._templates = templates
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(templates * TEMPLATE_WORDS)),
                "write_data": In(32),
                "enable": In(1),
                "index": In(range(templates)),
                "row": In(range(self.rows)),
                "body": Out(32 * lanes),
                "seed_enable": In(1),
                "seed_index": In(range(templates)),
                "seed": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = self.write_address[:4]
        index = self.write_address[4:]

        m.submodules.seed = seed = Memory(shape=16, depth=self._templates, init=[])
        write = seed.write_port()
        read = seed.read_port()
        m.d.comb += [
            write.addr.eq(index),
            write.data.eq(self.write_data),
            write.en.eq(self.write_enable & (word == SEED_WORD)),
            read.addr.eq(self.seed_index),
            read.en.eq(self.seed_enable),
            self.seed.eq(read.data),
        ]

        for lane in range(self.lanes):
            depth = self._templates << self._row_bits
            m.submodules[f"lane{lane}"] = memory = Memory(shape=32, depth=depth, init=[])
            words = [lane + row * self.lanes for row in range(self.rows)]
            write = memory.write_port()
            read = memory.read_port()
            m.d.comb += [
                write.addr.eq(Cat((word >> (self.lanes.bit_length() - 1))[: self._row_bits], index)),
                write.data.eq(self.write_data),
                write.en.eq(self.write_enable & word.matches(*words)),
                read.addr.eq(Cat(self.row[: self._row_bits], self.index)),
                read.en.eq(self.enable),
                self.body.word_select(lane, 32).eq(read.data),
            ]
        return m


class OuterHeader(wiring.Component):
    """Descriptor in, finished prefix out.

    Up to 64 bits the shortest outer packet (50 + 14 bytes) takes at least 8 clocks, so one descriptor is held
    while its template is read row by row from 1 (2 at 64 bits) block RAMs: one header every rows + 2 clocks,
    8 at 64 bits and 14 below. Wider, the whole template is read in one clock and descriptors move through a
    pipeline, one per clock.
    """

    def __init__(self, beat_bytes, templates):
        self._beat_bytes = beat_bytes
        self._pipelined = beat_bytes > 8
        self._lanes = BODY_WORDS if self._pipelined else max(1, beat_bytes // 4)
        self._templates = templates
        self._index_bits = (templates - 1).bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(CopyDescriptor)),
                "o": Out(_header_signature(beat_bytes)),
                "write_enable": In(1),
                "write_address": In(range(templates * TEMPLATE_WORDS)),
                "write_data": In(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.templates = templates = TemplateMemory(self._templates, self._lanes)
        m.d.comb += [
            templates.write_enable.eq(self.write_enable),
            templates.write_address.eq(self.write_address),
            templates.write_data.eq(self.write_data),
        ]
        job = Signal(CopyDescriptor)
        index = job.slot[: self._index_bits]
        body = Signal(BODY_WORDS * 32)
        if self._pipelined:
            self._move = Signal()
            self._flow_through(m, templates, job, index, body)
        else:
            self._move = Const(1)
            self._hold_one(m, templates, job, index, body)
        m.d.comb += [templates.seed_index.eq(index), templates.seed_enable.eq(self._move)]

        # Clock 1: lengths, and the part of the sum that the copy brings along.
        udp_length = self._stage(m, job.length + UDP_VXLAN_BYTES)
        total_length = self._stage(m, job.length + IPV4_BYTES + UDP_VXLAN_BYTES)
        copy_sum = self._stage(m, Mux(job.outer6, job.payload_sum + job.source_port, 0))
        # Clock 2: IPv6 counts the UDP length twice, in pseudo header and UDP header (RFC 8200 section 8.1).
        lengths = Mux(self._later(m, job.outer6, 1), udp_length << 1, total_length)
        length_sum = self._stage(m, add_with_carry(copy_sum, lengths[:16]))
        seed = self._stage(m, templates.seed)
        # Clocks 3, 4, 5: seed, last carry, complement.
        seeded = self._stage(m, add_with_carry(length_sum, seed))
        total = self._stage(m, add_with_carry(seeded, 0)[:16])
        keep_ones = self._later(m, job.outer6, 4) & total.all()
        checksum = self._stage(m, Mux(keep_ones, total, ~total))

        fields = {
            "udp_length": self._later(m, udp_length, CHECKSUM_CLOCKS - 1),
            "total_length": self._later(m, total_length, CHECKSUM_CLOCKS - 1),
            "source_port": self._later(m, job.source_port, CHECKSUM_CLOCKS),
            "checksum": checksum,
        }
        outer6 = self._later(m, job.outer6, CHECKSUM_CLOCKS)
        words = [body.word_select(word, 32) for word in range(BODY_WORDS)]
        prefix4, prefix6 = self._ipv4(words, **fields), self._ipv6(words, **fields)
        assert len(prefix4) == PREFIX4 * 8 and len(prefix6) == PREFIX6 * 8
        ending = self.o.payload.ending
        m.d.comb += [
            self.o.payload.prefix.eq(Mux(outer6, prefix6, prefix4)),
            ending.outer6.eq(outer6),
            ending.bank.eq(self._later(m, index[-1], CHECKSUM_CLOCKS)),
        ]
        self._find_end(m, job, ending)
        return m

    def _hold_one(self, m, templates, job, index, body):
        """One descriptor at a time; rows of its template are shifted into ``body``, first row lowest."""
        busy = Signal()
        step = Signal(range(templates.rows + 2))
        row_read = Signal()
        m.d.comb += [
            self.i.ready.eq(~busy | (self.o.valid & self.o.ready)),
            templates.index.eq(index),
            templates.row.eq(step),
            templates.enable.eq(1),
        ]
        m.d.sync += row_read.eq(busy & (step < templates.rows))
        with m.If(busy & ~self.o.valid):
            m.d.sync += step.eq(step + 1)
        with m.If(row_read):
            m.d.sync += body.eq(Cat(body[32 * templates.lanes :], templates.body))
        with m.If(busy & (step == templates.rows)):
            m.d.sync += self.o.valid.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), busy.eq(0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [job.eq(self.i.payload), busy.eq(1), step.eq(0)]

    def _flow_through(self, m, templates, job, index, body):
        """A pipeline that moves as one; the template's row reaches ``body`` together with the checksum."""
        valid = Signal(CHECKSUM_CLOCKS + 1)
        m.d.comb += [
            self.o.valid.eq(valid[-1]),
            self._move.eq(~valid[-1] | self.o.ready),
            self.i.ready.eq(self._move),
            templates.index.eq(self._later(m, index, CHECKSUM_CLOCKS - 2)),
            templates.enable.eq(self._move),
        ]
        with m.If(self._move):
            m.d.sync += [job.eq(self.i.payload), valid.eq(Cat(self.i.valid, valid)), body.eq(templates.body)]

    def _stage(self, m, value):
        """A register that moves with the pipeline (always, where one descriptor is held until it is done)."""
        register = Signal(len(value))
        with m.If(self._move):
            m.d.sync += register.eq(value)
        return register

    def _later(self, m, value, clocks):
        """``value`` as many stages on; a held descriptor does not change, so there it is ``value`` itself."""
        for _ in range(clocks if self._pipelined else 0):
            value = self._stage(m, value)
        return value

    def _find_end(self, m, job, ending):
        """Where the outer packet ends, counted in beats of a power of two of bytes."""
        beat_bytes = self._beat_bytes
        if beat_bytes == 1:
            m.d.comb += [ending.spills.eq(0), ending.count.eq(1)]
            return
        bits = beat_bytes.bit_length() - 1
        last_byte = self._stage(m, (job.length - 1)[:bits])
        behind_prefix = Mux(self._later(m, job.outer6, 1), PREFIX6 % beat_bytes, PREFIX4 % beat_bytes)
        end = self._stage(m, (last_byte + behind_prefix)[: bits + 1])
        count = self._stage(m, end[:bits] + 1)
        m.d.comb += [
            ending.spills.eq(self._later(m, end[bits], CHECKSUM_CLOCKS - 2)),
            ending.count.eq(self._later(m, count, CHECKSUM_CLOCKS - 3)),
        ]

    def _ipv4(self, words, udp_length, total_length, source_port, checksum):
        return Cat(
            self._ethernet(words, ETHERTYPE_IPV4),
            Const(VERSION_IHL, 8),
            Const(0, 8),
            _network(total_length, 2),
            Const(0, 32),
            Const(HOP_LIMIT, 8),
            Const(PROTOCOL_UDP, 8),
            _network(checksum, 2),
            words[4],
            words[8],
            self._udp_vxlan(words, udp_length, source_port, Const(0, 16)),
        )

    def _ipv6(self, words, udp_length, total_length, source_port, checksum):
        return Cat(
            self._ethernet(words, ETHERTYPE_IPV6),
            _network(Const(VERSION_IPV6, 32), 4),
            _network(udp_length, 2),
            Const(PROTOCOL_UDP, 8),
            Const(HOP_LIMIT, 8),
            words[4:12],
            self._udp_vxlan(words, udp_length, source_port, checksum),
        )

    def _ethernet(self, words, ethertype):
        return Cat(words[0], words[1], words[2], _network(Const(ethertype, 16), 2))

    def _udp_vxlan(self, words, udp_length, source_port, checksum):
        return Cat(
            _network(source_port, 2),
            _network(Const(VXLAN_PORT, 16), 2),
            _network(udp_length, 2),
            _network(checksum, 2),
            Const(VXLAN_FLAGS, 32),
            _network(words[3][:24], 3),
            Const(0, 8),
        )


def _network(number, octets):
    """A number as bytes in network order, the first byte lowest."""
    wide = Cat(number, Const(0, octets * 8 - len(number)))
    return Cat(wide.word_select(octet, 8) for octet in reversed(range(octets)))


class Encapsulator(wiring.Component):
    """Prefixes each copy with its outer headers: 50 bytes over IPv4, 70 over IPv6.

    Parameters
    ----------
    parameters : NicParameters
        ``width`` and ``session_slots`` are used.

    Ports
    -----
    i_copy
        One descriptor per copy, in the order of the copies.
    i
        The copies: exactly ``length`` bytes each, ``last`` on the last beat. ``count`` is not looked at (the
        descriptor's length decides), neither are ``bad`` and ``drop``.
    o
        The outer packets, ``bad`` and ``drop`` 0. Bytes past ``count`` are undefined.
    write_enable, write_address, write_data
        Template write port; the address is {template index, word[3:0]}, the index being
        bank * session_slots + ENI * 4 + session. Words: 0 destination MAC bytes 0 to 3; 1 its bytes 4 and 5,
        source MAC bytes 0 and 1; 2 source MAC bytes 2 to 5; 3 VNI as a number; 4 to 7 source address; 8 to 11
        destination address (IPv4: words 4 and 8 only); 12 checksum seed. Of MACs and addresses the first byte
        on the wire is in the lowest bits.
    done, done_bank
        ``done`` is high for one clock, the one after ``o`` accepted a copy's last beat; ``done_bank`` is then
        the bank of its template.

    The seed is the ones' complement sum, not inverted, of what is constant in the checksummed data: for IPv4
    the header without total length; for IPv6 addresses, next header 17, destination port and VXLAN header.
    The IPv4 UDP checksum is 0 (RFC 7348 section 5); an IPv6 one of 0 is sent as 0xffff (RFC 8200 section
    8.1).

    Throughput: copies whose bytes and descriptors are ready leave back to back without an idle clock, at
    every width and length. From the clock that accepts a descriptor to the first beat on an idle ``o``: 16
    clocks at 8 to 32 bits, 10 at 64, 8 above. ``o.ready`` reaches ``i.ready`` combinationally.
    """

    def __init__(self, parameters):
        self._width = check_width(parameters.width)
        self._templates = templates = 2 * parameters.session_slots
        super().__init__(
            {
                "i_copy": In(stream.Signature(CopyDescriptor)),
                "i": In(packet_signature(self._width)),
                "o": Out(packet_signature(self._width)),
                "write_enable": In(1),
                "write_address": In(range(templates * TEMPLATE_WORDS)),
                "write_data": In(32),
                "done": Out(1),
                "done_bank": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.header = header = OuterHeader(self._width // 8, self._templates)
        wiring.connect(m, wiring.flipped(self.i_copy), header.i)
        m.d.comb += [
            header.write_enable.eq(self.write_enable),
            header.write_address.eq(self.write_address),
            header.write_data.eq(self.write_data),
        ]
        beat_bytes = self._width // 8

        # The next copy's prefix leaves this register from the bottom; whole beats of it are counted down, the
        # rest goes out in front of the copy's first bytes.
        loaded = Signal()
        prefix = Signal(PREFIX6 * 8)
        whole_beats = Signal(range(PREFIX6 // beat_bytes + 1))
        any_whole = Signal()
        coming = Signal(_ending_layout(beat_bytes))
        # The copy being sent, once its first bytes have left.
        current = Signal(_ending_layout(beat_bytes))
        in_body = Signal()
        in_tail = Signal()
        between_copies = Signal(init=1)

        room = Signal()
        send_prefix = Signal()
        send_first = Signal()
        send_body = Signal()
        m.d.comb += [
            room.eq(~self.o.valid | self.o.ready),
            send_prefix.eq(between_copies & loaded & any_whole),
            send_first.eq(between_copies & loaded & ~any_whole),
            send_body.eq(in_body | send_first),
            self.i.ready.eq(send_body & room),
        ]
        taken = Signal()
        m.d.comb += taken.eq(self.i.valid & self.i.ready)
        ending = Signal.like(current)
        m.d.comb += ending.eq(Mux(between_copies, coming, current))
        final = Signal()
        m.d.comb += final.eq(in_tail | (send_body & self.i.payload.last & ~ending.spills))

        with m.If(taken):
            m.d.sync += [
                in_body.eq(~self.i.payload.last),
                in_tail.eq(self.i.payload.last & ending.spills),
                between_copies.eq(self.i.payload.last & ~ending.spills),
                current.eq(ending),
            ]
        with m.Elif(in_tail & room):
            m.d.sync += [in_tail.eq(0), between_copies.eq(1)]

        # Prefix register: with beats of up to 8 bytes a copy takes at least one more beat after its first
        # bytes, time enough to load; wider, the next prefix must come in as this one leaves.
        leaves = taken & send_first
        m.d.comb += header.o.ready.eq(~loaded | leaves if beat_bytes > 8 else ~loaded)
        with m.If(header.o.valid & header.o.ready):
            new_beats = Mux(header.o.payload.ending.outer6, PREFIX6 // beat_bytes, PREFIX4 // beat_bytes)
            m.d.sync += [
                prefix.eq(header.o.payload.prefix),
                coming.eq(header.o.payload.ending),
                whole_beats.eq(new_beats),
                any_whole.eq(new_beats != 0),
                loaded.eq(1),
            ]
        with m.Else():
            with m.If(send_prefix & room):
                m.d.sync += [
                    prefix.eq(prefix >> self._width),
                    whole_beats.eq(whole_beats - 1),
                    any_whole.eq(whole_beats != 1),
                ]
            with m.If(leaves):
                m.d.sync += loaded.eq(0)

        self._output(m, room, send_prefix | taken | in_tail, final, ending)
        with m.If(room):
            m.d.sync += self.o.payload.data.eq(
                self._merged(m, taken, prefix, between_copies, send_prefix, ending.outer6)
            )
        return m

    def _output(self, m, room, sends, final, ending):
        """The output register's control part, and the report that a copy is out."""
        bank = Signal()
        with m.If(room):
            m.d.sync += [
                self.o.valid.eq(sends),
                self.o.payload.last.eq(final),
                self.o.payload.count.eq(Mux(final, ending.count, self._width // 8)),
                bank.eq(ending.bank),
            ]
        m.d.sync += [self.done.eq(self.o.valid & self.o.ready & self.o.payload.last), self.done_bank.eq(bank)]

    def _merged(self, m, taken, prefix, between_copies, send_prefix, outer6):
        """The next output beat: prefix, or the bytes left over from the last beat in front of this one's."""
        width = self._width
        shift4, shift6 = PREFIX4 * 8 % width, PREFIX6 * 8 % width
        copy = self.i.payload.data
        held = Signal(max(shift4, shift6))
        with m.If(taken):
            m.d.sync += held.eq(Mux(outer6, copy[width - shift6 :], copy[width - shift4 :]))
        front = Mux(between_copies, prefix[: len(held)], held)
        behind4 = Cat(front[:shift4], copy[: width - shift4])
        behind6 = Cat(front[:shift6], copy[: width - shift6])
        return Mux(send_prefix, prefix[:width], Mux(outer6, behind6, behind4))
