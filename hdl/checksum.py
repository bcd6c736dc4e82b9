"""The Internet checksum's sum (RFC 1071) over a packet stream, beside the stream and never in its way.

``PayloadSum`` watches the copied bytes on the mirror queue's side; the encapsulator needs their sum before
the UDP header of an IPv6 outer packet leaves. ``add_with_carry`` is the one adder both use.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.pipeline import delay, registered

__all__ = ["PayloadSum", "add_with_carry"]


def add_with_carry(total, word):
    """One step of a ones' complement sum: a 17-bit ``total`` {carry, sum} plus a 16-bit ``word``.

    The carry that a plain addition would bring round in the same clock is kept in bit 16 and enters with the
    next word, so a step is one 16-bit adder. Starting from 0 a total with carry never exceeds 0x1fffe, hence
    the last carry (``word`` = 0) always fits in 16 bits.
    """
    return (total[:16] + word + total[16])[:17]


class PayloadSum(wiring.Component):
    """Ones' complement sum of a packet taken as big-endian 16-bit words, an odd last byte padded with zero.

    Parameters
    ----------
    width : int
        Data width in bits, 8 to 1024, a power of two.

    Ports
    -----
    data, count, last, valid
        A beat as in ``halfsilver.hdl.packet``, observed in the clock in which it is transferred; any number of clocks
        may lie between beats. Bytes past ``count`` are ignored.
    sum
        The 16-bit sum, not inverted; 0 only if all bytes are zero. Holds until the next ``done``.
    done
        High for one clock, ``latency`` clocks after the clock with ``last``.

    Throughput is one beat per clock, also across packets. Latency: 3 clocks at 8 and 16 bits; wider,
    5 + log2(width / 16) clocks (7 at 64 bits, 10 at 512): mask, one adder level per clock, two clocks to fold
    the beat's sum to 16 bits, accumulate, last carry. No adder is wider than 22 bits.
    """

    def __init__(self, width):
        self.width = check_width(width)
        words = max(1, width // 16)
        self.latency = 3 if words == 1 else 5 + (words - 1).bit_length()
        super().__init__(
            {
                "data": In(width),
                "count": In(range(width // 8 + 1)),
                "last": In(1),
                "valid": In(1),
                "sum": Out(16),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        level = self._words(m)
        clocks = 1
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [registered(m, a + b, f"sum_{clocks}_{at}") for at, (a, b) in enumerate(pairs)]
            clocks += 1
        beat_sum = level[0]
        if len(beat_sum) > 16:
            # Twice: the first fold may carry once more, the second cannot.
            for fold in range(2):
                beat_sum = registered(m, beat_sum[:16] + beat_sum[16:], f"fold_{fold}")
            clocks += 2

        valid = delay(m, self.valid, clocks, "valid")
        last = delay(m, self.valid & self.last, clocks, "last")
        total = Signal(17)
        first = Signal(init=1)
        finished = Signal()
        m.d.sync += finished.eq(last)
        with m.If(valid):
            m.d.sync += [total.eq(add_with_carry(Mux(first, Const(0, 17), total), beat_sum[:16])), first.eq(last)]
        m.d.sync += self.done.eq(finished)
        with m.If(finished):
            m.d.sync += self.sum.eq(add_with_carry(total, 0))
        return m

    def _words(self, m):
        """The beat as registered 16-bit numbers, bytes past ``count`` cleared."""
        if self.width == 8:
            return [self._byte_in_place(m)]
        octets = [Mux(self.count > lane, self.data.word_select(lane, 8), 0) for lane in range(self.width // 8)]
        pairs = enumerate(zip(octets[::2], octets[1::2], strict=True))
        return [registered(m, Cat(low, high), f"word_{at}") for at, (high, low) in pairs]

    def _byte_in_place(self, m):
        """At 8 bits a beat is half a word: bytes 0, 2, 4, ... are high halves."""
        low_half = Signal()
        with m.If(self.valid):
            m.d.sync += low_half.eq(~low_half & ~self.last)
        return registered(m, Mux(low_half, self.data, Cat(Const(0, 8), self.data)), "word")
