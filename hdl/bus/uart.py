"""An asynchronous serial line, 8N1: bits become bytes and bytes become bits, at any baud rate from any clock.

Both directions keep time by a phase that grows by ``SerialRate.increment`` each clock and overflows once per bit, so
a bit is right on the average and never more than a clock off, whatever the quotient of clock and baud rate. (PyPI's
amaranth-stdio is an empty placeholder, and its divider is an integer.)
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["BYTE_BITS", "SerialRate", "UartReceiver", "UartTransmitter"]

_FINE_BITS = 12
_MIN_CLOCKS = 8
"""Clocks per bit, at least: the three samples of a bit are an eighth of it apart."""

BYTE_BITS = 10
"""Start bit, eight data bits, stop bit."""


@dataclass(frozen=True)
class SerialRate:
    """A baud rate made from a clock.

    clock   Hz
    baud    bits per second, at most an eighth of the clock (3 Mbaud needs 24 MHz)

    ValueError if it cannot be made.
    """

    clock: int
    baud: int

    def __post_init__(self) -> None:
        if self.baud < 1:
            raise ValueError(f"baud must be at least 1, not {self.baud!r}")
        if self.clock < _MIN_CLOCKS * self.baud:
            raise ValueError(
                f"{self.baud:,} baud needs a clock of at least {_MIN_CLOCKS * self.baud:,} Hz, not {self.clock:,}"
            )

    @property
    def phase_bits(self) -> int:
        """Width of the phase; a bit of the line is one turn."""
        return (self.clock // self.baud).bit_length() + _FINE_BITS

    @property
    def increment(self) -> int:
        """What the phase grows by in a clock."""
        return round((self.baud << self.phase_bits) / self.clock)

    @property
    def error(self) -> float:
        """By how much the rate made is off, relative; never more than 1 / 4096."""
        return self.increment * self.clock / (self.baud << self.phase_bits) - 1

    @property
    def tolerance(self) -> float:
        """By how much the other side's rate may be off what it should be, relative, without any byte being wrong.

        A sender that is too fast is the worse case. Its stop bit must last until the last of our three samples of it,
        at 9 5/8 bits; the start edge is seen, and the sample is taken, up to a clock late each.
        """
        return (3 / 8 - 2 * self.baud / self.clock) / BYTE_BITS - abs(self.error)

    def clocks(self, bits: float) -> int:
        """Clock cycles in that many bit times."""
        return round(bits * self.clock / self.baud)


class UartReceiver(wiring.Component):
    """Line to bytes.

    Parameters: ``rate`` (SerialRate).

    Ports
    -----
    rx      the line, asynchronous
    o       bytes; there is no ready, each is there for one clock
    error   one clock: what began as a byte had no stop bit, and is lost
    idle    the line is high, and no byte is under way

    Each bit is the majority of three samples, at 3/8, 4/8 and 5/8 of it, so a disturbance shorter than an eighth of
    a bit changes none. A start bit that is not low at its middle is none. After a missing stop bit nothing is received
    until the line has been high (a break is one error). Latency: a byte comes 9 5/8 bits and 4 clocks after its start
    edge. Throughput: back to back, from a sender that is off by up to ``rate.tolerance``.
    """

    def __init__(self, rate):
        self.rate = rate
        super().__init__(
            {"rx": In(1, init=1), "o": Out(stream.Signature(8, always_ready=True)), "error": Out(1), "idle": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)

        phase = Signal(self.rate.phase_bits)
        following = Signal(self.rate.phase_bits)
        # Which eighth of the bit: a step is never longer than one, so each beginning is seen.
        eighth, next_eighth = phase[-3:], following[-3:]
        samples = Signal(2)
        decided, bit = Signal(), Signal()
        m.d.comb += [
            following.eq(phase + self.rate.increment),
            decided.eq((eighth == 4) & (next_eighth == 5)),
            bit.eq((samples[0] & samples[1]) | (line & samples.any())),
        ]
        with m.If(((eighth == 2) & (next_eighth == 3)) | ((eighth == 3) & (next_eighth == 4))):
            m.d.sync += samples.eq(Cat(line, samples))
        m.d.sync += [phase.eq(following), self.o.valid.eq(0), self.error.eq(0)]

        place = Signal(range(BYTE_BITS))
        with m.FSM():
            with m.State("BREAK"), m.If(line):
                m.next = "IDLE"
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(line)
                m.d.sync += [phase.eq(0), place.eq(0)]
                with m.If(~line):
                    m.next = "BYTE"
            with m.State("BYTE"), m.If(decided):
                m.d.sync += place.eq(place + 1)
                with m.If(place == BYTE_BITS - 1):
                    m.d.sync += [self.o.valid.eq(bit), self.error.eq(~bit)]
                    m.next = "BREAK"
                    with m.If(bit):
                        m.next = "IDLE"
                with m.Elif(place != 0):
                    m.d.sync += self.o.payload.eq(Cat(self.o.payload[1:], bit))
                with m.Elif(bit):
                    m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Bytes to line.

    Parameters: ``rate`` (SerialRate). Ports: ``i`` (bytes), ``tx`` (the line, from a register, high when idle).
    Latency: the start bit begins a clock after a byte was taken. Throughput: back to back, ten bit times per byte,
    without a gap and without an error that adds up.
    """

    def __init__(self, rate):
        self.rate = rate
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        phase = Signal(self.rate.phase_bits)
        following = Signal(self.rate.phase_bits + 1)
        rest = Signal(BYTE_BITS - 1)  # the bits behind the one on the line
        left = Signal(range(BYTE_BITS + 1))
        turn = Signal()
        m.d.comb += [
            following.eq(phase + self.rate.increment),
            turn.eq(following[-1]),
            self.i.ready.eq((left == 0) | ((left == 1) & turn)),
        ]
        with m.If(left == 0):
            m.d.sync += phase.eq(0)
        with m.Else():
            m.d.sync += phase.eq(following)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.tx.eq(0), rest.eq(Cat(self.i.payload, 1)), left.eq(BYTE_BITS)]
        with m.Elif((left != 0) & turn):
            m.d.sync += left.eq(left - 1)
            with m.If(left != 1):
                m.d.sync += [self.tx.eq(rest[0]), rest.eq(Cat(rest[1:], 1))]
        return m
