"""Registers over a serial line, with LiteX's uartbone protocol (``litex/soc/cores/uart.py``, release 2024.12).

A command is one byte of what, one of how many words, four of the word address (byte address / 4), then the words of a
write; a read is answered by its words and nothing else. Everything is big endian.

    01  write, addresses count up      03  write, all to one address
    02  read, addresses count up       04  read, all from one address

The protocol has no check and no acknowledgement: what reached the tables is asked for in TABLE_CRC and TABLE_COUNT.
"""

import enum

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.register_file import RegisterBus
from halfsilver.hdl.bus.uart import BYTE_BITS, UartReceiver, UartTransmitter
from halfsilver.hdl.layout.card_registers import LINE_FAULTS
from halfsilver.hdl.layout.register_map import ADDRESS_BITS, WORD_BITS, WORD_BYTES

__all__ = ["RESYNC_BYTES", "RESYNC_SECONDS", "Command", "Faults", "UartBone", "UartBoneBridge"]

RESYNC_SECONDS = 0.1
"""Silence that ends a command, or the search for one: LiteX's time, so who waits for a LiteX core waits long enough."""

RESYNC_BYTES = 20
"""The same in bytes of the line, at least: at 1,000 baud and less a tenth of a second is no pause."""

_PLACE_BITS = ADDRESS_BITS - 2


class Command(enum.IntEnum):
    """The first byte. Any other one is no command."""

    WRITE = 0x01
    READ = 0x02
    WRITE_FIXED = 0x03
    READ_FIXED = 0x04


class Faults(wiring.Signature):
    """What went wrong on the line, seen from the bridge (`LINE_FAULTS`); 16 bits each, they wrap."""

    def __init__(self):
        super().__init__(dict.fromkeys(LINE_FAULTS, Out(16)))


class UartBoneBridge(wiring.Component):
    """Commands, as bytes, to the register bus.

    Parameters: ``resync_clocks``, the silence after which a command is begun anew; ``base``, the byte address of the
    registers on the line, a multiple of 4096.

    Ports
    -----
    i        received bytes; there is no ready
    error    one clock: a byte was lost
    idle     nothing is under way on the line
    o        bytes of answers
    bus      the registers
    faults   counts of what went wrong

    A word is written in the clock after its last byte. A read takes the bus as long as that takes to answer, and then
    four bytes; words of a read are read one by one, as they are sent.

    Bad input. After a lost byte, a first byte that is no command, a command for no words, or a byte that comes while an
    answer is due, nobody knows where the next command begins: all bytes are swallowed until the line was idle for
    ``resync_clocks``. The same silence within a command ends it. What was swallowed writes nothing, and neither does
    a word of which not all four bytes came; words before it have been written. Addresses outside the registers read
    as 0 and ignore writes; a burst that runs out of them stays outside. LiteX's core differs in three ways that no
    client can want: it counts its tenth of a second from a command's first byte, so that a long burst is cut off on
    a slow line; it goes on with the sixth byte after an unknown command; it takes 0 words for 256.
    """

    def __init__(self, resync_clocks, base=0):
        if resync_clocks < 2:
            raise ValueError(f"resync_clocks must be at least 2, not {resync_clocks!r}")
        if not 0 <= base < 1 << 32 or base % (1 << ADDRESS_BITS):
            raise ValueError(f"base must be a multiple of {1 << ADDRESS_BITS:#x} below 2**32, not {base!r}")
        self._resync_clocks, self._base = resync_clocks, base
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "error": In(1),
                "idle": In(1),
                "o": Out(stream.Signature(8)),
                "bus": Out(RegisterBus()),
                "faults": Out(Faults()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        faults = self.faults
        byte, received = self.i.payload, self.i.valid
        fixed, reading = Signal(), Signal()
        words = Signal(8)  # left
        octet = Signal(range(WORD_BYTES))  # of the address or of a word
        last_octet = octet == WORD_BYTES - 1
        word = Signal(WORD_BITS)  # the address, later data on their way in or out
        extended = Cat(byte, word)[:WORD_BITS]
        place, outside = Signal(_PLACE_BITS), Signal()
        disturbed = Signal()  # a byte came while an answer was due
        silent = self._silence(m)
        m.d.comb += [
            self.bus.address.eq(Cat(Const(0, 2), place)),
            self.bus.write_data.eq(word),
            self.o.payload.eq(word[-8:]),
        ]

        def receive(what):
            """The next byte of a command into ``what``, if it comes."""
            with m.If(self.error):
                self._count(m, faults.abandoned)
                m.next = "LOST"
            with m.Elif(silent):
                self._count(m, faults.abandoned)
                m.next = "COMMAND"
            with m.Elif(received):
                m.d.sync += what

        def next_word(state):
            """After a word that was written or sent."""
            m.d.sync += words.eq(words - 1)
            with m.If(~fixed):
                m.d.sync += [place.eq(place + 1), outside.eq(outside | place.all())]
            m.next = state
            with m.If(words == 1):
                m.next = "COMMAND"

        with m.FSM() as fsm:
            with m.State("COMMAND"):
                m.d.sync += [
                    octet.eq(0),
                    fixed.eq((byte == Command.WRITE_FIXED) | (byte == Command.READ_FIXED)),
                    reading.eq((byte == Command.READ) | (byte == Command.READ_FIXED)),
                ]
                with m.If(self.error):
                    m.next = "LOST"
                with m.Elif(received):
                    m.next = "LENGTH"
                    with m.If((byte < min(Command)) | (byte > max(Command))):
                        self._count(m, faults.refused)
                        m.next = "LOST"
            with m.State("LENGTH"):
                receive(words.eq(byte))
                with m.If(received):
                    m.next = "ADDRESS"
                    with m.If(byte == 0):
                        self._count(m, faults.refused)
                        m.next = "LOST"
            with m.State("ADDRESS"):
                receive([word.eq(extended), octet.eq(octet + 1)])
                with m.If(received & last_octet):
                    m.d.sync += [place.eq(extended), outside.eq(extended[_PLACE_BITS:] != self._base >> ADDRESS_BITS)]
                    m.next = "DATA"
                    with m.If(reading):
                        m.next = "READ"
            with m.State("DATA"):
                receive([word.eq(extended), octet.eq(octet + 1)])
                with m.If(received & last_octet):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += self.bus.write.eq(~outside)
                next_word("DATA")
            with m.State("READ"):
                m.d.comb += self.bus.read.eq(~outside)
                m.next = "AWAIT"
            with m.State("AWAIT"), m.If(self.bus.read_valid | outside):
                m.d.sync += word.eq(Mux(outside, 0, self.bus.read_data))
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [word.eq(word << 8), octet.eq(octet + 1)]
                    with m.If(last_octet):
                        next_word("READ")
                        with m.If(disturbed & (words == 1)):
                            m.next = "LOST"
            with m.State("LOST"), m.If(silent):
                m.next = "COMMAND"

        answering = fsm.ongoing("READ") | fsm.ongoing("AWAIT") | fsm.ongoing("SEND")
        with m.If(~answering):
            m.d.sync += disturbed.eq(0)
        with m.Elif((received | self.error) & ~disturbed):
            m.d.sync += disturbed.eq(1)
            self._count(m, faults.abandoned)
        with m.If(self.error):
            self._count(m, faults.framing)
        return m

    def _silence(self, m):
        """High once the line was idle for ``resync_clocks``."""
        clocks = Signal(range(self._resync_clocks))
        silent = clocks == self._resync_clocks - 1
        with m.If(~self.idle | self.i.valid | self.error):
            m.d.sync += clocks.eq(0)
        with m.Elif(~silent):
            m.d.sync += clocks.eq(clocks + 1)
        return silent

    def _count(self, m, counter):
        m.d.sync += counter.eq(counter + 1)


class UartBone(wiring.Component):
    """A serial line to the register bus: receiver, bridge, transmitter.

    Parameters: ``rate`` (SerialRate); ``base`` as for the bridge; ``resync_seconds``, by default LiteX's tenth of a
    second, and never less than RESYNC_BYTES of the line.

    Ports: ``rx`` (asynchronous), ``tx``, ``bus``, ``faults``. What the line carries and what becomes of bad input is
    said by the parts.
    """

    def __init__(self, rate, *, base=0, resync_seconds=RESYNC_SECONDS):
        self.rate = rate
        self.resync_clocks = max(round(resync_seconds * rate.clock), rate.clocks(RESYNC_BYTES * BYTE_BITS))
        self._base = base
        super().__init__(
            {"rx": In(1, init=1), "tx": Out(1, init=1), "bus": Out(RegisterBus()), "faults": Out(Faults())}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.rate)
        m.submodules.bridge = bridge = UartBoneBridge(self.resync_clocks, self._base)
        m.submodules.transmitter = transmitter = UartTransmitter(self.rate)
        wiring.connect(m, receiver.o, bridge.i)
        wiring.connect(m, bridge.o, transmitter.i)
        wiring.connect(m, bridge.bus, wiring.flipped(self.bus))
        wiring.connect(m, bridge.faults, wiring.flipped(self.faults))
        m.d.comb += [
            receiver.rx.eq(self.rx),
            bridge.error.eq(receiver.error),
            bridge.idle.eq(receiver.idle),
            self.tx.eq(transmitter.tx),
        ]
        return m
