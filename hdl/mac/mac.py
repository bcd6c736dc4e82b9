"""The MAC: a port of the card, between RGMII pins and the core's packet streams."""

from math import ceil

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer
from amaranth.lib.fifo import AsyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import MAX_FRAME, check_width
from halfsilver.hdl.mac.counts import FrameCounts
from halfsilver.hdl.mac.limits import crossing_words, elastic_octets, receive_crossing_words, start_words, store_words
from halfsilver.hdl.mac.queue import TransmitQueue
from halfsilver.hdl.mac.receiver import GmiiReceiver
from halfsilver.hdl.mac.rgmii import RgmiiReceiver, RgmiiTransmitter
from halfsilver.hdl.mac.status import CLOCK_DIVIDER, LinkStatus, Settled
from halfsilver.hdl.mac.store import ReceiveStore
from halfsilver.hdl.mac.transmitter import GmiiTransmitter
from halfsilver.hdl.mac.words import Received, RgmiiSignature, Sent, Speed, Status, counts_of, received_word
from halfsilver.hdl.packet import packet_signature
from halfsilver.hdl.pipeline import delay

__all__ = ["STALL_CLOCKS", "Mac"]

STALL_CLOCKS = 1 << 14
"""Clocks of the core until a receive clock that does not come is given up: 262 us at 62.5 MHz. At 10 Mb/s its beat
changes each 6.4 us."""

_ROOM = 3
"""Words that are kept free in the receive crossing: so many clocks late its level is used."""

_EVENTS = 4

_RESET_CLOCKS = 128
"""Of the core, in which the wire's clocks are reset, if they run, and everything has arrived everywhere."""
_RESET_STAGES = 8
"""Clocks of the wire that a reset lasts when the clock comes back: three of a core of 32 MHz."""
_CUT_CLOCKS = 3
"""Of the core: so long after a receive clock was given up nothing of before is on the way to the store."""


class Mac(wiring.Component):
    """A port at 10, 100 or 1,000 Mb/s, full duplex, for a core of any width and clock.

    Parameters
    ----------
    width          bits of the packet streams; the core's clock must be above 1,000 MHz / ``width`` by more than
                   200 ppm, from 32 bits up twice that: 62.5 MHz at 32 bits has a word each second clock
    cells          I/O cells of the FPGA family: `Ecp5Cells(...)`, or `SimulationCells()`
    longest        longest frame in octets without FCS; longer ones that are received are giants
    store          depth of the receive store in words; at least, and by default, the words of the longest frame and
                   one, rounded up to whole block RAMs of 512
    hesitation     so many octet times of 1 Gb/s (8 ns) the core may be late within a frame that it sends
    transmit_domain  clock of 125 MHz of the design above, for transmission
    stall_clocks   see `STALL_CLOCKS`

    Ports
    -----
    rgmii          the pins, behind plain buffers (`RgmiiSignature`)
    o              packets from the wire; ``bad`` where `Received` says so, and ``drop`` is 0
    i              packets to the wire, 60 octets or padded; ``bad`` ones get an inverted FCS, ``drop`` is not looked at
    manual         take ``manual_status`` (link, speed, duplex) instead of the PHY's in-band status
    whole          hand a received frame over when it is whole: needed if the port it goes out of is faster than this
    status         link, speed, duplex; ``clock``: the receive clock is running
    received       counters of received frames by `Received`, 32 bits, saturating
    sent           counters of frames to be sent by `Sent`

    All ports but the pins are in domain ``sync``, whose reset, for a clock or more, is that of the whole MAC; a frame
    in the middle of which it comes is lost without an end, and for 128 clocks more nothing is taken or given. Where a
    clock of the wire stands meanwhile its side is reset when it comes back, and nothing is taken or given until then.
    ``transmit_domain`` is used for its clock alone.

    Latency at 1 Gb/s: the first beat of a received frame is at ``o`` at most ``width // 8`` + 10 clocks of the wire and
    7 of the core after its first octet was at the pins: 224 ns at 32 bits and 62.5 MHz. A frame to be sent has its
    first preamble octet at the pins at most 9 clocks of 125 MHz after ``start_octets`` of it, or all, were taken:
    136 ns after its first beat, if the core gives a word in each clock.
    Throughput: the wire's, each way. A sender that is 200 ppm faster than this port's clock is followed by gaps of 8
    octets and more (`GmiiTransmitter`); one that is 200 ppm slower does not cut a frame (`start_words`).

    Bad days: a link that goes down in the middle of a frame ends it (RUNT, FCS); frames to be sent are DISCARDED
    while there is no link, so that the core never waits for it. A receive clock that stops is given up after
    ``stall_clocks``: the link is down, a frame of which the core had a word ends (STALL), and the receiver begins anew
    when the clock comes back: what is left of a frame then is passed over, and the PHY must say again that it has a
    link. A transmit clock that stops holds the core back, whose other port then drops whole frames (OVERFLOW); a frame
    that is taken after a reset is sent, or counted, however late that clock comes.

    Clock crossings: received words, frames' words to be sent, outcomes of sent frames: AsyncFIFO, Gray-coded; ends of
    frames to be sent: Gray-coded counter (`TransmitQueue`); in-band status, speed and link: `Settled`; the beat of
    the receive clock, and whether the transmit clock's reset is over: FFSynchronizer, one bit; resets:
    ResetSynchronizer, from a flip-flop. There is no other.
    Source: IEEE 802.3, RGMII 2.0.
    """

    def __init__(
        self,
        width,
        cells,
        *,
        longest=MAX_FRAME,
        store=None,
        hesitation=8,
        transmit_domain="gmii",
        stall_clocks=STALL_CLOCKS,
    ):
        octets = check_width(width) // 8
        if hesitation < 0:
            raise ValueError(f"hesitation must be 0 octets or more, not {hesitation!r}")
        least = store_words(octets, longest)
        if store is not None and store < least:
            raise ValueError(f"store must be at least {least} words of {octets} octets, not {store!r}")
        self._width, self._cells, self._longest = width, cells, longest
        self._store = ceil(least / 512) * 512 if store is None else store
        self._start = start_words(octets, longest, hesitation)
        self._crossing = crossing_words(octets, longest, hesitation)
        self._transmit_domain, self._stall_clocks = transmit_domain, stall_clocks
        assert self._crossing >= self._start + ceil(elastic_octets(longest) / octets)
        status = Status.members | {"clock": 1}
        super().__init__(
            {
                "rgmii": Out(RgmiiSignature()),
                "i": In(packet_signature(width)),
                "o": Out(packet_signature(width)),
                "manual": In(1),
                "manual_status": In(Status),
                "whole": In(1),
                "status": Out(type(Status)(status)),
                "received": Out(counts_of(Received)),
                "sent": Out(counts_of(Sent)),
            }
        )

    @property
    def start_octets(self):
        """Octets of a frame that must be there before it is sent, if it has more."""
        return self._start * self._width // 8

    def elaborate(self, platform):
        m = Module()
        m.domains.rx, m.domains.tx = ClockDomain("rx", local=True), ClockDomain("tx", local=True)
        m.d.comb += [ClockSignal("rx").eq(self.rgmii.rx_clk), ClockSignal("tx").eq(ClockSignal(self._transmit_domain))]
        link = self._link(m)
        held, cut = self._reset(m, link.lost)
        self._receive(m, link, cut)
        self._transmit(m, link, held)
        return m

    def _reset(self, m, lost):
        """The wire's clocks are reset by the core's reset, and longer than it; the receive clock also where it was
        ``lost``. A clock that stands is reset by its first edges. Returns whether the core has to hold frames back
        until the transmit clock was, and when the receive store has to cut the frame that it is in.

        A crossing that is written by the core is not empty when only its write side was reset: its read side goes on
        to where it was before, a word per clock. That is what the transmit clock's reset waits for.
        """
        asleep, rx_asleep = Signal(init=1), Signal(init=1)
        clocks = Signal(range(_RESET_CLOCKS), init=_RESET_CLOCKS - 1)
        m.d.sync += [asleep.eq(clocks != 0), rx_asleep.eq((clocks != 0) | lost)]
        with m.If(clocks != 0):
            m.d.sync += clocks.eq(clocks - 1)
        m.submodules.rx_reset = ResetSynchronizer(rx_asleep, domain="rx", stages=_RESET_STAGES)
        tx_stages = _RESET_STAGES + 2 * self._crossing
        m.submodules.tx_reset = ResetSynchronizer(asleep, domain="tx", stages=tx_stages)

        tx_asleep, held = Signal(), Signal(init=1)
        m.submodules.tx_asleep = FFSynchronizer(ResetSignal("tx"), tx_asleep)
        m.d.sync += held.eq(asleep | tx_asleep)
        return held, delay(m, lost, _CUT_CLOCKS, "lost")

    def _link(self, m):
        """Status in the core's clock, and the speed in the other two."""
        m.submodules.link = link = LinkStatus(self._stall_clocks)
        beat = Signal(range(2 * CLOCK_DIVIDER), reset_less=True)
        m.d.rx += beat.eq(beat + 1)
        m.d.comb += [
            link.beat.eq(beat[-1]),
            link.manual.eq(self.manual),
            link.manual_status.eq(self.manual_status),
            self.status.link.eq(link.status.link),
            self.status.speed.eq(link.status.speed),
            self.status.duplex.eq(link.status.duplex),
            self.status.clock.eq(link.clock),
        ]
        return link

    def _receive(self, m, link, cut):
        """Pins, octets, words, crossing, store."""
        word = received_word(self._width)
        m.submodules.rx_data = data = DomainRenamer("rx")(self._cells.receive(4))
        m.submodules.rx_ctl = ctl = DomainRenamer("rx")(self._cells.receive(1))
        m.submodules.rx_octets = octets = DomainRenamer("rx")(RgmiiReceiver())
        m.submodules.receiver = receiver = DomainRenamer("rx")(GmiiReceiver(self._width, self._longest))
        depth = receive_crossing_words(self._width // 8)
        m.submodules.rx_crossing = crossing = AsyncFIFOBuffered(
            width=word.size, depth=depth + 1, r_domain="sync", w_domain="rx", exact_depth=True
        )
        # So that ready comes from a flip-flop.
        room = Signal()
        m.d.rx += room.eq(crossing.w_level <= depth - _ROOM)
        m.submodules.store = store = ReceiveStore(self._width, self._store, self._longest)
        m.submodules.received = received = FrameCounts(Received)

        gigabit = Signal(init=1)
        m.d.sync += gigabit.eq(link.status.speed == Speed.M1000)
        m.submodules.rx_speed = speed = DomainRenamer("rx")(Settled(1, init=1))
        m.d.comb += [
            speed.i.eq(gigabit),
            octets.gigabit.eq(speed.o),
            link.inband.eq(octets.inband),
            data.i.eq(self.rgmii.rx_data),
            ctl.i.eq(self.rgmii.rx_ctl),
            octets.data.eq(data.o),
            octets.ctl.eq(ctl.o),
            crossing.w_data.eq(receiver.o.payload),
            crossing.w_en.eq(receiver.o.valid & room),
            receiver.o.ready.eq(room),
            store.i.payload.eq(crossing.r_data),
            store.i.valid.eq(crossing.r_rdy),
            crossing.r_en.eq(1),
            store.cut.eq(cut),
            store.whole.eq(self.whole),
            received.ended.eq(store.ended),
            received.outcome.eq(store.outcome),
            self.received.eq(received.counts),
        ]
        wiring.connect(m, octets.gmii, receiver.gmii)
        wiring.connect(m, store.o, wiring.flipped(self.o))

    def _transmit(self, m, link, held):
        """Queue with its crossing, octets, pins; outcomes back to the core."""
        m.submodules.queue = queue = TransmitQueue(self._width, self._crossing, self._start)
        m.submodules.transmitter = transmitter = DomainRenamer("tx")(GmiiTransmitter(self._width))
        m.submodules.tx_octets = octets = DomainRenamer("tx")(RgmiiTransmitter())
        m.submodules.tx_data = data = DomainRenamer("tx")(self._cells.transmit(4))
        m.submodules.tx_ctl = ctl = DomainRenamer("tx")(self._cells.transmit(1))
        m.submodules.tx_clk = clk = DomainRenamer(self._cells.clock_domain)(self._cells.transmit(1, clock=True))
        m.submodules.tx_outcomes = outcomes = AsyncFIFOBuffered(
            width=Sent.as_shape().width, depth=_EVENTS + 1, r_domain="sync", w_domain="tx", exact_depth=True
        )
        m.submodules.sent = sent = FrameCounts(Sent)

        m.submodules.tx_status = status = DomainRenamer("tx")(Settled(3, init=Speed.M1000.value << 1))
        m.d.comb += [
            status.i.eq(Cat(link.status.link, link.status.speed)),
            transmitter.link.eq(status.o[0]),
            octets.speed.eq(status.o[1:]),
            transmitter.may_start.eq(queue.may_start),
            transmitter.take.eq(octets.take),
            octets.idle.eq(transmitter.idle),
            data.i.eq(octets.data),
            ctl.i.eq(octets.ctl),
            clk.i.eq(octets.clock),
            self.rgmii.tx_data.eq(data.o),
            self.rgmii.tx_ctl.eq(ctl.o),
            self.rgmii.tx_clk.eq(clk.o),
            outcomes.w_data.eq(transmitter.outcome),
            outcomes.w_en.eq(transmitter.ended),
            outcomes.r_en.eq(1),
            sent.ended.eq(outcomes.r_rdy),
            sent.outcome.eq(outcomes.r_data),
            self.sent.eq(sent.counts),
        ]
        m.d.comb += [
            queue.i.payload.eq(self.i.payload),
            queue.i.valid.eq(self.i.valid & ~held),
            self.i.ready.eq(queue.i.ready & ~held),
        ]
        wiring.connect(m, queue.o, transmitter.i)
        wiring.connect(m, transmitter.gmii, octets.gmii)
