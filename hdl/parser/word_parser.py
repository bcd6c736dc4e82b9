"""Word parser: one frame at a time, four bytes a clock, in three stages: view, walk, and the putting away here."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.parser.headers import Headers, Kind
from halfsilver.hdl.parser.view import align, word_signature
from halfsilver.hdl.parser.walk import Facts, Fields, State, Walk

__all__ = ["WordParser"]


class WordParser(wiring.Component):
    """One frame at a time, four bytes a clock.

    Parameters
    ----------
    egress             the owner's MAC is the source address, else the destination address
    extension_headers  IPv6 extension headers read before giving up, 1 to 15

    Ports
    -----
    i     stream of words, as in `halfsilver.hdl.parser.view.word_signature`
    o     stream of Headers, one per frame
    done  nothing more of the current frame matters: the feeder may hand over only its last word

    Throughput: one word per clock, frames back to back without idle clock as long as ``o`` is taken.
    Latency: Headers stand at ``o`` four clocks after the last word.
    Bad input: a frame that ends in the middle of a header never stalls; see ``docs/mirroring.md`` section 3.
    """

    def __init__(self, *, egress, extension_headers):
        if not 1 <= extension_headers <= 15:
            raise ValueError(f"extension_headers must be 1 to 15, not {extension_headers!r}")
        self._egress = bool(egress)
        self._extension_headers = extension_headers
        super().__init__({"i": In(word_signature()), "o": Out(stream.Signature(Headers)), "done": Out(1)})

    def elaborate(self, platform):
        m = Module()
        advance = Signal()
        view = align(m, self.i, advance)
        walk = Walk(egress=self._egress, extension_headers=self._extension_headers)
        walk.take(m, view, advance)
        # Nothing behind DONE matters, but the next frame's first words are already on their way once the
        # last word is in the view.
        m.d.comb += self.done.eq((walk.state == State.DONE) & ~(view.valid & view.last))
        headers, found, complete = self._put_away(m, view, walk, advance)
        m.d.comb += advance.eq(~complete | ~self.o.valid)
        self._hand_over(m, headers, found, complete & advance)
        return m

    def _put_away(self, m, view, walk, advance):
        """Stage 3: the bytes go where their flag says. Returns headers, facts, and that they are complete."""
        flag, octets, ahead = Signal(Fields), Signal(32), Signal(16)
        found, complete = Signal(Facts), Signal()
        with m.If(advance):
            m.d.sync += [
                flag.eq(walk.field),
                octets.eq(view.octets),
                ahead.eq(view.lookahead),
                complete.eq(walk.finish),
            ]
            with m.If(walk.finish):
                m.d.sync += found.eq(walk.facts)

        headers = Signal(Headers)
        with m.If(complete & advance):
            m.d.sync += headers.eq(0)

        def put(when, target, value):
            with m.If(when & advance):
                m.d.sync += target.eq(value)

        if self._egress:
            put(flag.mac_end, headers.mac[0:32], octets)
            put(flag.first_type, headers.mac[32:48], octets[0:16])
        else:
            put(flag.mac_start, headers.mac[0:16], octets[16:32])
            put(flag.mac_middle, headers.mac[16:48], octets)
        for index in range(4):
            put(flag.source[index], headers.source.word_select(index, 32), octets)
            put(flag.destination[index], headers.destination.word_select(index, 32), octets)
        put(flag.protocol_first, headers.protocol, octets[0:8])
        put(flag.protocol_second, headers.protocol, octets[8:16])
        put(flag.protocol_third, headers.protocol, octets[16:24])
        put(flag.ports, headers.source_port, Cat(octets[8:16], octets[0:8]))
        put(flag.ports, headers.destination_port, Cat(octets[24:32], octets[16:24]))
        put(flag.echo, headers.echo, Cat(ahead[8:16], ahead[0:8]))
        return headers, found, complete

    def _hand_over(self, m, headers, found, ready):
        """With the frame's last bytes: what was put away and what was found out, to the output."""
        is_ip = (found.kind == Kind.IPV4) | (found.kind == Kind.IPV6)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(ready):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.p.eq(headers),
                self.o.p.group.eq(found.group),
                self.o.p.kind.eq(found.kind),
                self.o.p.malformed.eq(is_ip & ~found.ip_complete),
                self.o.p.has_protocol.eq(found.has_protocol),
                self.o.p.has_ports.eq(found.has_ports),
                self.o.p.fragment.eq(found.fragment),
            ]
