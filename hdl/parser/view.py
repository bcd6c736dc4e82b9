"""Stage 1 of the word parser: align the words by two bytes, and say what each could be.

Headers begin two bytes into a word, so the walk looks at the end of one word and the start of the next. What those
four bytes would mean as an ethertype, a next-header number or the start of an IP header is compared here, a clock
before the walk knows which of it they are.
"""

from amaranth.hdl import Cat, Signal
from amaranth.lib import data, enum, stream

from halfsilver.hdl.layout.assigned_numbers import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_QINQ,
    ETHERTYPE_VLAN,
    ICMP_ECHO,
    ICMPV6_ECHO,
    PROTOCOL_AH,
    PROTOCOL_EXTENSIONS,
    PROTOCOL_FRAGMENT,
    PROTOCOL_ICMP,
    PROTOCOL_ICMPV6,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
)
from halfsilver.hdl.parser.headers import Kind

__all__ = ["IPV4_LEAST_WORDS", "WORD_BYTES", "Next", "View", "align", "word_signature"]

WORD_BYTES = 4

IPV4_LEAST_WORDS = 5
"""RFC 791: the shortest header length."""


class Next(enum.Enum, shape=3):
    """What a protocol or next-header number means to the parser."""

    OTHER = 0
    PORTS = 1  # TCP, UDP
    ICMP = 2
    ICMPV6 = 3
    EXTENSION = 4  # length in units of eight bytes
    AH = 5  # length in units of four bytes
    FRAGMENT = 6


def word_signature():
    """Stream of words: data (first byte lowest), count (valid bytes, fewer than 4 only with last), last."""
    return stream.Signature(data.StructLayout({"data": 32, "count": range(WORD_BYTES + 1), "last": 1}))


class View:
    """The registers of stage 1: four bytes, and what they would be at each place where they may stand."""

    def __init__(self):
        self.valid = Signal()
        self.octets = Signal(32, name="view")
        self.lookahead = Signal(16)  # the two bytes behind them
        self.complete = Signal()  # all four bytes are in the frame
        self.followed = Signal()  # and the two behind them
        self.last = Signal()
        self.type_kind = Signal(Kind)
        self.type_is_tag = Signal()
        self.first_kind = Signal(Next)  # byte 0 as a next-header number
        self.protocol_kind = Signal(Next)  # byte 1 (IPv4) ...
        self.third_kind = Signal(Next)  # ... and byte 2 (IPv6)
        self.sound_v4 = Signal()  # byte 0 opens an IPv4 header: version 4, at least five words
        self.sound_v6 = Signal()
        self.echo_v4 = Signal()  # byte 0 as an ICMP type
        self.echo_v6 = Signal()
        self.more_fragments = Signal()
        self.offset_v4 = Signal()
        self.offset_v6 = Signal()
        self.fragment_v6 = Signal()


def align(m, words, advance):
    """Words -> View, one clock later; stands still unless ``advance``."""
    view = View()
    half = Signal(16)  # bytes 2-3 of the previous word
    aligned = Cat(half, words.p.data[:16])
    ethertype = Cat(aligned[24:32], aligned[16:24])
    m.d.comb += words.ready.eq(advance)
    with m.If(advance):
        m.d.sync += [
            view.valid.eq(words.valid),
            view.octets.eq(aligned),
            view.lookahead.eq(words.p.data[16:]),
            view.complete.eq(words.p.count >= 2),
            view.followed.eq(words.p.count == WORD_BYTES),
            view.last.eq(words.p.last),
            view.type_kind.eq(_type_kind(m, ethertype)),
            view.type_is_tag.eq((ethertype == ETHERTYPE_VLAN) | (ethertype == ETHERTYPE_QINQ)),
            view.first_kind.eq(_next_kind(m, "first_next", aligned[0:8])),
            view.protocol_kind.eq(_next_kind(m, "protocol_next", aligned[8:16])),
            view.third_kind.eq(_next_kind(m, "third_next", aligned[16:24])),
            view.sound_v4.eq((aligned[4:8] == 4) & (aligned[0:4] >= IPV4_LEAST_WORDS)),
            view.sound_v6.eq(aligned[4:8] == 6),
            view.echo_v4.eq(aligned[0:8].matches(*ICMP_ECHO)),
            view.echo_v6.eq(aligned[0:8].matches(*ICMPV6_ECHO)),
            # IPv4: byte 2 is flags and offset high, byte 3 offset low. IPv6: offset in the upper 13 bits.
            view.more_fragments.eq(aligned[21]),
            view.offset_v4.eq(aligned[16:21].any() | aligned[24:32].any()),
            view.offset_v6.eq(aligned[16:24].any() | aligned[27:32].any()),
            view.fragment_v6.eq(aligned[16:24].any() | aligned[27:32].any() | aligned[24]),
        ]
        with m.If(words.valid):
            m.d.sync += half.eq(words.p.data[16:])
    return view


def _type_kind(m, ethertype):
    """Kind of an ethertype, combinational."""
    kind = Signal(Kind)
    with m.Switch(ethertype):
        for number, meaning in ((ETHERTYPE_IPV4, Kind.IPV4), (ETHERTYPE_IPV6, Kind.IPV6), (ETHERTYPE_ARP, Kind.ARP)):
            with m.Case(number):
                m.d.comb += kind.eq(meaning)
        with m.Default():
            m.d.comb += kind.eq(Kind.OTHER)
    return kind


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
