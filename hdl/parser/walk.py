"""Stage 2 of the word parser: the walk through the headers, four bytes a clock.

It only decides what the four bytes are (`Fields`) and notes what follows from them (`Facts`); the bytes themselves
are put away a clock later, by one flag per field.
"""

from amaranth.hdl import Cat, Mux, Signal
from amaranth.lib import data, enum

from halfsilver.hdl.parser.headers import Kind
from halfsilver.hdl.parser.view import IPV4_LEAST_WORDS, Next

__all__ = ["Facts", "Fields", "State", "Walk"]


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


class Walk:
    """The registers of the walk and, in ``field``, ``finish`` and ``facts``, what it says.

    field    what the bytes of the view are, in the clock in which they are in it
    finish   the frame's last word was in the view a clock ago ...
    facts    ... and this is what was found out

    `take` adds the logic: one word whenever ``advance``. One method per state.
    """

    def __init__(self, *, egress, extension_headers):
        self._egress, self._extension_headers = egress, extension_headers
        self.field = Signal(Fields)
        self.finish = Signal()
        self.facts = Signal(Facts)
        self.state = Signal(State)
        self.following = Signal(Next)  # what comes behind the header being read
        self.tags = Signal(range(3))
        self.word = Signal(range(10))  # word of the fixed IP header
        self.options = Signal(4)  # option words left
        self.skip = Signal(10)  # extension-header words left
        self.headers_read = Signal(range(16))
        self.past_bound = Signal()
        self.fragment_behind = Signal()  # not a first fragment: no ports behind this header

    def take(self, m, view, advance):
        """One word of the frame, and the turn to the next frame."""
        step = Signal()
        m.d.comb += step.eq(view.valid & advance & view.complete)
        with m.If(advance):
            m.d.sync += self.finish.eq(view.valid & view.last)
        # What is passed on is cleared in the same clock, in which the next frame's first word may already come.
        with m.If(self.finish & advance):
            started = (self.facts, self.tags, self.word, self.headers_read, self.past_bound, self.fragment_behind)
            m.d.sync += [register.eq(0) for register in started]
        states = {
            State.MAC_START: self._mac_start,
            State.MAC_MIDDLE: self._mac_middle,
            State.MAC_END: self._mac_end,
            State.TYPE: self._type,
            State.IPV4: self._ipv4,
            State.OPTIONS: self._options,
            State.IPV6: self._ipv6,
            State.EXTENSION: self._extension,
            State.SKIP: self._skip,
            State.PORTS: self._ports,
        }
        with m.If(step), m.Switch(self.state):
            for state, read in states.items():
                with m.Case(state):
                    read(m, view)
        with m.If(view.valid & advance & view.last):
            m.d.sync += self.state.eq(State.MAC_START)

    def _mac_start(self, m, view):
        m.d.comb += self.field.mac_start.eq(1)
        group = 0 if self._egress else view.octets[16]
        m.d.sync += [self.state.eq(State.MAC_MIDDLE), self.facts.group.eq(group)]

    def _mac_middle(self, m, view):
        m.d.comb += self.field.mac_middle.eq(1)
        m.d.sync += self.state.eq(State.MAC_END)

    def _mac_end(self, m, view):
        m.d.comb += self.field.mac_end.eq(1)
        m.d.sync += self.state.eq(State.TYPE)

    def _type(self, m, view):
        tags = self.tags
        m.d.comb += self.field.first_type.eq(tags == 0)
        with m.If(view.type_is_tag & (tags != 2)):
            m.d.sync += tags.eq(tags + 1)
        with m.Else():
            m.d.sync += self.facts.kind.eq(view.type_kind)
            with m.If(view.type_kind == Kind.IPV4):
                m.d.sync += self.state.eq(State.IPV4)
            with m.Elif(view.type_kind == Kind.IPV6):
                m.d.sync += self.state.eq(State.IPV6)
            with m.Else():
                m.d.sync += self.state.eq(State.DONE)

    def _ipv4(self, m, view):
        field, facts, options = self.field, self.facts, self.options
        m.d.sync += self.word.eq(self.word + 1)
        with m.Switch(self.word):
            with m.Case(0):
                m.d.sync += options.eq(view.octets[0:4] - IPV4_LEAST_WORDS)
                with m.If(~view.sound_v4):
                    m.d.sync += self.state.eq(State.DONE)
            with m.Case(1):
                m.d.sync += [
                    facts.fragment.eq(view.more_fragments | view.offset_v4),
                    self.fragment_behind.eq(view.offset_v4),
                ]
            with m.Case(2):
                m.d.comb += field.protocol_second.eq(1)
                m.d.sync += [facts.has_protocol.eq(1), self.following.eq(view.protocol_kind)]
            with m.Case(3):
                m.d.comb += field.source[0].eq(1)
            with m.Case(4):
                m.d.comb += field.destination[0].eq(1)
                with m.If(options != 0):
                    m.d.sync += self.state.eq(State.OPTIONS)
                with m.Else():
                    m.d.sync += [facts.ip_complete.eq(1), self.state.eq(self._behind(self.following))]

    def _options(self, m, view):
        m.d.sync += self.options.eq(self.options - 1)
        with m.If(self.options == 1):
            m.d.sync += [self.facts.ip_complete.eq(1), self.state.eq(self._behind(self.following))]

    def _ipv6(self, m, view):
        field, facts = self.field, self.facts
        m.d.sync += self.word.eq(self.word + 1)
        with m.Switch(self.word):
            with m.Case(0), m.If(~view.sound_v6):
                m.d.sync += self.state.eq(State.DONE)
            with m.Case(1):
                m.d.comb += field.protocol_third.eq(1)
                m.d.sync += [facts.has_protocol.eq(~_is_extension(view.third_kind)), self.following.eq(view.third_kind)]
            for index in range(4):
                with m.Case(2 + index):
                    m.d.comb += field.source[index].eq(1)
                with m.Case(6 + index):
                    m.d.comb += field.destination[index].eq(1)
                    if index == 3:
                        m.d.sync += [facts.ip_complete.eq(1), self.state.eq(self._behind(self.following))]

    def _extension(self, m, view):
        facts, skip, headers_read = self.facts, self.skip, self.headers_read
        m.d.comb += self.field.protocol_first.eq(1)
        m.d.sync += [
            headers_read.eq(headers_read + 1),
            self.past_bound.eq(headers_read == self._extension_headers - 1),
            self.following.eq(view.first_kind),
            facts.has_protocol.eq(~_is_extension(view.first_kind)),
            self.state.eq(State.SKIP),
        ]
        length = view.octets[8:16]
        with m.If(self.following == Next.FRAGMENT):
            m.d.sync += skip.eq(1)
            with m.If(view.fragment_v6):
                m.d.sync += facts.fragment.eq(1)
            with m.If(view.offset_v6):
                m.d.sync += [facts.has_protocol.eq(1), self.state.eq(State.DONE)]
        with m.Elif(self.following == Next.AH):
            m.d.sync += skip.eq(length + 1)
        with m.Else():
            m.d.sync += skip.eq(Cat(1, length))  # 2 * (length + 1) words less the first

    def _skip(self, m, view):
        m.d.sync += self.skip.eq(self.skip - 1)
        with m.If(self.skip == 1):
            m.d.sync += self.state.eq(self._behind(self.following))

    def _ports(self, m, view):
        m.d.sync += self.state.eq(State.DONE)
        is_echo = Mux(self.following == Next.ICMP, view.echo_v4, view.echo_v6)
        with m.If(self.following == Next.PORTS):
            m.d.comb += self.field.ports.eq(1)
            m.d.sync += self.facts.has_ports.eq(1)
        with m.Elif(is_echo & ~self.facts.fragment & view.followed):
            m.d.comb += self.field.echo.eq(1)

    def _behind(self, kind):
        """The state that reads what stands behind an IP or extension header."""
        ipv6 = self.facts.kind == Kind.IPV6
        payload = (kind == Next.PORTS) | Mux(ipv6, kind == Next.ICMPV6, kind == Next.ICMP)
        return Mux(
            _is_extension(kind) & ipv6,
            Mux(self.past_bound, State.DONE, State.EXTENSION),
            Mux(payload & ~self.fragment_behind, State.PORTS, State.DONE),
        )


def _is_extension(kind):
    return (kind == Next.EXTENSION) | (kind == Next.AH) | (kind == Next.FRAGMENT)
