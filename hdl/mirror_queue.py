"""Mirror queue: the speculative copy. Every frame is written as it streams by; the verdict commits it or not.

One queue per direction stands between the intake and the encapsulator. A ring of beats holds the frames; two small
FIFOs hold where they lie: `pending` for frames whose verdict is still to come, `committed` for copies that wait to
be sent. A frame that does not fit is rolled back whole; truncation is a matter of how many beats are read.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, enum, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.checksum import PayloadSum
from halfsilver.hdl.encapsulator.descriptor import CopyDescriptor, spreading
from halfsilver.hdl.packet import beat_layout, packet_signature
from halfsilver.hdl.parser.bank import frames_behind
from halfsilver.hdl.pipeline import delay, registered
from halfsilver.hdl.stream.fifo import Fifo

__all__ = ["Decision", "MirrorQueue", "undecided_frames"]

UNDECIDED_FRAMES = 64
"""Frames that may have ended without a verdict, beyond those whose headers may still be read."""

_FULL_CLOCKS = 2
"""From a beat in the ring to ``full``: so many beats may follow unseen."""

_FULL_MARGIN = 4
"""Beats kept free for them."""

_RESERVE_CLOCKS = 3
"""From the beat that ends a frame to ``descriptor_free``: so many frames may each want a descriptor unseen."""

_RING_CLOCKS = 2
"""From an address to the ring's data: the memory and its output register."""

_READ_AHEAD = 16
"""Beats between the ring and the encapsulator. When the encapsulator goes on after it had to wait, what is here must
last until more arrives, or the copy would have a gap."""

_READ_ROOM_CLOCKS = _RING_CLOCKS + 2
"""From an address to ``room``: the ring, the FIFO's level, the register behind it."""

assert _READ_AHEAD - _READ_ROOM_CLOCKS >= _READ_ROOM_CLOCKS + 2, "the read-ahead could run dry within a copy"


def undecided_frames(parameters):
    """Frames that may have ended without a verdict; the intake keeps to it."""
    return UNDECIDED_FRAMES + frames_behind(parameters)


class Decision(data.Struct):
    """The verdict as far as the queue is concerned."""

    mirror: 1
    length: 14  # bytes of the copy
    slot: 8  # outer header template
    source_port: 16
    outer_ipv6: 1


class _ReadState(enum.Enum, shape=2):
    IDLE = 0
    SUM = 1  # read once for the UDP checksum of an IPv6 outer packet
    SETTLE = 2  # wait for the sum
    SEND = 3


@dataclass(frozen=True)
class _Decided:
    """A verdict has come (a clock ago): for the copy, against it, and where the frame ends."""

    any: Signal
    commit: Signal
    let_go: Signal  # a frame that was kept
    end: Signal


class _Fetch:
    """What the reading of the copies asks of the ring, and what it is told."""

    def __init__(self, pointer, beat_bytes):
        self.taken, self.taken_start = Signal(), Signal(pointer)  # a copy has been taken up, and where it begins
        self.done = Signal()  # the last beat of a copy has been asked for
        self.address = Signal(pointer)
        self.for_sum, self.to_send = Signal(), Signal()  # what the beat at the address is wanted for
        self.last = Signal()
        self.end_count = Signal(range(beat_bytes + 1))  # bytes of the last beat
        self.room = Signal()  # for a beat that is sent
        self.summed, self.sum = Signal(), Signal(16)


class MirrorQueue(wiring.Component):
    """Copies of one direction.

    Ports
    -----
    i_valid, i         every beat that the intake accepts, in the clock in which it does
    o_end, o_fits      one clock long, END_LATENCY clocks after a frame's last beat: is the whole frame held?
    i_decided, i_decision   verdicts, in frame order, at least DECIDE_CLOCKS after the frame's o_end
    o_copy             descriptor of the next copy
    o                  its bytes, as many as the descriptor says

    Throughput: one beat per clock in and out; an outer IPv6 copy is read twice (the checksum comes first).
    A frame flagged bad, or for which beats or descriptors run out, is rolled back at once and leaves nothing.
    """

    END_LATENCY = 2

    DECIDE_CLOCKS = 1 + Fifo.LATENCY
    """From ``o_end`` to the frame's place at the output of `pending`, where its verdict is looked up."""

    def __init__(self, parameters):
        self._parameters = parameters
        self.depth = parameters.queue_depth // parameters.beat_bytes
        self._decision = spreading(Decision, parameters.receiver_bits)
        self._descriptor = spreading(CopyDescriptor, parameters.receiver_bits)
        self._pointer = unsigned((self.depth - 1).bit_length() + 1)  # one bit more than an address: full or empty
        super().__init__(
            {
                "i_valid": In(1),
                "i": In(beat_layout(parameters.width)),
                "o_end": Out(1),
                "o_fits": Out(1),
                "i_decided": In(1),
                "i_decision": In(self._decision),
                "o_copy": Out(stream.Signature(self._descriptor)),
                "o": Out(packet_signature(parameters.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=unsigned(self._parameters.width), depth=self.depth, init=[])
        tail = Signal(self._pointer)  # everything before it is free
        descriptor_free = Signal()
        pending, kept = self._write(m, ring, tail, descriptor_free)
        committed, decided = self._decide(m, pending)
        fetch = self._fetch(m, committed)
        self._deliver(m, ring, fetch)
        self._free_descriptors(m, descriptor_free, kept, decided, fetch)
        self._free_beats(m, tail, decided, fetch)
        return m

    def _write(self, m, ring, tail, descriptor_free):
        """Write speculatively; at the frame's end keep it or roll back. Returns the frames that wait for a verdict,
        and high for a clock when one has taken a descriptor.
        """
        span = data.StructLayout({"start": self._pointer, "end": self._pointer, "kept": 1})
        m.submodules.pending = pending = Fifo(span, undecided_frames(self._parameters))
        port = ring.write_port()

        valid = registered(m, self.i_valid, "valid")
        beat = registered(m, self.i, "beat")
        head, start = Signal(self._pointer), Signal(self._pointer)
        first, storing = Signal(init=1), Signal()
        assert _FULL_MARGIN >= _FULL_CLOCKS, "beats would be written over before the ring is known to be full"
        used = delay(m, (head - tail)[: len(head)], _FULL_CLOCKS - 1, "used")
        full = registered(m, used >= self.depth - _FULL_MARGIN, "full")

        store = Signal()
        frame_start = Mux(first, head, start)
        m.d.comb += store.eq(Mux(first, descriptor_free, storing) & ~full)
        m.d.comb += [port.en.eq(valid & store), port.addr.eq(head[:-1]), port.data.eq(beat.data)]
        keep = store & ~beat.bad
        with m.If(valid):
            m.d.sync += [first.eq(beat.last), storing.eq(store), start.eq(frame_start)]
            with m.If(~store | (beat.last & ~keep)):
                m.d.sync += head.eq(frame_start)
            with m.Else():
                m.d.sync += head.eq(head + 1)

        entry = Signal(span)
        pushed = Signal()
        m.d.sync += [
            pushed.eq(valid & beat.last),
            entry.start.eq(frame_start),
            entry.end.eq(Mux(keep, head + 1, frame_start)),
            entry.kept.eq(keep),
            self.o_end.eq(valid & beat.last),
            self.o_fits.eq(store),
        ]
        m.d.comb += [pending.i.valid.eq(pushed), pending.i.payload.eq(entry)]
        return pending.o, pushed & entry.kept

    def _decide(self, m, pending):
        """Commit or let go, in order. Returns the copies to send, and what has just been decided."""
        copy = data.StructLayout({"start": self._pointer, "decision": self._decision})
        m.submodules.committed = committed = Fifo(copy, self._parameters.copies)
        frame = pending.p
        entry = Signal(copy)
        decided = _Decided(Signal(name="decided"), Signal(name="commit"), Signal(name="let_go"), Signal(self._pointer))
        m.d.comb += pending.ready.eq(self.i_decided)
        m.d.sync += [
            decided.any.eq(self.i_decided),
            decided.commit.eq(self.i_decided & self.i_decision.mirror),
            decided.let_go.eq(self.i_decided & ~self.i_decision.mirror & frame.kept),
            decided.end.eq(frame.end),
            entry.start.eq(frame.start),
            entry.decision.eq(self.i_decision),
        ]
        m.d.comb += [committed.i.valid.eq(decided.commit), committed.i.payload.eq(entry)]
        return committed.o, decided

    def _free_descriptors(self, m, descriptor_free, kept, decided, fetch):
        """Taken when a frame is kept, given back when it is let go or its copy has been read."""
        copies = self._parameters.copies
        reserved = Signal(range(copies + 2))
        m.d.sync += reserved.eq(reserved + kept - (decided.let_go + fetch.done))
        m.d.sync += descriptor_free.eq(reserved < copies - _RESERVE_CLOCKS)

    def _free_beats(self, m, tail, decided, fetch):
        """What has been decided and is not waiting is free."""
        waiting = Signal(range(self._parameters.copies + 1))
        decided_end = Signal(self._pointer)
        m.d.sync += waiting.eq(waiting + decided.commit - fetch.done)
        with m.If(decided.any):
            m.d.sync += decided_end.eq(decided.end)
        with m.If(fetch.taken):
            m.d.sync += tail.eq(fetch.taken_start)
        with m.Elif(waiting == 0):
            m.d.sync += tail.eq(decided_end)

    def _fetch(self, m, committed):
        """Go through the copies one after the other, beat by beat; announce each by its descriptor."""
        byte_bits = (self._parameters.beat_bytes - 1).bit_length()
        fetch = _Fetch(self._pointer, self._parameters.beat_bytes)
        copy = committed.p
        state = Signal(_ReadState)
        start = Signal(self._pointer)
        beats, left = Signal(14), Signal(14)  # beats of the copy; still to be read
        descriptor = Signal(self._descriptor)
        offered = Signal()
        m.d.comb += [self.o_copy.valid.eq(offered), self.o_copy.payload.eq(descriptor)]
        with m.If(self.o_copy.ready):
            m.d.sync += offered.eq(0)

        m.d.comb += fetch.last.eq(left == 1)
        with m.Switch(state):
            with m.Case(_ReadState.IDLE):
                wanted = copy.decision.length
                beats_wanted = ((wanted - 1) >> byte_bits)[:14] + 1
                with m.If(committed.valid & ~offered):
                    m.d.comb += [committed.ready.eq(1), fetch.taken.eq(1), fetch.taken_start.eq(copy.start)]
                    m.d.sync += [
                        start.eq(copy.start),
                        fetch.address.eq(copy.start),
                        beats.eq(beats_wanted),
                        left.eq(beats_wanted),
                        fetch.end_count.eq((wanted - 1)[:byte_bits] + 1),
                        descriptor.slot.eq(copy.decision.slot),
                        descriptor.length.eq(wanted),
                        descriptor.source_port.eq(copy.decision.source_port),
                        descriptor.outer6.eq(copy.decision.outer_ipv6),
                    ]
                    with m.If(copy.decision.outer_ipv6):
                        m.d.sync += state.eq(_ReadState.SUM)
                    with m.Else():
                        m.d.sync += [state.eq(_ReadState.SEND), offered.eq(1)]
            with m.Case(_ReadState.SUM):
                m.d.comb += fetch.for_sum.eq(1)
                with m.If(fetch.last):
                    m.d.sync += state.eq(_ReadState.SETTLE)
            with m.Case(_ReadState.SETTLE), m.If(fetch.summed):
                m.d.sync += [
                    fetch.address.eq(start),
                    left.eq(beats),
                    state.eq(_ReadState.SEND),
                    offered.eq(1),
                    descriptor.payload_sum.eq(fetch.sum),
                ]
            with m.Case(_ReadState.SEND):
                m.d.comb += fetch.to_send.eq(fetch.room)
                with m.If(fetch.room & fetch.last):
                    m.d.comb += fetch.done.eq(1)
                    m.d.sync += state.eq(_ReadState.IDLE)
        with m.If(fetch.for_sum | fetch.to_send):
            m.d.sync += [fetch.address.eq(fetch.address + 1), left.eq(left - 1)]
        return fetch

    def _deliver(self, m, ring, fetch):
        """The beats that were asked for: to the checksum, or into a short FIFO in front of the encapsulator."""
        width, beat_bytes = self._parameters.width, self._parameters.beat_bytes
        m.submodules.read_ahead = ahead = fifo.SyncFIFOBuffered(width=beat_layout(width).size, depth=_READ_AHEAD)
        m.submodules.payload_sum = payload_sum = PayloadSum(width)
        port = ring.read_port()
        m.d.comb += [
            port.addr.eq(fetch.address[:-1]),
            port.en.eq(1),
            fetch.summed.eq(payload_sum.done),
            fetch.sum.eq(payload_sum.sum),
            fetch.room.eq(registered(m, ahead.level <= _READ_AHEAD - _READ_ROOM_CLOCKS, "room")),
        ]

        words = delay(m, port.data, _RING_CLOCKS - 1, "words")
        issued = Cat(fetch.for_sum, fetch.to_send, fetch.last)
        sum_arrives, send_arrives, last_arrives = delay(m, issued, _RING_CLOCKS, "arrives")
        end_count = delay(m, fetch.end_count, _RING_CLOCKS, "end_count_late")
        count_arrives = Mux(last_arrives, end_count, beat_bytes)
        beat = Signal(beat_layout(width))
        m.d.comb += [
            payload_sum.data.eq(words),
            payload_sum.count.eq(count_arrives),
            payload_sum.last.eq(last_arrives),
            payload_sum.valid.eq(sum_arrives),
            beat.data.eq(words),
            beat.count.eq(count_arrives),
            beat.last.eq(last_arrives),
            ahead.w_en.eq(send_arrives),
            ahead.w_data.eq(beat),
            self.o.valid.eq(ahead.r_rdy),
            self.o.payload.eq(ahead.r_data),
            ahead.r_en.eq(self.o.ready),
        ]
