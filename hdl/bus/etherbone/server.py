"""Registers over Etherbone (UDP), as LiteX's ``CommUDP`` and ``litex_server --udp`` speak it; and ARP, to be found.

Etherbone: "Specification: EtherBone Core" 0.2 (GSI, CERN), in LiteX's form: version 1, byte addresses, 32-bit words.
"""

from ipaddress import IPv4Address

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.etherbone.buffer import HALF_BITS, HALF_BYTES, INDEX_BITS, FrameBuffer, FrameWriter
from halfsilver.hdl.bus.etherbone.divert import check_mac
from halfsilver.hdl.bus.etherbone.request import (
    ARP_IPV4,
    ARP_REQUEST,
    ETHERBONE_VERSION,
    VERSION_IHL,
    At,
    Request,
    halves,
)
from halfsilver.hdl.bus.register_file import RegisterBus
from halfsilver.hdl.checksum import add_with_carry
from halfsilver.hdl.layout.assigned_numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTOCOL_UDP
from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.layout.register_map import ADDRESS_BITS, WORD_BITS, WORD_BYTES
from halfsilver.hdl.packet import beat_layout, packet_signature

__all__ = ["ETHERBONE_PORT", "EtherboneServer"]

ETHERBONE_PORT = 1234
"""LiteX's."""

_ARP_REPLY = ARP_REQUEST + 1
_DO_NOT_FRAGMENT = 0x4000
_TTL = 64
_LEAST_HALVES = 30
"""Of a frame: 60 bytes (IEEE 802.3, without FCS)."""

_PROBE_REPLY = 0x0200
_ALL_BYTES = 0x0F
_TO_ONE_ADDRESS = 0x40
"""The record's flag wff: all its words are written to the base address."""
_CONFIG_SPACE = 0x23
"""The flags bca, rca and wca: another address space, which there is not."""


class EtherboneServer(wiring.Component):
    """Frames for the card, to the register bus, and answers.

    Parameters: ``width`` of the streams; ``mac`` (six bytes), ``ip`` (IPv4), ``port``; ``base``, the address of the
    registers, a multiple of 4096.

    Ports
    -----
    i          frames, of which those for ``mac`` and broadcasts matter (`Divert`); there is no ready
    o          answers: 60 bytes or more, without FCS
    bus        the registers
    dropped    frames that came while one was being answered, were marked bad, or are too long; wraps
    refused    frames that are not what is answered, or have a wrong checksum; wraps

    What is answered: ARP requests for ``ip``; Etherbone probes; Etherbone records over IPv4 and UDP to ``port``, any
    number in a datagram, each of up to 255 writes and 255 reads as far as a frame goes. Within a record writes come
    first. All reads of a datagram are answered by one datagram to where it came from, with a record for each that
    reads; who only writes gets no answer.

    Bad input. Nothing of a frame is done before all of it is there and its checksums are right (IPv4; UDP, unless it
    is 0). A record that does not fit into its datagram is not begun, and ends it. Not answered: IP options, fragments,
    VLAN tags, other versions and sizes. Records for the configuration space, or for fewer than all bytes of a word,
    write nothing and read 0. Addresses outside the registers read as 0 and ignore writes.

    Throughput: a frame is read twice at 16 bits a clock, and each read takes the registers' time; meanwhile other
    frames are dropped. There is no acknowledgement of writes, so who sends more than one datagram waits for the answer
    to a read before the next. Latency: about a clock per byte of the frame, and 6 more per word that is read.
    """

    def __init__(self, width, mac, ip, port=ETHERBONE_PORT, base=0):
        self.width = check_width(width)
        self._mac, self._ip = check_mac(mac), IPv4Address(ip).packed
        if not 0 < port < 1 << HALF_BITS:
            raise ValueError(f"port must be 1 to 65535, not {port!r}")
        if not 0 <= base < 1 << WORD_BITS or base % (1 << ADDRESS_BITS):
            raise ValueError(f"base must be a multiple of {1 << ADDRESS_BITS:#x} below 2**32, not {base!r}")
        self._port, self._base = port, base
        super().__init__(
            {
                "i": In(stream.Signature(beat_layout(width), always_ready=True)),
                "o": Out(packet_signature(width)),
                "bus": Out(RegisterBus()),
                "dropped": Out(16),
                "refused": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = FrameBuffer(self.width)
        m.submodules.request = request = Request(self._mac, self._ip, self._port)
        m.submodules.writer = writer = FrameWriter(self.width)
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        wiring.connect(m, writer.o, wiring.flipped(self.o))
        with m.If(buffer.dropped):
            m.d.sync += self.dropped.eq(self.dropped + 1)

        # ``half`` is what stands at ``at``, always: the buffer is asked a clock ahead.
        at, following, half = Signal(INDEX_BITS), Signal(INDEX_BITS), buffer.half
        m.d.sync += at.eq(following)
        m.d.comb += [following.eq(at), buffer.index.eq(following)]
        m.d.comb += [request.octets.eq(buffer.octets), request.at.eq(at), request.half.eq(half)]

        answer_end, checksum = Signal(INDEX_BITS), Signal(HALF_BITS + 1)
        header = self._header(request, answer_end, checksum)[at]

        def step():
            m.d.comb += following.eq(at + 1)

        def refuse():
            m.d.sync += self.refused.eq(self.refused + 1)

        def release():
            m.d.comb += buffer.release.eq(1)
            m.next = "WAIT"

        with m.FSM():
            with m.State("WAIT"):
                m.d.comb += [request.clear.eq(1), following.eq(0)]
                m.d.sync += [answer_end.eq(At.RECORDS), checksum.eq(0)]
                with m.If(buffer.full):
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += request.valid.eq(1)
                step()
                with m.If(request.finished):
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.comb += following.eq(At.RECORDS)
                m.next = "RECORD"
                with m.If(request.arp):
                    m.d.sync += answer_end.eq(At.ARP_END)
                    m.d.comb += following.eq(0)
                    m.next = "SEND"
                with m.Elif(request.probe):
                    m.d.sync += answer_end.eq(request.end)
                    m.next = "FLAGS"
                with m.If(~request.good):
                    refuse()
                    release()

            self._records(m, buffer, request, at, answer_end, step, refuse, release)

            with m.State("FLAGS"):
                m.d.comb += [
                    buffer.w_enable.eq(1),
                    buffer.w_index.eq(At.ETHERBONE_FLAGS),
                    buffer.w_half.eq(ETHERBONE_VERSION | Mux(request.probe, _PROBE_REPLY, 0)),
                    following.eq(At.IP),
                ]
                m.next = "SUM"
            with m.State("SUM"):
                step()
                with m.If(at != At.IP_CHECKSUM):
                    m.d.sync += checksum.eq(add_with_carry(checksum, header))
                with m.If(at == At.UDP - 1):
                    m.next = "FOLD"
            with m.State("FOLD"):
                m.d.sync += checksum.eq(~add_with_carry(checksum, 0)[:HALF_BITS])
                m.d.comb += following.eq(0)
                m.next = "SEND"
            with m.State("SEND"):
                last = (at >= _LEAST_HALVES - 1) & (at + 1 >= answer_end)
                m.d.comb += [
                    writer.i.valid.eq(1),
                    writer.i.p.half.eq(Mux(at < At.ETHERBONE, header, Mux(at < answer_end, half, 0))),
                    writer.i.p.last.eq(last),
                ]
                with m.If(writer.i.ready):
                    step()
                    with m.If(last):
                        release()
        return m

    def _header(self, request, answer_end, checksum):
        """The first 42 bytes of the answer, by place."""

        def parts(value):
            return [value.word_select(place, HALF_BITS) for place in reversed(range(len(value) // HALF_BITS))]

        def octets(begin):
            return ((answer_end - begin) * HALF_BYTES)[:HALF_BITS]

        arp = [*ARP_IPV4, _ARP_REPLY, *halves(self._mac), *halves(self._ip), *parts(request.mac), *parts(request.ip)]
        ip = [
            VERSION_IHL << 8,
            octets(At.IP),
            0,
            _DO_NOT_FRAGMENT,
            _TTL << 8 | PROTOCOL_UDP,
            checksum[:HALF_BITS],
            *halves(self._ip),
            *parts(request.ip),
        ]
        udp = [self._port, request.port, octets(At.UDP), 0]  # 0: no checksum (RFC 768)
        assert len(arp) == len(ip) + len(udp) == At.ETHERBONE - At.IP
        rest = [Mux(request.arp, one, other) for one, other in zip(arp, ip + udp, strict=True)]
        return Array([*parts(request.mac), *halves(self._mac), Mux(request.arp, ETHERTYPE_ARP, ETHERTYPE_IPV4), *rest])

    def _records(self, m, buffer, request, at, answer_end, step, refuse, release):
        """States: one record after the other, from RECORD on; the answer is written over what has been read."""
        half = buffer.half
        flags, writes, reads = Signal(HALF_BITS), Signal(8), Signal(8)
        word, second = Signal(WORD_BITS), Signal()
        extended = Cat(half, word)[:WORD_BITS]
        place = Signal(WORD_BITS)
        plain = (flags[:8] == _ALL_BYTES) & ((flags[8:] & _CONFIG_SPACE) == 0)
        inside = plain & (place[ADDRESS_BITS:] == self._base >> ADDRESS_BITS)
        m.d.comb += [self.bus.address.eq(place[:ADDRESS_BITS]), self.bus.write_data.eq(word)]

        def put(value):
            m.d.comb += [buffer.w_enable.eq(1), buffer.w_index.eq(answer_end), buffer.w_half.eq(value)]
            m.d.sync += answer_end.eq(answer_end + 1)

        def take(into, state):
            """32 bits, then the state."""
            step()
            m.d.sync += [into.eq(extended), word.eq(extended), second.eq(~second)]
            with m.If(second):
                m.next = state

        left = request.end - at
        behind = Signal(INDEX_BITS)  # a record's counts, up to the datagram's end
        with m.State("RECORD"):
            step()
            m.d.sync += [flags.eq(half), second.eq(0)]
            m.next = "COUNTS"
            with m.If(left < 2):
                m.next = "FLAGS"
                with m.If(answer_end == At.RECORDS):
                    release()
        with m.State("COUNTS"):
            step()
            m.d.sync += [writes.eq(half[8:]), reads.eq(half[:8]), behind.eq(left - 1)]
            m.next = "ROOM"
        with m.State("ROOM"):
            needed = writes + writes.any() + reads + reads.any()
            m.next = "RECORD"
            with m.If(writes.any()):
                m.next = "BASE"
            with m.Elif(reads.any()):
                m.next = "ANSWER"
            with m.If(behind < needed * (WORD_BYTES // HALF_BYTES)):
                refuse()
                m.next = "FLAGS"
                with m.If(answer_end == At.RECORDS):
                    release()

        with m.State("BASE"):
            take(place, "WORD")
        with m.State("WORD"):
            take(word, "WRITE")
        with m.State("WRITE"):
            m.d.comb += self.bus.write.eq(inside)
            m.d.sync += writes.eq(writes - 1)
            with m.If((flags[8:] & _TO_ONE_ADDRESS) == 0):
                m.d.sync += place.eq(place + WORD_BYTES)
            m.next = "WORD"
            with m.If(writes == 1):
                m.next = "RECORD"
                with m.If(reads.any()):
                    m.next = "ANSWER"

        # An answer is a record of writes, to where the one who asked wants them.
        with m.State("ANSWER"):
            put(_ALL_BYTES)
            m.next = "ANSWER COUNTS"
        with m.State("ANSWER COUNTS"):
            put(reads << 8)
            m.next = "RETURN"
        with m.State("RETURN"):
            put(half)
            take(word, "ADDRESS")
        with m.State("ADDRESS"):
            take(place, "READ")
        with m.State("READ"):
            m.d.comb += self.bus.read.eq(inside)
            m.next = "AWAIT"
        with m.State("AWAIT"), m.If(self.bus.read_valid | ~inside):
            m.d.sync += word.eq(Mux(inside, self.bus.read_data, 0))
            m.next = "HIGH"
        with m.State("HIGH"):
            put(word[HALF_BITS:])
            m.next = "LOW"
        with m.State("LOW"):
            put(word[:HALF_BITS])
            m.d.sync += reads.eq(reads - 1)
            m.next = "ADDRESS"
            with m.If(reads == 1):
                m.next = "RECORD"
