"""Stage 2 of the word parser: the walk through the headers, one view of two halves a clock.

It only decides what the halves are (`Fields`) and notes what follows from them (`Facts`); the bytes themselves are put
away a clock later, by one flag per field.

An IP header is a number of halves long. It begins in the low half of a view, or behind one tag in the high one; then
the walk is ``late``. The header behind it begins ``views`` whole views later, in the low or high half (``place``), and
so does each one behind an extension header: eight bytes at least, so no view has the beginnings of two.
"""

from amaranth.hdl import Mux, Signal
from amaranth.lib import data, enum

from halfsilver.hdl.parser.headers import Kind
from halfsilver.hdl.parser.view import Half, Next

__all__ = ["Facts", "Fields", "State", "Walk"]

_IPV6_VIEWS = 4
"""Whole views between the half that opens an IPv6 header of 40 bytes and the one behind it."""


class State(enum.Enum, shape=3):
    """Position in the frame: what the next view is."""

    START = 0  # two bytes before the frame, destination
    TYPE = 1  # source, ethertype or tag
    TAG = 2  # tag control information and ethertype; then a second tag, or the IP header begins
    IPV4 = 3  # the IP header, up to the view in which the next one begins
    IPV6 = 4
    CHAIN = 5  # extension headers
    DONE = 6


class Facts(data.Struct):
    """What the walk has found out so far."""

    group: 1
    kind: Kind
    ip_complete: 1
    has_protocol: 1
    has_ports: 1
    fragment: 1


class Fields(data.Struct):
    """What the bytes of a view are: a flag for each field that is in it."""

    mac_start: 1
    mac_middle: 1
    mac_end: 1
    first_type: 1
    source_v4: 1
    source: 4
    destination: 4
    protocol_first: 1
    protocol_second: 1
    protocol_third: 1
    ports: 1
    echo: 1


class Walk:
    """The registers of the walk and, beside them, what it says of the view in the clock in which it is there.

    fields      Fields
    even, uneven  Half: of the two, the one that is an even and the one that is an uneven number of halves from the
                start of the IP header
    opening     Half: the one in which the next header would begin
    finish      the frame's last word was in the view a clock ago ...
    facts       ... and this is what was found out

    `take` adds the logic, one method per state; `leap` that for words which are left out.
    """

    def __init__(self, *, egress, extension_headers):
        self._egress, self._extension_headers = egress, extension_headers
        self.fields = Signal(Fields)
        self.even, self.uneven, self.opening = (Signal(Half, name=name) for name in ("even", "uneven", "opening"))
        self.finish = Signal()
        self.facts = Signal(Facts)
        self.state = Signal(State)
        self.following = Signal(Next)  # what comes behind the header being read
        self.late = Signal()  # the IP header began in a high half
        self.uneven_at = Signal(range(8))  # the uneven half of the view is half 2 n + 1 of the IP header ...
        self.even_at = Signal(range(9))  # ... and the even one is half 2 n
        self.here = Signal()  # the next header begins in this view, ...
        self.views = Signal(8)  # ... or so many views later, ...
        self.place = Signal()  # ... in the high half
        self.headers_read = Signal(range(16))
        self.past_bound = Signal()
        self.fragment_behind = Signal()  # not a first fragment: no ports behind this header

    def take(self, m, view):
        """A view of the frame, and the turn to the next frame."""
        m.d.comb += [
            self.even.eq(Mux(self.late, view.high, view.low)),
            self.uneven.eq(Mux(self.late, view.low, view.high)),
            self.opening.eq(Mux(self.place, view.high, view.low)),
        ]
        m.d.sync += self.finish.eq(view.valid & view.last)
        # What is passed on is cleared in the same clock, in which the next frame's first word may already come.
        with m.If(self.finish):
            m.d.sync += self.facts.eq(0)
        states = {
            State.START: self._start,
            State.TYPE: self._type,
            State.TAG: self._tag,
            State.IPV4: self._ipv4,
            State.IPV6: self._ipv6,
            State.CHAIN: self._chain,
        }
        with m.If(view.valid), m.Switch(self.state):
            for state, read in states.items():
                with m.Case(state):
                    read(m, view)
        with m.If(view.valid & view.last):
            m.d.sync += self.state.eq(State.START)

    def leap(self, m, words):
        """Of the words behind the one that was in view last, so many are left out: no more than what is returned.

        To be asked and said while none is on its way. The next header begins ``views`` views behind the next one, and
        the word before that view has its first two bytes.
        """
        spare = Signal.like(self.views)
        with m.If((self.state == State.CHAIN) & ~self.here):
            m.d.comb += spare.eq(self.views - 1)
        with m.If(words != 0):
            m.d.sync += self.views.eq(self.views - words)
        return spare

    def _start(self, m, view):
        began = (self.late, self.uneven_at, self.even_at, self.here, self.views, self.place)
        m.d.sync += [register.eq(0) for register in (*began, self.headers_read, self.past_bound, self.fragment_behind)]
        m.d.comb += [self.fields.mac_start.eq(view.low.complete), self.fields.mac_middle.eq(view.high.complete)]
        m.d.sync += self.state.eq(State.TYPE)
        if not self._egress:
            with m.If(view.low.complete):
                m.d.sync += self.facts.group.eq(view.low.octets[16])

    def _type(self, m, view):
        m.d.comb += [self.fields.mac_end.eq(view.low.complete), self.fields.first_type.eq(view.high.complete)]
        with m.If(view.high.complete):
            with m.If(view.high.type_is_tag):
                m.d.sync += self.state.eq(State.TAG)
            with m.Else():
                self._go_by_kind(m, view.high.type_kind)

    def _tag(self, m, view):
        with m.If(view.low.complete):
            with m.If(~view.low.type_is_tag):
                self._go_by_kind(m, view.low.type_kind)
                m.d.sync += [self.late.eq(1), self.even_at.eq(1)]
                with m.If(view.low.type_kind == Kind.IPV4):
                    self._open_v4(m, view.high, late=1)
                with m.Elif(view.low.type_kind == Kind.IPV6):
                    self._open_v6(m, view.high, late=1)
            with m.Elif(view.high.complete):
                self._go_by_kind(m, view.high.type_kind)

    def _go_by_kind(self, m, kind):
        m.d.sync += self.facts.kind.eq(kind)
        with m.Switch(kind):
            with m.Case(Kind.IPV4):
                m.d.sync += self.state.eq(State.IPV4)
            with m.Case(Kind.IPV6):
                m.d.sync += self.state.eq(State.IPV6)
            with m.Default():
                m.d.sync += self.state.eq(State.DONE)

    def _open_v4(self, m, half, *, late):
        """The first half of an IPv4 header, which says how many it has."""
        left = Signal(4)  # of the header, behind this view
        m.d.comb += left.eq(half.octets[0:4] - (1 if late else 2))
        m.d.sync += [self.views.eq(left >> 1), self.place.eq(left[0])]
        with m.If(~half.sound_v4):
            m.d.sync += self.state.eq(State.DONE)

    def _open_v6(self, m, half, *, late):
        m.d.sync += [self.views.eq(_IPV6_VIEWS), self.place.eq(late)]
        with m.If(~half.sound_v6):
            m.d.sync += self.state.eq(State.DONE)

    def _ipv4(self, m, view):
        fields, facts, even, uneven = self.fields, self.facts, self.even, self.uneven
        self._ip_header(m, view)
        with m.Switch(self.uneven_at):
            with m.Case(0), m.If(uneven.complete):
                m.d.sync += [
                    facts.fragment.eq(uneven.more_fragments | uneven.offset_v4),
                    self.fragment_behind.eq(uneven.offset_v4),
                ]
            with m.Case(1):
                m.d.comb += fields.source_v4.eq(uneven.complete)
        with m.Switch(self.even_at):
            with m.Case(0):
                self._open_v4(m, even, late=0)
            with m.Case(1), m.If(even.complete):
                m.d.comb += fields.protocol_second.eq(1)
                m.d.sync += [facts.has_protocol.eq(1), self.following.eq(even.protocol_kind)]
            with m.Case(2):
                m.d.comb += fields.destination[0].eq(even.complete)

    def _ipv6(self, m, view):
        fields, facts, even, uneven = self.fields, self.facts, self.even, self.uneven
        self._ip_header(m, view)
        with m.Switch(self.uneven_at):
            with m.Case(0), m.If(uneven.complete):
                m.d.comb += fields.protocol_third.eq(1)
                extends = _is_extension(uneven.third_kind)
                m.d.sync += [facts.has_protocol.eq(~extends), self.following.eq(uneven.third_kind)]
            for at, address in ((1, fields.source), (3, fields.destination)):
                for index in range(2):
                    with m.Case(at + index):
                        m.d.comb += address[2 * index + 1].eq(uneven.complete)
        with m.Switch(self.even_at):
            with m.Case(0):
                self._open_v6(m, even, late=0)
            for at, address in ((1, fields.source), (3, fields.destination)):
                for index in range(2):
                    with m.Case(at + index):
                        m.d.comb += address[2 * index].eq(even.complete)

    def _ip_header(self, m, view):
        """Count on through the halves of an IP header, and read what begins behind it."""
        m.d.sync += [self.uneven_at.eq(self.uneven_at + 1), self.even_at.eq(self.even_at + 1)]
        self._count_down(m)
        ends_high = (self.views == 1) & ~self.place & view.high.complete
        ends_low = self.here & self.place & view.low.complete
        with m.If(ends_high | ends_low):
            m.d.sync += self.facts.ip_complete.eq(1)
        with m.If(self.here):
            self._read_next(m)

    def _chain(self, m, view):
        self._count_down(m)
        with m.If(self.here):
            self._read_next(m)

    def _count_down(self, m):
        m.d.sync += [self.views.eq(self.views - 1), self.here.eq(self.views == 1)]

    def _read_next(self, m):
        """What begins in this view: an extension header, ports, or what is not looked at."""
        m.d.sync += self.state.eq(State.DONE)
        ipv6 = self.facts.kind == Kind.IPV6
        with m.If(self.opening.complete):
            with m.If(_is_extension(self.following) & ipv6), m.If(~self.past_bound):
                self._read_extension(m)
            with m.Elif(~self.fragment_behind):
                self._read_payload(m, ipv6)

    def _read_extension(self, m):
        facts, opening = self.facts, self.opening
        length = opening.octets[8:16]
        m.d.comb += self.fields.protocol_first.eq(1)
        m.d.sync += [
            self.state.eq(State.CHAIN),
            self.headers_read.eq(self.headers_read + 1),
            self.past_bound.eq(self.headers_read == self._extension_headers - 1),
            self.following.eq(opening.first_kind),
            facts.has_protocol.eq(~_is_extension(opening.first_kind)),
        ]
        with m.Switch(self.following):
            with m.Case(Next.FRAGMENT):  # two halves
                m.d.sync += [self.views.eq(0), self.here.eq(1)]
                with m.If(opening.fragment_v6):
                    m.d.sync += facts.fragment.eq(1)
                with m.If(opening.offset_v6):
                    m.d.sync += [facts.has_protocol.eq(1), self.state.eq(State.DONE)]
            with m.Case(Next.AH):  # length + 2
                behind = Signal(9)  # halves of it behind this view
                m.d.comb += behind.eq(length + self.place)
                m.d.sync += [
                    self.views.eq(behind >> 1),
                    self.place.eq(behind[0]),
                    self.here.eq(opening.no_length | (opening.one_length & ~self.place)),
                ]
            with m.Default():  # 2 * (length + 1)
                m.d.sync += [self.views.eq(length), self.here.eq(opening.no_length)]

    def _read_payload(self, m, ipv6):
        opening = self.opening
        echo = Mux(
            ipv6, (self.following == Next.ICMPV6) & opening.echo_v6, (self.following == Next.ICMP) & opening.echo_v4
        )
        with m.If(self.following == Next.PORTS):
            m.d.comb += self.fields.ports.eq(1)
            m.d.sync += self.facts.has_ports.eq(1)
        with m.Elif(echo & ~self.facts.fragment & opening.followed):
            m.d.comb += self.fields.echo.eq(1)


def _is_extension(kind):
    return (kind == Next.EXTENSION) | (kind == Next.AH) | (kind == Next.FRAGMENT)
