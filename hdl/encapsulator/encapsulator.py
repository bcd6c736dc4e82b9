"""The encapsulator itself: prefixes each copy with its outer headers and sends it, beat for beat."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.encapsulator.descriptor import CopyDescriptor, spreading
from halfsilver.hdl.encapsulator.outer_header import OuterHeader, ending_layout
from halfsilver.hdl.encapsulator.template_memory import TemplateMemory
from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.layout.outer import PREFIX_IPV4, PREFIX_IPV6
from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.table_port import TablePort

__all__ = ["Encapsulator"]


@dataclass(frozen=True)
class _NextCopy:
    """The copy whose prefix is loaded: the prefix, how the copy will end, and what can be sent of it now."""

    prefix: Signal
    ending: data.View
    send_prefix: Signal  # a whole beat of the prefix
    send_first: Signal  # the rest of the prefix with the copy's first bytes


class Encapsulator(wiring.Component):
    """Prefixes each copy with its outer headers: 50 bytes over IPv4, 70 over IPv6.

    Parameters
    ----------
    parameters : NicParameters
        ``width``, ``enis`` and ``receivers`` are used.

    Ports
    -----
    i_copy
        One descriptor per copy, in the order of the copies.
    i
        The copies: exactly ``length`` bytes each, ``last`` on the last beat. ``count`` is not looked at (the
        descriptor's length decides), neither are ``bad`` and ``drop``.
    o
        The outer packets, ``bad`` and ``drop`` 0. Bytes past ``count`` are undefined.
    write
        Table write port; table 2 in the layout of `halfsilver.hdl.layout.outer`.
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

    WRITE_CLOCKS = TemplateMemory.WRITE_CLOCKS

    def __init__(self, parameters):
        self._width = check_width(parameters.width)
        self._eni_bits, self._receiver_bits = parameters.eni_bits, parameters.receiver_bits
        super().__init__(
            {
                "i_copy": In(stream.Signature(spreading(CopyDescriptor, parameters.receiver_bits))),
                "i": In(packet_signature(self._width)),
                "o": Out(packet_signature(self._width)),
                "write": In(TablePort()),
                "done": Out(1),
                "done_bank": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.header = header = OuterHeader(self._width // 8, self._eni_bits, self._receiver_bits)
        wiring.connect(m, wiring.flipped(self.i_copy), header.i)
        wiring.connect(m, wiring.flipped(self.write), header.write)
        room = Signal()
        m.d.comb += room.eq(~self.o.valid | self.o.ready)

        between_copies = Signal(init=1)
        leaves = Signal()
        next_copy = self._load(m, header, room, between_copies, leaves)
        sends, taken, final, ending = self._sequence(m, room, between_copies, leaves, next_copy)
        self._output(m, room, sends, final, ending)
        with m.If(room):
            m.d.sync += self.o.payload.data.eq(self._merged(m, taken, between_copies, next_copy, ending.outer6))
        return m

    def _load(self, m, header, room, between_copies, leaves):
        """The next copy's prefix leaves its register from the bottom: whole beats of it are counted down, the rest
        goes out in front of the copy's first bytes, when it ``leaves``.
        """
        beat_bytes = self._width // 8
        loaded = Signal()
        prefix = Signal(PREFIX_IPV6 * 8)
        whole_beats = Signal(range(PREFIX_IPV6 // beat_bytes + 1))
        any_whole = Signal()
        coming = Signal(ending_layout(beat_bytes))
        send_prefix, send_first = Signal(), Signal()
        m.d.comb += [
            send_prefix.eq(between_copies & loaded & any_whole),
            send_first.eq(between_copies & loaded & ~any_whole),
        ]
        # With beats of up to 8 bytes a copy takes at least one more beat after its first bytes, time enough to
        # load; wider, the next prefix must come in as this one leaves.
        m.d.comb += header.o.ready.eq(~loaded | leaves if beat_bytes > 8 else ~loaded)
        with m.If(header.o.valid & header.o.ready):
            new_beats = Mux(header.o.payload.ending.outer6, PREFIX_IPV6 // beat_bytes, PREFIX_IPV4 // beat_bytes)
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
        return _NextCopy(prefix, coming, send_prefix, send_first)

    def _sequence(self, m, room, between_copies, leaves, next_copy):
        """Prefix, body, tail: what is sent in this clock, whether a beat of the copy is taken, how the copy ends."""
        current = Signal(next_copy.ending.shape())  # of the copy being sent, once its first bytes have left
        in_body, in_tail = Signal(), Signal()
        send_body = Signal()
        taken = Signal()
        m.d.comb += [
            send_body.eq(in_body | next_copy.send_first),
            self.i.ready.eq(send_body & room),
            taken.eq(self.i.valid & self.i.ready),
            leaves.eq(taken & next_copy.send_first),
        ]
        ending = Signal.like(current)
        m.d.comb += ending.eq(Mux(between_copies, next_copy.ending, current))
        with m.If(taken):
            m.d.sync += [
                in_body.eq(~self.i.payload.last),
                in_tail.eq(self.i.payload.last & ending.spills),
                between_copies.eq(self.i.payload.last & ~ending.spills),
                current.eq(ending),
            ]
        with m.Elif(in_tail & room):
            m.d.sync += [in_tail.eq(0), between_copies.eq(1)]
        final = in_tail | (send_body & self.i.payload.last & ~ending.spills)
        return next_copy.send_prefix | taken | in_tail, taken, final, ending

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

    def _merged(self, m, taken, between_copies, next_copy, outer6):
        """The next output beat: prefix, or the bytes left over from the last beat in front of this one's."""
        width = self._width
        shift4, shift6 = PREFIX_IPV4 * 8 % width, PREFIX_IPV6 * 8 % width
        copy = self.i.payload.data
        held = Signal(max(shift4, shift6))
        with m.If(taken):
            m.d.sync += held.eq(Mux(outer6, copy[width - shift6 :], copy[width - shift4 :]))
        front = Mux(between_copies, next_copy.prefix[: len(held)], held)
        behind4 = Cat(front[:shift4], copy[: width - shift4])
        behind6 = Cat(front[:shift6], copy[: width - shift6])
        return Mux(next_copy.send_prefix, next_copy.prefix[:width], Mux(outer6, behind6, behind4))
