"""Parser: frame -> Headers (the match key), while the frame streams by.

It stands first in the pipeline, one bank per direction, beside the mirror queue that keeps the copy. Every
header of Ethernet, VLAN, IPv4 and IPv6 (with its extension headers) begins at a byte offset that is 2 modulo 4,
so one small machine that takes four bytes a clock, shifted by two, decides every field at a fixed place
(`WordParser`). Wider data is dealt frame by frame to as many of them as fit the width (`ParserBank`): each
has as many clocks for a frame as the frame has words, which is line rate at any width and any frame size.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, enum, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.packet import packet_signature

__all__ = ["Headers", "Kind", "ParserBank", "WordParser"]

WORD_BYTES = 4

# Ethertypes (IEEE registry) and IP protocol numbers (IANA), as numbers in network order.
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_QINQ = 0x88A8
PROTOCOL_ICMP = 1
PROTOCOL_TCP = 6
PROTOCOL_UDP = 17
PROTOCOL_FRAGMENT = 44
PROTOCOL_AH = 51
PROTOCOL_ICMPV6 = 58
PROTOCOL_EXTENSIONS = (0, 43, 60, 135)  # hop-by-hop, routing, destination options, mobility


class Kind(enum.Enum, shape=2):
    """What the ethertype says the frame carries."""

    OTHER = 0
    ARP = 1
    IPV4 = 2
    IPV6 = 3


class Headers(data.Struct):
    """What the match pipeline knows of a frame.

    Addresses hold the first byte on the wire in their lowest bits; an IPv4 address fills the lowest 32. Ports,
    protocol and echo identifier are numbers.
    """

    mac: 48  # the address that names the owner: destination (ingress) or source (egress)
    group: 1  # the destination address is multicast or broadcast
    kind: Kind
    malformed: 1  # IP header wrong or cut off
    source: 128
    destination: 128
    protocol: 8
    has_protocol: 1
    source_port: 16
    destination_port: 16
    has_ports: 1
    fragment: 1
    echo: 16  # ICMP echo identifier, 0 where there is none


class Next(enum.Enum, shape=3):
    """What a protocol or next-header number means to the parser."""

    OTHER = 0
    PORTS = 1  # TCP, UDP
    ICMP = 2
    ICMPV6 = 3
    EXTENSION = 4  # length in units of eight bytes
    AH = 5  # length in units of four bytes
    FRAGMENT = 6


class State(enum.Enum, shape=4):
    """Position in the frame: what the next four bytes are."""

    MAC_START = 0  # (two bytes before the frame,) destination 0-1
    MAC_MIDDLE = 1  # destination 2-5
    MAC_END = 2  # source 0-3
    TYPE = 3  # source 4-5, or tag control information; ethertype
    IPV4 = 4  # fixed header, five words
    OPTIONS = 5
    IPV6 = 6  # fixed header, ten words
    EXTENSION = 7  # first word of an extension header
    SKIP = 8  # the rest of it
    PORTS = 9  # first word of TCP, UDP, ICMP
    DONE = 10


class Facts(data.Struct):
    """What the walk has found out so far."""

    group: 1
    kind: Kind
    ip_complete: 1
    has_protocol: 1
    has_ports: 1
    fragment: 1


class Fields(data.Struct):
    """What the four bytes of a word are: at most one flag is set."""

    mac_start: 1
    mac_middle: 1
    mac_end: 1
    first_type: 1
    source: 4
    destination: 4
    protocol_first: 1
    protocol_second: 1
    protocol_third: 1
    ports: 1
    echo: 1


def _word_layout():
    return data.StructLayout({"data": 32, "count": range(WORD_BYTES + 1), "last": 1})


def _next_kind(m, name, number):
    """Class of a next-header number, combinational."""
    kind = Signal(Next, name=name)
    with m.Switch(number):
        with m.Case(PROTOCOL_TCP, PROTOCOL_UDP):
            m.d.comb += kind.eq(Next.PORTS)
        with m.Case(PROTOCOL_ICMP):
            m.d.comb += kind.eq(Next.ICMP)
        with m.Case(PROTOCOL_ICMPV6):
            m.d.comb += kind.eq(Next.ICMPV6)
        with m.Case(*PROTOCOL_EXTENSIONS):
            m.d.comb += kind.eq(Next.EXTENSION)
        with m.Case(PROTOCOL_AH):
            m.d.comb += kind.eq(Next.AH)
        with m.Case(PROTOCOL_FRAGMENT):
            m.d.comb += kind.eq(Next.FRAGMENT)
    return kind


def _is_extension(kind):
    return (kind == Next.EXTENSION) | (kind == Next.AH) | (kind == Next.FRAGMENT)


class WordParser(wiring.Component):
    """One frame at a time, four bytes a clock.

    Parameters
    ----------
    egress             the owner's MAC is the source address, else the destination address
    extension_headers  IPv6 extension headers read before giving up, 1 to 15

    Ports
    -----
    i     stream of words: data (first byte lowest), count (valid bytes, fewer than 4 only with last), last
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
        super().__init__(
            {"i": In(stream.Signature(_word_layout())), "o": Out(stream.Signature(Headers)), "done": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        advance = Signal()

        # Stage 1: align by two bytes and classify everything that could be a type field.
        half = Signal(16)  # bytes 2-3 of the previous word
        view = Signal(32)
        lookahead = Signal(16)  # the two bytes behind the view
        valid = Signal()
        complete = Signal()  # all four bytes of the view are in the frame
        followed = Signal()  # and the two behind it
        last = Signal()
        aligned = Cat(half, self.i.p.data[:16])
        type_kind = Signal(Kind)
        type_is_tag = Signal()
        first_kind = Signal(Next)  # byte 0 of the view as a next-header number
        protocol_kind = Signal(Next)  # byte 1 (IPv4) ...
        third_kind = Signal(Next)  # ... and byte 2 (IPv6)
        sound_v4 = Signal()  # byte 0 opens an IPv4 header: version 4, at least five words
        sound_v6 = Signal()
        echo_v4 = Signal()  # byte 0 as an ICMP type
        echo_v6 = Signal()
        more_fragments = Signal()
        offset_v4 = Signal()
        offset_v6 = Signal()
        fragment_v6 = Signal()

        ethertype = Cat(aligned[24:32], aligned[16:24])
        m.d.comb += self.i.ready.eq(advance)
        with m.If(advance):
            m.d.sync += [
                valid.eq(self.i.valid),
                view.eq(aligned),
                lookahead.eq(self.i.p.data[16:]),
                complete.eq(self.i.p.count >= 2),
                followed.eq(self.i.p.count == WORD_BYTES),
                last.eq(self.i.p.last),
                type_is_tag.eq((ethertype == ETHERTYPE_VLAN) | (ethertype == ETHERTYPE_QINQ)),
                first_kind.eq(_next_kind(m, "first_next", aligned[0:8])),
                protocol_kind.eq(_next_kind(m, "protocol_next", aligned[8:16])),
                third_kind.eq(_next_kind(m, "third_next", aligned[16:24])),
                sound_v4.eq((aligned[4:8] == 4) & (aligned[0:4] >= 5)),
                sound_v6.eq(aligned[4:8] == 6),
                echo_v4.eq((aligned[0:8] == 8) | (aligned[0:8] == 0)),
                echo_v6.eq((aligned[0:8] == 128) | (aligned[0:8] == 129)),
                # IPv4: byte 2 is flags and offset high, byte 3 offset low. IPv6: offset in the upper 13 bits.
                more_fragments.eq(aligned[21]),
                offset_v4.eq(aligned[16:21].any() | aligned[24:32].any()),
                offset_v6.eq(aligned[16:24].any() | aligned[27:32].any()),
                fragment_v6.eq(aligned[16:24].any() | aligned[27:32].any() | aligned[24]),
            ]
            with m.Switch(ethertype):
                with m.Case(ETHERTYPE_IPV4):
                    m.d.sync += type_kind.eq(Kind.IPV4)
                with m.Case(ETHERTYPE_IPV6):
                    m.d.sync += type_kind.eq(Kind.IPV6)
                with m.Case(ETHERTYPE_ARP):
                    m.d.sync += type_kind.eq(Kind.ARP)
                with m.Default():
                    m.d.sync += type_kind.eq(Kind.OTHER)
            with m.If(self.i.valid):
                m.d.sync += half.eq(self.i.p.data[16:])

        # Stage 2: the walk through the headers. It only decides what the four bytes are; the bytes themselves are
        # put away a clock later, by one flag per field.
        state = Signal(State)
        facts = Signal(Facts)
        following = Signal(Next)  # what comes behind the header being read
        tags = Signal(range(3))
        word = Signal(range(10))  # word of the fixed IP header
        options = Signal(4)  # option words left
        skip = Signal(10)  # extension-header words left
        headers_read = Signal(range(16))
        past_bound = Signal()
        fragment_behind = Signal()  # not a first fragment: no ports behind this header
        finish = Signal()  # the frame's last word has been taken
        field = Signal(Fields)  # what the bytes of the view are

        def behind(kind):
            """The state that reads what stands behind an IP or extension header."""
            payload = (kind == Next.PORTS) | Mux(facts.kind == Kind.IPV6, kind == Next.ICMPV6, kind == Next.ICMP)
            return Mux(
                _is_extension(kind) & (facts.kind == Kind.IPV6),
                Mux(past_bound, State.DONE, State.EXTENSION),
                Mux(payload & ~fragment_behind, State.PORTS, State.DONE),
            )

        step = Signal()
        m.d.comb += step.eq(valid & advance & complete)
        with m.If(advance):
            m.d.sync += finish.eq(valid & last)
        # What is passed on is cleared in the same clock, in which the next frame's first word may already come.
        with m.If(finish & advance):
            m.d.sync += [
                facts.eq(0),
                tags.eq(0),
                word.eq(0),
                headers_read.eq(0),
                past_bound.eq(0),
                fragment_behind.eq(0),
            ]
        with m.If(step), m.Switch(state):
            with m.Case(State.MAC_START):
                m.d.comb += field.mac_start.eq(1)
                m.d.sync += [state.eq(State.MAC_MIDDLE), facts.group.eq(0 if self._egress else view[16])]
            with m.Case(State.MAC_MIDDLE):
                m.d.comb += field.mac_middle.eq(1)
                m.d.sync += state.eq(State.MAC_END)
            with m.Case(State.MAC_END):
                m.d.comb += field.mac_end.eq(1)
                m.d.sync += state.eq(State.TYPE)
            with m.Case(State.TYPE):
                m.d.comb += field.first_type.eq(tags == 0)
                with m.If(type_is_tag & (tags != 2)):
                    m.d.sync += tags.eq(tags + 1)
                with m.Else():
                    m.d.sync += facts.kind.eq(type_kind)
                    with m.If(type_kind == Kind.IPV4):
                        m.d.sync += state.eq(State.IPV4)
                    with m.Elif(type_kind == Kind.IPV6):
                        m.d.sync += state.eq(State.IPV6)
                    with m.Else():
                        m.d.sync += state.eq(State.DONE)

            with m.Case(State.IPV4):
                m.d.sync += word.eq(word + 1)
                with m.Switch(word):
                    with m.Case(0):
                        m.d.sync += options.eq(view[0:4] - 5)
                        with m.If(~sound_v4):
                            m.d.sync += state.eq(State.DONE)
                    with m.Case(1):
                        m.d.sync += [facts.fragment.eq(more_fragments | offset_v4), fragment_behind.eq(offset_v4)]
                    with m.Case(2):
                        m.d.comb += field.protocol_second.eq(1)
                        m.d.sync += [facts.has_protocol.eq(1), following.eq(protocol_kind)]
                    with m.Case(3):
                        m.d.comb += field.source[0].eq(1)
                    with m.Case(4):
                        m.d.comb += field.destination[0].eq(1)
                        with m.If(options != 0):
                            m.d.sync += state.eq(State.OPTIONS)
                        with m.Else():
                            m.d.sync += [facts.ip_complete.eq(1), state.eq(behind(following))]
            with m.Case(State.OPTIONS):
                m.d.sync += options.eq(options - 1)
                with m.If(options == 1):
                    m.d.sync += [facts.ip_complete.eq(1), state.eq(behind(following))]

            with m.Case(State.IPV6):
                m.d.sync += word.eq(word + 1)
                with m.Switch(word):
                    with m.Case(0), m.If(~sound_v6):
                        m.d.sync += state.eq(State.DONE)
                    with m.Case(1):
                        m.d.comb += field.protocol_third.eq(1)
                        m.d.sync += [facts.has_protocol.eq(~_is_extension(third_kind)), following.eq(third_kind)]
                    for index in range(4):
                        with m.Case(2 + index):
                            m.d.comb += field.source[index].eq(1)
                        with m.Case(6 + index):
                            m.d.comb += field.destination[index].eq(1)
                            if index == 3:
                                m.d.sync += [facts.ip_complete.eq(1), state.eq(behind(following))]

            with m.Case(State.EXTENSION):
                m.d.comb += field.protocol_first.eq(1)
                m.d.sync += [
                    headers_read.eq(headers_read + 1),
                    past_bound.eq(headers_read == self._extension_headers - 1),
                    following.eq(first_kind),
                    facts.has_protocol.eq(~_is_extension(first_kind)),
                    state.eq(State.SKIP),
                ]
                with m.If(following == Next.FRAGMENT):
                    m.d.sync += skip.eq(1)
                    with m.If(fragment_v6):
                        m.d.sync += facts.fragment.eq(1)
                    with m.If(offset_v6):
                        m.d.sync += [facts.has_protocol.eq(1), state.eq(State.DONE)]
                with m.Elif(following == Next.AH):
                    m.d.sync += skip.eq(view[8:16] + 1)
                with m.Else():
                    m.d.sync += skip.eq(Cat(1, view[8:16]))  # 2 * (length + 1) words less the first
            with m.Case(State.SKIP):
                m.d.sync += skip.eq(skip - 1)
                with m.If(skip == 1):
                    m.d.sync += state.eq(behind(following))

            with m.Case(State.PORTS):
                m.d.sync += state.eq(State.DONE)
                is_echo = Mux(following == Next.ICMP, echo_v4, echo_v6)
                with m.If(following == Next.PORTS):
                    m.d.comb += field.ports.eq(1)
                    m.d.sync += facts.has_ports.eq(1)
                with m.Elif(is_echo & ~facts.fragment & followed):
                    m.d.comb += field.echo.eq(1)
        with m.If(valid & advance & last):
            m.d.sync += state.eq(State.MAC_START)

        # Nothing behind DONE matters, but the next frame's first words are already on their way once the
        # last word is in stage 1.
        m.d.comb += self.done.eq((state == State.DONE) & ~(valid & last))

        self._put_away(m, advance, field, view, lookahead, finish, facts)
        return m

    def _put_away(self, m, advance, field, view, lookahead, finish, facts):
        """Stage 3: the bytes go where their flag says; with the frame's last ones, hand over."""
        flag, octets, ahead = Signal(Fields), Signal(32), Signal(16)
        found, complete = Signal(Facts), Signal()
        with m.If(advance):
            m.d.sync += [flag.eq(field), octets.eq(view), ahead.eq(lookahead), complete.eq(finish)]
            with m.If(finish):
                m.d.sync += found.eq(facts)
        headers = Signal(Headers)

        m.d.comb += advance.eq(~complete | ~self.o.valid)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(complete & advance):
            is_ip = (found.kind == Kind.IPV4) | (found.kind == Kind.IPV6)
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.p.eq(headers),
                self.o.p.group.eq(found.group),
                self.o.p.kind.eq(found.kind),
                self.o.p.malformed.eq(is_ip & ~found.ip_complete),
                self.o.p.has_protocol.eq(found.has_protocol),
                self.o.p.has_ports.eq(found.has_ports),
                self.o.p.fragment.eq(found.fragment),
                headers.eq(0),
            ]

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


class _Assembler(wiring.Component):
    """Beats narrower than a word -> words. One beat per clock; latency one clock behind the word's last byte."""

    def __init__(self, width):
        self._width = width
        super().__init__({"i": In(packet_signature(width)), "o": Out(stream.Signature(_word_layout()))})

    def elaborate(self, platform):
        m = Module()
        beats = 32 // self._width
        position = Signal(range(beats))
        gathered = Signal(32)
        complete = self.i.p.last | (position == beats - 1)
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            merged = Signal(32)
            m.d.comb += merged.eq(gathered)
            m.d.comb += merged.word_select(position, self._width).eq(self.i.p.data)
            m.d.sync += [gathered.eq(merged), position.eq(Mux(complete, 0, position + 1))]
            with m.If(complete):
                m.d.sync += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(merged),
                    self.o.p.count.eq(position * (self._width // 8) + self.i.p.count),
                    self.o.p.last.eq(self.i.p.last),
                ]
        return m


class _Serializer(wiring.Component):
    """Buffered beats of a word or more -> words; drops whole beats while ``skip`` is set.

    The buffer lets one frame arrive while the words of the one before are still being read.
    """

    DEPTH = 16

    def __init__(self, width):
        self._width = width
        super().__init__({"i": In(packet_signature(width)), "o": Out(stream.Signature(_word_layout())), "skip": In(1)})

    def elaborate(self, platform):
        m = Module()
        layout = self.i.p.shape()
        buffer = fifo.SyncFIFOBuffered(width=layout.size, depth=self.DEPTH)
        m.submodules.buffer = buffer
        m.d.comb += [buffer.w_data.eq(self.i.payload), buffer.w_en.eq(self.i.valid), self.i.ready.eq(buffer.w_rdy)]
        beat = data.View(layout, buffer.r_data)
        words = self._width // 32
        index = Signal(range(words))
        count = beat.count
        # The beat's last word is known when it is written into the buffer; here it is only a compare of a few bits.
        final_word = Signal(range(words))
        m.d.comb += final_word.eq((count - 1) >> 2)
        at_end = (index == final_word) | self.skip
        left = Signal(range(WORD_BYTES + 1))
        m.d.comb += left.eq(Mux(index == final_word, ((count - 1) & 3) + 1, WORD_BYTES))
        m.d.comb += [
            self.o.valid.eq(buffer.r_rdy),
            self.o.p.data.eq(beat.data.word_select(index, 32)),
            self.o.p.count.eq(left),
            self.o.p.last.eq(beat.last & at_end),
            buffer.r_en.eq(self.o.ready & at_end),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += index.eq(Mux(at_end, 0, index + 1))
        return m


class ParserBank(wiring.Component):
    """As many word parsers as the width needs, dealt frames in turn, answers in frame order.

    Parameters: ``parameters`` (NicParameters), ``egress`` as in WordParser.

    Ports
    -----
    i  packet stream; frames of any length from 1 byte
    o  stream of Headers, one per frame, in order

    Throughput: one beat per clock for frames whose headers end within about 200 bytes; longer chains of
    IPv6 extension headers are read at four bytes a clock and hold ``i.ready`` low meanwhile.
    Latency: Headers at most (words of the header) + 6 clocks after the frame's last beat.
    """

    def __init__(self, parameters, *, egress):
        self._parameters = parameters
        self._egress = egress
        self.lanes = max(1, parameters.width // 32)
        super().__init__({"i": In(packet_signature(parameters.width)), "o": Out(stream.Signature(Headers))})

    def elaborate(self, platform):
        m = Module()
        width = self._parameters.width
        feeders, parsers = [], []
        for lane in range(self.lanes):
            parser = WordParser(egress=self._egress, extension_headers=self._parameters.extension_headers)
            feeder = _Assembler(width) if width < 32 else _Serializer(width)
            m.submodules[f"parser_{lane}"] = parser
            m.submodules[f"feeder_{lane}"] = feeder
            wiring.connect(m, feeder.o, parser.i)
            if width >= 32:
                m.d.comb += feeder.skip.eq(parser.done)
            feeders.append(feeder)
            parsers.append(parser)

        dealt = Signal(range(self.lanes))  # the lane that takes the current frame
        due = Signal(range(self.lanes))  # the lane whose answer comes next
        m.d.comb += self.i.ready.eq(Array(feeder.i.ready for feeder in feeders)[dealt])
        m.d.comb += self.o.valid.eq(Array(parser.o.valid for parser in parsers)[due])
        m.d.comb += self.o.payload.eq(Array(parser.o.payload.as_value() for parser in parsers)[due])
        for lane, (feeder, parser) in enumerate(zip(feeders, parsers, strict=True)):
            m.d.comb += [
                feeder.i.payload.eq(self.i.payload),
                feeder.i.valid.eq(self.i.valid & (dealt == lane)),
                parser.o.ready.eq(self.o.ready & (due == lane)),
            ]
        if self.lanes > 1:
            with m.If(self.i.valid & self.i.ready & self.i.p.last):
                m.d.sync += dealt.eq(dealt + 1)
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += due.eq(due + 1)
        return m
