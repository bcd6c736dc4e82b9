"""One frame, 16 bits at a time: a buffer for the one that came, and the way out for the one that goes.

In an untagged frame everything above Ethernet is aligned to two bytes and to no more.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.packet import beat_layout, packet_signature

__all__ = ["BUFFER_BYTES", "HALF_BITS", "HALF_BYTES", "INDEX_BITS", "FrameBuffer", "FrameWriter", "half_layout"]

HALF_BITS = 16
HALF_BYTES = HALF_BITS // 8
BUFFER_BYTES = 2048
_HALVES = BUFFER_BYTES // HALF_BYTES
INDEX_BITS = (_HALVES - 1).bit_length()
"""Of the index of 16 bits in the buffer."""


def half_layout():
    """16 bits of a frame in network byte order, and whether they are its last."""
    return data.StructLayout({"half": HALF_BITS, "last": 1})


def _swapped(half):
    """Between network byte order and the stream's, in which the first byte on the wire is the lowest."""
    return Cat(half[8:], half[:8])


class FrameBuffer(wiring.Component):
    """Room for one frame.

    Parameters: ``width`` of the stream.

    Ports
    -----
    i                            packets; there is no ready
    full                         there is a good frame, of ``octets`` bytes
    release                      it is done with; one clock
    dropped                      one clock: a frame was not kept
    index, half                  the 16 bits at ``index`` are in ``half`` a clock later, in network byte order
    w_enable, w_index, w_half    writes 16 bits, while ``full``

    A frame that comes while there is another one, is marked bad, or is longer than 2,048 bytes is not kept.
    Throughput: one beat per clock, also frames back to back.
    """

    def __init__(self, width):
        self.width = check_width(width)
        super().__init__(
            {
                "i": In(stream.Signature(beat_layout(width), always_ready=True)),
                "full": Out(1),
                "octets": Out(range(BUFFER_BYTES + 1)),
                "release": In(1),
                "dropped": Out(1),
                "index": In(INDEX_BITS),
                "half": Out(HALF_BITS),
                "w_enable": In(1),
                "w_index": In(INDEX_BITS),
                "w_half": In(HALF_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Rows of the stream's width, so that a beat takes a clock; at 8 bits two beats make one.
        row_bits = max(self.width, HALF_BITS)
        grain = min(self.width, HALF_BITS)
        m.submodules.rows = rows = memory.Memory(shape=row_bits, depth=BUFFER_BYTES * 8 // row_bits, init=[])
        read, write = rows.read_port(), rows.write_port(granularity=grain)
        lane_bits = (row_bits // HALF_BITS - 1).bit_length()

        lane = Signal(max(lane_bits, 1))
        m.d.sync += lane.eq(self.index[:lane_bits])
        m.d.comb += [
            read.addr.eq(self.index[lane_bits:]),
            self.half.eq(_swapped(read.data.word_select(lane, HALF_BITS))),
        ]
        came = self._keep(m)
        number = self._number
        part_bits = (row_bits // self.width - 1).bit_length()
        with m.If(self.full):
            parts = HALF_BITS // grain
            place = self.w_index[:lane_bits]
            m.d.comb += [
                write.addr.eq(self.w_index[lane_bits:]),
                write.data.eq(_swapped(self.w_half).replicate(row_bits // HALF_BITS)),
                write.en.eq(Mux(self.w_enable, ((1 << parts) - 1) << (place * parts), 0)),
            ]
        with m.Else():
            parts = self.width // grain
            m.d.comb += [
                write.addr.eq(number[part_bits:]),
                write.data.eq(self.i.payload.data.replicate(row_bits // self.width)),
                write.en.eq(Mux(came, ((1 << parts) - 1) << number[:part_bits], 0)),
            ]
        return m

    def _keep(self, m):
        """Which beats are kept; high for each."""
        beat, valid = self.i.payload, self.i.valid
        step = self.width // 8
        self._number = number = Signal(range(BUFFER_BYTES // step + 1))  # of this beat in its frame
        skipping = Signal()
        room = number != BUFFER_BYTES // step
        kept = valid & ~skipping & ~self.full & room
        with m.If(valid & beat.last):
            m.d.sync += [number.eq(0), skipping.eq(0)]
            m.d.comb += self.dropped.eq(~kept | beat.bad)
        with m.Elif(kept):
            m.d.sync += number.eq(number + 1)
        with m.Elif(valid):
            m.d.sync += skipping.eq(1)
        with m.If(kept & beat.last & ~beat.bad):
            m.d.sync += [self.full.eq(1), self.octets.eq(number * step + beat.count)]
        with m.Elif(self.release):
            m.d.sync += self.full.eq(0)
        return kept


class FrameWriter(wiring.Component):
    """16 bits at a time into packets.

    Parameters: ``width`` of the stream. Ports: ``i`` (`half_layout`), ``o`` (packets, of an even number of bytes).
    Latency: a beat goes out the clock after its last 16 bits came. Throughput: 16 bits a clock, or 8 at 8 bits.
    """

    def __init__(self, width):
        self.width = check_width(width)
        super().__init__({"i": In(stream.Signature(half_layout())), "o": Out(packet_signature(width))})

    def elaborate(self, platform):
        m = Module()
        beat = self.o.payload
        half = _swapped(self.i.p.half)
        if self.width < HALF_BITS:
            second = Signal()
            m.d.comb += [
                beat.data.eq(Mux(second, half[self.width :], half[: self.width])),
                beat.count.eq(1),
                beat.last.eq(second & self.i.p.last),
                self.o.valid.eq(self.i.valid),
                self.i.ready.eq(second & self.o.ready),
            ]
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += second.eq(~second)
            return m
        lanes = self.width // HALF_BITS
        lane = Signal(range(max(lanes, 2)))
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            ends = self.i.p.last | (lane == lanes - 1)
            m.d.sync += [
                beat.data.word_select(lane, HALF_BITS).eq(half),
                beat.count.eq((lane + 1) * HALF_BYTES),
                beat.last.eq(self.i.p.last),
                self.o.valid.eq(ends),
                lane.eq(Mux(ends, 0, lane + 1)),
            ]
        return m
