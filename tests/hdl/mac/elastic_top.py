"""The MAC with its core's streams connected, between a player and a recorder of GMII octets: long runs at full rate.

Instead of I/O cells there are memories: what comes in is played from one, again and again, and what goes out is
recorded in another, so that the simulation runs without Python in each clock.
"""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.mac.mac import Mac

LANES = 8
"""Entries of the record in a word."""

VALID, ERROR = 1 << 8, 1 << 9
"""Of an entry, over the octet."""

GIGABIT_UP = 0b1101
STALL_PATTERN = 64

SCRIPT = 16_384
"""Entries that can be played."""

RECORD = 32_768
"""Words that can be recorded."""


class _Plain(wiring.Component):
    """A cell that connects ``signal`` with both halves; the pin is not used."""

    def __init__(self, signal, pins, receives):
        self._signal, self._receives = signal, receives
        super().__init__({"i": In(pins if receives else 2 * pins), "o": Out(2 * pins if receives else pins)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self._signal) if self._receives else self._signal.eq(self.i)
        return m


class _Cells:
    clock_domain = "tx"

    def __init__(self):
        self.came = {4: Signal(8), 1: Signal(2)}
        self.went = {4: Signal(8), 1: Signal(2)}

    def receive(self, width):
        return _Plain(self.came[width], width, True)

    def transmit(self, width, *, clock=False):
        return _Plain(Signal(2) if clock else self.went[width], width, False)


class ElasticTop(wiring.Component):
    """Ports
    -----
    wire_clk, clk125  the sender's clock, and that of transmission
    load              each clock of ``wire_clk`` puts ``entry`` behind the script
    play              play the script, ``repeats`` times
    stalls            the core passes nothing in clocks in which this pattern has 0; it begins anew with each frame
    word              `LANES` entries of the record at ``place``; it begins with the first valid one
    """

    def __init__(self, width, **options):
        self.cells = _Cells()
        self.mac = Mac(width, self.cells, **options)
        members = self.mac.signature.members
        super().__init__(
            {
                "wire_clk": In(1),
                "clk125": In(1),
                "load": In(1),
                "entry": In(10),
                "play": In(1),
                "repeats": In(16),
                "stalls": In(STALL_PATTERN),
                "place": In(range(RECORD)),
                "word": Out(10 * LANES),
                "received": Out(members["received"].shape.size),
                "sent": Out(members["sent"].shape.size),
                "up": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains += [ClockDomain(name, reset_less=True) for name in ("gmii", "wire")]
        m.d.comb += [ClockSignal("gmii").eq(self.clk125), ClockSignal("wire").eq(self.wire_clk)]
        m.submodules.mac = mac = self.mac
        m.d.comb += [
            mac.rgmii.rx_clk.eq(self.wire_clk),
            mac.manual.eq(1),
            mac.manual_status.as_value().eq(GIGABIT_UP),
            self.received.eq(mac.received),
            self.sent.eq(mac.sent),
            self.up.eq(mac.status.link),
        ]
        self._player(m)
        self._core(m)
        self._recorder(m)
        return m

    def _player(self, m):
        store = memory.Memory(shape=10, depth=SCRIPT, init=[])
        m.submodules.script = DomainRenamer("wire")(store)
        write, read = store.write_port(), store.read_port()
        length, times, playing = Signal(range(SCRIPT + 1)), Signal(16), Signal()
        m.d.comb += [write.addr.eq(length), write.data.eq(self.entry), write.en.eq(self.load)]
        m.d.wire += length.eq(length + self.load)
        going = self.play & (times != self.repeats)
        m.d.wire += playing.eq(going)
        with m.If(going):
            m.d.wire += read.addr.eq(read.addr + 1)
            with m.If(read.addr == length - 1):
                m.d.wire += [read.addr.eq(0), times.eq(times + 1)]
        entry = Signal(10)
        with m.If(playing):
            m.d.comb += entry.eq(read.data)
        came = self.cells.came
        m.d.wire += [came[4].eq(entry[:8]), came[1].eq(Cat(entry[8], entry[8] ^ entry[9]))]

    def _core(self, m):
        mac = self.mac
        turn, first = Signal(STALL_PATTERN), Signal(init=1)
        passes = turn[0] | first
        m.d.comb += [
            mac.i.payload.eq(mac.o.payload),
            mac.i.valid.eq(mac.o.valid & passes),
            mac.o.ready.eq(mac.i.ready & passes),
        ]
        m.d.sync += turn.eq(Cat(turn[1:], turn[0]))
        with m.If(mac.i.valid & mac.i.ready):
            m.d.sync += first.eq(mac.i.payload.last)
            with m.If(first):
                m.d.sync += turn.eq(self.stalls)

    def _recorder(self, m):
        store = memory.Memory(shape=10 * LANES, depth=RECORD, init=[])
        m.submodules.record = DomainRenamer("gmii")(store)
        write, read = store.write_port(), store.read_port(domain="comb")
        entry, word = Signal(10), Signal(10 * LANES)
        lane, place = Signal(range(LANES)), Signal(range(RECORD + 1))
        begun = Signal()
        went = self.cells.went
        m.d.comb += [
            entry.eq(Cat(went[4], went[1][0], went[1][0] ^ went[1][1])),
            write.data.eq(word),
            write.addr.eq(place),
            write.en.eq(begun & (lane == 0) & (place != RECORD)),
            read.addr.eq(self.place),
            self.word.eq(read.data),
        ]
        m.d.gmii += word.eq(Cat(word[10:], entry))
        with m.If(begun | entry[8]):
            m.d.gmii += [begun.eq(1), lane.eq(lane + 1)]
        with m.If(write.en):
            m.d.gmii += place.eq(place + 1)
