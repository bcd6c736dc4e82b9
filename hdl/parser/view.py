"""Stage 1 of the word parser: align the words by two bytes, and say what each half could be.

Every header begins at a byte offset that is 2 modulo 4. So a view is the last two bytes of one word and the first six
of the next, in two halves of four bytes, and headers begin where halves do. What a half would mean as an ethertype, a
next-header number or the start of an IP header is compared here, a clock before the walk knows which of it it is.
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

__all__ = ["WORD_BITS", "WORD_BYTES", "Half", "Next", "View", "align", "word_signature"]

WORD_BYTES = 8
WORD_BITS = 8 * WORD_BYTES

_HALF_BYTES = 4

_AHEAD_BYTES = 2

_IPV4_LEAST_HALVES = 5
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
    """Stream of words: data (first byte lowest), count (valid bytes, fewer than 8 only with last), last.

    Whoever takes it is always ready.
    """
    layout = data.StructLayout({"data": WORD_BITS, "count": range(WORD_BYTES + 1), "last": 1})
    return stream.Signature(layout, always_ready=True)


class Half(data.Struct):
    """Four bytes, and what they would be at each place where they may stand."""

    octets: 32
    ahead: 16  # the two bytes behind them
    complete: 1  # all four bytes are in the frame ...
    followed: 1  # ... and the two behind them
    type_kind: Kind  # bytes 2-3 as an ethertype
    type_is_tag: 1
    first_kind: Next  # byte 0 as a next-header number
    protocol_kind: Next  # byte 1 (IPv4) ...
    third_kind: Next  # ... and byte 2 (IPv6)
    sound_v4: 1  # byte 0 opens an IPv4 header: version 4, at least five halves
    sound_v6: 1
    echo_v4: 1  # byte 0 as an ICMP type
    echo_v6: 1
    more_fragments: 1  # bytes 2-3 as flags and fragment offset of IPv4 ...
    offset_v4: 1
    offset_v6: 1  # ... and of IPv6
    fragment_v6: 1
    no_length: 1  # byte 1 as a length is 0 ...
    one_length: 1  # ... or 1


class View:
    """The registers of stage 1.

    valid, last  a word is in view, the frame's last
    low, high    Half: its two halves, in wire order
    """

    def __init__(self):
        self.valid = Signal()
        self.last = Signal()
        self.low = Signal(Half, name="view_low")
        self.high = Signal(Half, name="view_high")


def align(m, words):
    """Words -> View, one clock later."""
    view = View()
    carried = Signal(8 * _AHEAD_BYTES)  # the last two bytes of the word before
    octets = Cat(carried, words.p.data)
    m.d.sync += [view.valid.eq(words.valid), view.last.eq(words.p.last)]
    with m.If(words.valid):
        m.d.sync += carried.eq(words.p.data[-8 * _AHEAD_BYTES :])
    for half, start in ((view.low, 0), (view.high, _HALF_BYTES)):
        _compare(m, half, octets[8 * start :])
        # Of this word, a half has two bytes less than it is long, and the two behind it.
        m.d.sync += [
            half.complete.eq(words.p.count >= start + _HALF_BYTES - _AHEAD_BYTES),
            half.followed.eq(words.p.count >= start + _HALF_BYTES),
        ]
    return view


def _compare(m, half, octets):
    """What four bytes, and the two behind them, would be: to the registers of a half."""
    ethertype = Cat(octets[24:32], octets[16:24])
    m.d.sync += [
        half.octets.eq(octets[:32]),
        half.ahead.eq(octets[32:48]),
        half.type_kind.eq(_type_kind(m, ethertype)),
        half.type_is_tag.eq((ethertype == ETHERTYPE_VLAN) | (ethertype == ETHERTYPE_QINQ)),
        half.first_kind.eq(_next_kind(m, "first_next", octets[0:8])),
        half.protocol_kind.eq(_next_kind(m, "protocol_next", octets[8:16])),
        half.third_kind.eq(_next_kind(m, "third_next", octets[16:24])),
        half.sound_v4.eq((octets[4:8] == 4) & (octets[0:4] >= _IPV4_LEAST_HALVES)),
        half.sound_v6.eq(octets[4:8] == 6),
        half.echo_v4.eq(octets[0:8].matches(*ICMP_ECHO)),
        half.echo_v6.eq(octets[0:8].matches(*ICMPV6_ECHO)),
        # IPv4: byte 2 is flags and offset high, byte 3 offset low. IPv6: offset in the upper 13 bits.
        half.more_fragments.eq(octets[21]),
        half.offset_v4.eq(octets[16:21].any() | octets[24:32].any()),
        half.offset_v6.eq(octets[16:24].any() | octets[27:32].any()),
        half.fragment_v6.eq(octets[16:24].any() | octets[27:32].any() | octets[24]),
        half.no_length.eq(octets[8:16] == 0),
        half.one_length.eq(octets[8:16] == 1),
    ]


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
