"""Word parser: one frame at a time, eight bytes a clock, in three stages: view, walk, and the putting away here."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.parser.headers import Headers, Kind
from halfsilver.hdl.parser.view import align, word_signature
from halfsilver.hdl.parser.walk import Facts, Fields, State, Walk

__all__ = ["WordParser"]


class WordParser(wiring.Component):
    """One frame at a time, eight bytes a clock; it never stalls.

    Parameters
    ----------
    leaps              words inside long extension headers may be left out
    egress             the owner's MAC is the source address, else the destination address
    extension_headers  IPv6 extension headers read before giving up, 1 to 15

    Ports
    -----
    i     stream of words, as in `halfsilver.hdl.parser.view.word_signature`
    o     stream of Headers, one per frame, each for one clock: whoever takes them is always ready
    done  nothing more of the current frame matters: the feeder may hand over only its last word

    With ``leaps``, both in a clock in which no word is on its way to the walk (LEAP_CLOCKS after the last one):

    spare     of the words that follow in the frame so many say nothing (8 bits)
    left_out  so many of them will not come

    Throughput: one word per clock, whatever the headers are, frames back to back without idle clock.
    Latency: Headers stand at ``o`` LATENCY clocks after the last word.
    Bad input: a frame that ends in the middle of a header never stalls; see ``docs/mirroring.md`` section 3.
    """

    LATENCY = 3

    LEAP_CLOCKS = 2

    def __init__(self, *, egress, extension_headers, leaps=False):
        if not 1 <= extension_headers <= 15:
            raise ValueError(f"extension_headers must be 1 to 15, not {extension_headers!r}")
        self._egress = bool(egress)
        self._extension_headers = extension_headers
        self._leaps = leaps
        ports = {"i": In(word_signature()), "o": Out(stream.Signature(Headers, always_ready=True)), "done": Out(1)}
        super().__init__(ports | ({"spare": Out(8), "left_out": In(8)} if leaps else {}))

    def elaborate(self, platform):
        m = Module()
        view = align(m, self.i)
        walk = Walk(egress=self._egress, extension_headers=self._extension_headers)
        walk.take(m, view)
        if self._leaps:
            m.d.comb += self.spare.eq(walk.leap(m, self.left_out))
        # Nothing behind DONE matters, but the next frame's first words are already on their way once the
        # last word is in the view.
        m.d.comb += self.done.eq((walk.state == State.DONE) & ~(view.valid & view.last))
        found = Signal(Facts)
        m.d.sync += [found.eq(walk.facts), self.o.valid.eq(walk.finish)]
        headers = self._put_away(m, view, walk)
        is_ip = (found.kind == Kind.IPV4) | (found.kind == Kind.IPV6)
        m.d.comb += [
            self.o.p.eq(headers),
            self.o.p.group.eq(found.group),
            self.o.p.kind.eq(found.kind),
            self.o.p.malformed.eq(is_ip & ~found.ip_complete),
            self.o.p.has_protocol.eq(found.has_protocol),
            self.o.p.has_ports.eq(found.has_ports),
            self.o.p.fragment.eq(found.fragment),
        ]
        return m

    def _put_away(self, m, view, walk):
        """Stage 3: the bytes go where their flag says, and are cleared in the clock in which they are at ``o``."""
        fields, low, high = Signal(Fields), Signal(32), Signal(32)
        even, uneven, opening, ahead = Signal(32), Signal(32), Signal(32), Signal(16)
        m.d.sync += [
            fields.eq(walk.fields),
            low.eq(view.low.octets),
            high.eq(view.high.octets),
            even.eq(walk.even.octets),
            uneven.eq(walk.uneven.octets),
            opening.eq(walk.opening.octets),
            ahead.eq(walk.opening.ahead),
        ]
        headers = Signal(Headers)
        with m.If(self.o.valid):
            m.d.sync += headers.eq(0)

        def put(when, target, value):
            with m.If(when):
                m.d.sync += target.eq(value)

        if self._egress:
            put(fields.mac_end, headers.mac[0:32], low)
            put(fields.first_type, headers.mac[32:48], high[0:16])
        else:
            put(fields.mac_start, headers.mac[0:16], low[16:32])
            put(fields.mac_middle, headers.mac[16:48], high)
        # Of both families, each source begins in another half and each destination in an even one.
        put(fields.source[0] | fields.source_v4, headers.source[0:32], Mux(fields.source_v4, uneven, even))
        for index in range(4):
            half = uneven if index % 2 else even
            if index:
                put(fields.source[index], headers.source.word_select(index, 32), half)
            put(fields.destination[index], headers.destination.word_select(index, 32), half)
        put(fields.protocol_first, headers.protocol, opening[0:8])
        put(fields.protocol_second, headers.protocol, even[8:16])
        put(fields.protocol_third, headers.protocol, uneven[16:24])
        put(fields.ports, headers.source_port, Cat(opening[8:16], opening[0:8]))
        put(fields.ports, headers.destination_port, Cat(opening[24:32], opening[16:24]))
        put(fields.echo, headers.echo, Cat(ahead[8:16], ahead[0:8]))
        return headers
