"""Mirror queue: the speculative copy. Every frame is written as it streams by; the verdict commits it or not.

One queue per direction stands between the intake and the encapsulator. A ring of beats holds the frames; two small
FIFOs hold where they lie: `pending` for frames whose verdict is still to come, `committed` for copies that wait to
be sent. A frame that does not fit is rolled back whole; truncation is a matter of how many beats are read.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, enum, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.checksum import PayloadSum
from halfsilver.hdl.encapsulator.encapsulator import CopyDescriptor
from halfsilver.hdl.fifo import Fifo
from halfsilver.hdl.packet import beat_layout, packet_signature
from halfsilver.hdl.pipeline import delay, registered

__all__ = ["UNDECIDED_FRAMES", "Decision", "MirrorQueue"]

UNDECIDED_FRAMES = 64
"""Frames that may have ended without a verdict; the intake keeps to it."""

_FULL_MARGIN = 4
"""Beats kept free, because the fill level is known two clocks late."""

_READ_AHEAD = 8
"""Beats between the ring and the encapsulator."""


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


class MirrorQueue(wiring.Component):
    """Copies of one direction.

    Ports
    -----
    i_valid, i         every beat that the intake accepts, in the clock in which it does
    o_end, o_fits      one clock long, END_LATENCY clocks after a frame's last beat: is the whole frame held?
    i_decided, i_decision   verdicts, in frame order, at least four clocks after the frame's o_end
    o_copy             descriptor of the next copy
    o                  its bytes, as many as the descriptor says

    Throughput: one beat per clock in and out; an outer IPv6 copy is read twice (the checksum comes first).
    A frame flagged bad, or for which beats or descriptors run out, is rolled back at once and leaves nothing.
    """

    END_LATENCY = 2

    def __init__(self, parameters):
        self._parameters = parameters
        self.depth = parameters.queue_depth // parameters.beat_bytes
        super().__init__(
            {
                "i_valid": In(1),
                "i": In(beat_layout(parameters.width)),
                "o_end": Out(1),
                "o_fits": Out(1),
                "i_decided": In(1),
                "i_decision": In(Decision),
                "o_copy": Out(stream.Signature(CopyDescriptor)),
                "o": Out(packet_signature(parameters.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._pointer = unsigned((self.depth - 1).bit_length() + 1)  # one bit more than an address: full or empty
        m.submodules.ring = ring = memory.Memory(shape=unsigned(self._parameters.width), depth=self.depth, init=[])
        tail = Signal(self._pointer)  # everything before it is free
        pending = self._write(m, ring, tail)
        copy_done = Signal()
        committed = self._decide(m, pending, tail, copy_done)
        self._read(m, ring, committed, copy_done)
        return m

    def _write(self, m, ring, tail):
        """Write speculatively; at the frame's end keep it or roll back."""
        span = data.StructLayout({"start": self._pointer, "end": self._pointer, "kept": 1})
        m.submodules.pending = pending = Fifo(span, UNDECIDED_FRAMES)
        port = ring.write_port()

        valid = registered(m, self.i_valid, "valid")
        beat = registered(m, self.i, "beat")
        head, start = Signal(self._pointer), Signal(self._pointer)
        first, storing = Signal(init=1), Signal()
        used = registered(m, (head - tail)[: len(head)], "used")
        full = registered(m, used >= self.depth - _FULL_MARGIN, "full")
        self._descriptor_free = Signal()

        store = Signal()
        frame_start = Mux(first, head, start)
        m.d.comb += store.eq(Mux(first, self._descriptor_free, storing) & ~full)
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
        self._kept = Signal()  # a frame has taken a descriptor
        m.d.comb += self._kept.eq(pushed & entry.kept)
        return pending

    def _decide(self, m, pending, tail, copy_done):
        """Commit or let go, in order; keep account of what is free."""
        parameters = self._parameters
        copy = data.StructLayout({"start": self._pointer, "decision": Decision})
        m.submodules.committed = committed = Fifo(copy, parameters.copies)
        frame = pending.o.p
        entry = Signal(copy)
        commit, let_go, frame_end = Signal(), Signal(), Signal(self._pointer)
        m.d.comb += pending.o.ready.eq(self.i_decided)
        m.d.sync += [
            commit.eq(self.i_decided & self.i_decision.mirror),
            let_go.eq(self.i_decided & ~self.i_decision.mirror & frame.kept),
            entry.start.eq(frame.start),
            entry.decision.eq(self.i_decision),
            frame_end.eq(frame.end),
        ]
        decided = registered(m, self.i_decided, "decided")
        m.d.comb += [committed.i.valid.eq(commit), committed.i.payload.eq(entry)]

        # Descriptors: taken when a frame is kept, given back when it is let go or its copy has been read.
        reserved = Signal(range(parameters.copies + 2))
        m.d.sync += reserved.eq(reserved + self._kept - let_go - copy_done)
        m.d.sync += self._descriptor_free.eq(reserved < parameters.copies - 3)

        # Beats: what has been decided and is not waiting is free.
        waiting = Signal(range(parameters.copies + 1))
        decided_end = Signal(self._pointer)
        m.d.sync += waiting.eq(waiting + commit - copy_done)
        with m.If(decided):
            m.d.sync += decided_end.eq(frame_end)
        self._taken, self._taken_start = Signal(), Signal(self._pointer)
        with m.If(self._taken):
            m.d.sync += tail.eq(self._taken_start)
        with m.Elif(waiting == 0):
            m.d.sync += tail.eq(decided_end)
        return committed

    def _read(self, m, ring, committed, copy_done):
        """Read the copies one after the other into a short FIFO in front of the encapsulator."""
        width, beat_bytes = self._parameters.width, self._parameters.beat_bytes
        byte_bits = (beat_bytes - 1).bit_length()
        m.submodules.read_ahead = ahead = fifo.SyncFIFOBuffered(width=beat_layout(width).size, depth=_READ_AHEAD)
        m.submodules.payload_sum = payload_sum = PayloadSum(width)
        port = ring.read_port()

        copy = committed.o.p
        state = Signal(_ReadState)
        start, address = Signal(self._pointer), Signal(self._pointer)
        beats, left = Signal(14), Signal(14)  # beats of the copy; still to be read
        end_count = Signal(range(beat_bytes + 1))
        descriptor = Signal(CopyDescriptor)
        offered = Signal()
        m.d.comb += [self.o_copy.valid.eq(offered), self.o_copy.payload.eq(descriptor)]
        with m.If(self.o_copy.ready):
            m.d.sync += offered.eq(0)

        issue_sum, issue_send, last = Signal(), Signal(), Signal()
        room = registered(m, ahead.level <= _READ_AHEAD - 4, "room")
        m.d.comb += last.eq(left == 1)
        with m.Switch(state):
            with m.Case(_ReadState.IDLE):
                wanted = copy.decision.length
                beats_wanted = ((wanted - 1) >> byte_bits)[:14] + 1
                with m.If(committed.o.valid & ~offered):
                    m.d.comb += [committed.o.ready.eq(1), self._taken.eq(1), self._taken_start.eq(copy.start)]
                    m.d.sync += [
                        start.eq(copy.start),
                        address.eq(copy.start),
                        beats.eq(beats_wanted),
                        left.eq(beats_wanted),
                        end_count.eq((wanted - 1)[:byte_bits] + 1),
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
                m.d.comb += issue_sum.eq(1)
                with m.If(last):
                    m.d.sync += state.eq(_ReadState.SETTLE)
            with m.Case(_ReadState.SETTLE), m.If(payload_sum.done):
                m.d.sync += [
                    address.eq(start),
                    left.eq(beats),
                    state.eq(_ReadState.SEND),
                    offered.eq(1),
                    descriptor.payload_sum.eq(payload_sum.sum),
                ]
            with m.Case(_ReadState.SEND):
                m.d.comb += issue_send.eq(room)
                with m.If(room & last):
                    m.d.comb += copy_done.eq(1)
                    m.d.sync += state.eq(_ReadState.IDLE)
        with m.If(issue_sum | issue_send):
            m.d.sync += [address.eq(address + 1), left.eq(left - 1)]

        # The ring's data take two clocks: the memory and its output register.
        m.d.comb += [port.addr.eq(address[:-1]), port.en.eq(1)]
        words = registered(m, port.data, "words")
        sum_arrives, send_arrives, last_arrives = delay(m, Cat(issue_sum, issue_send, last), 2, "arrives")
        count_arrives = Mux(last_arrives, delay(m, end_count, 2, "end_count_late"), beat_bytes)
        m.d.comb += [
            payload_sum.data.eq(words),
            payload_sum.count.eq(count_arrives),
            payload_sum.last.eq(last_arrives),
            payload_sum.valid.eq(sum_arrives),
        ]
        beat = Signal(beat_layout(width))
        m.d.comb += [
            beat.data.eq(words),
            beat.count.eq(count_arrives),
            beat.last.eq(last_arrives),
            ahead.w_en.eq(send_arrives),
            ahead.w_data.eq(beat),
            self.o.valid.eq(ahead.r_rdy),
            self.o.payload.eq(ahead.r_data),
            ahead.r_en.eq(self.o.ready),
        ]
