"""Takes the frames for one MAC address out of a stream; everything else goes on as it came."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.packet import beat_layout, packet_signature

__all__ = ["MAC_BITS", "Divert", "check_mac", "wire_bits"]

MAC_BITS = 48
BROADCAST = (1 << MAC_BITS) - 1
_GROUP_BIT = 1
"""Of the first byte: an address of a group, or all (IEEE 802.3, 3.2.3)."""


def check_mac(mac):
    """The six bytes of one station's address; ValueError for anything else."""
    if not isinstance(mac, bytes) or len(mac) != MAC_BITS // 8:
        raise ValueError(f"a MAC address is 6 bytes, not {mac!r}")
    if mac[0] & _GROUP_BIT or not any(mac):
        raise ValueError(f"{mac.hex(':')} is not the address of one station")
    return mac


def wire_bits(octets):
    """Bytes as a packet stream holds them: the first on the wire lowest."""
    return int.from_bytes(octets, "little")


class Divert(wiring.Component):
    """One stream in, two out, by the destination MAC address.

    Parameters: ``width``; ``mac``, six bytes.

    Ports
    -----
    i      packets
    o      those that are not for ``mac``: unchanged and in order, broadcasts among them
    o_own  those for ``mac``, and a second copy of broadcasts; there is no ready

    Production cannot be hurt: of what comes in only frames for ``mac`` do not come out of ``o``, and ``o_own`` holds
    nothing up. A frame of fewer than six bytes goes to ``o``. Latency: DELAY beats (`delay_beats`), which at 64 bits
    and more is none; a beat that waits for the rest of the address to come is passed on when that is there.
    Throughput: one beat per clock.
    """

    def __init__(self, width, mac):
        self.width = check_width(width)
        self._mac = check_mac(mac)
        self.delay_beats = -(-MAC_BITS // width) - 1
        super().__init__(
            {
                "i": In(packet_signature(width)),
                "o": Out(packet_signature(width)),
                "o_own": Out(stream.Signature(beat_layout(width), always_ready=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beats, valid, taken = self._line(m)
        first = Signal(init=1)  # the oldest beat begins a frame
        own, copied = Signal(), Signal()  # the rest of that frame likewise
        oldest = beats[0]

        # All beats of the address are there, or the frame ends before it does.
        address = Cat(beat.data for beat in beats)[:MAC_BITS]
        present = valid.all()
        ended = Cat(valid[place] & beat.last for place, beat in enumerate(beats[:-1])).any()
        for_us = present & ~ended & (address == Const(wire_bits(self._mac), MAC_BITS))
        for_all = present & ~ended & (address == Const(BROADCAST, MAC_BITS))
        decided = present | ended | ~first
        is_own, is_copied = Signal(), Signal()
        with m.If(first):
            m.d.comb += [is_own.eq(for_us), is_copied.eq(for_all)]
        with m.Else():
            m.d.comb += [is_own.eq(own), is_copied.eq(copied)]

        m.d.comb += [
            self.o.payload.eq(oldest),
            self.o.valid.eq(valid[0] & decided & ~is_own),
            taken.eq(valid[0] & decided & (is_own | self.o.ready)),
            self.o_own.payload.eq(oldest),
            self.o_own.valid.eq(taken & (is_own | is_copied)),
        ]
        with m.If(taken):
            m.d.sync += [first.eq(oldest.last), own.eq(is_own), copied.eq(is_copied)]
        return m

    def _line(self, m):
        """The last beats that came, oldest first and the input behind them; ``taken`` takes the oldest."""
        taken = Signal()
        stages = [Signal(beat_layout(self.width), name=f"beat_{place}") for place in range(self.delay_beats)]
        full = [Signal(name=f"full_{place}") for place in range(self.delay_beats)]
        beats, valid = [*stages, self.i.payload], Cat(*full, self.i.valid)
        leaves = taken
        for place in range(self.delay_beats):
            # A place takes the next one's beat as soon as it is empty.
            free = ~full[place] | leaves
            with m.If(free):
                m.d.sync += [stages[place].eq(beats[place + 1]), full[place].eq(valid[place + 1])]
            leaves = free
        m.d.comb += self.i.ready.eq(leaves)
        return beats, valid, taken
