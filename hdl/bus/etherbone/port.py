"""Registers over Etherbone beside production, at the port to the host.

from the host --> divert ----> o_production --> NIC
                    |
                    v
                  server <---> bus
                    |
                    v
to the host   <-- answers <--- i_production <-- NIC
"""

from dataclasses import dataclass
from ipaddress import IPv4Address

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.etherbone.divert import Divert, check_mac
from halfsilver.hdl.bus.etherbone.server import EtherboneServer
from halfsilver.hdl.bus.register_file import RegisterBus
from halfsilver.hdl.layout.frames import check_width
from halfsilver.hdl.packet import packet_signature

__all__ = ["Answers", "EtherboneAddress", "EtherbonePort"]


@dataclass(frozen=True)
class EtherboneAddress:
    """Where the registers are found: a MAC address of six bytes, and an IPv4 address as text."""

    mac: bytes
    ip: str

    def __post_init__(self):
        check_mac(self.mac)
        IPv4Address(self.ip)


class Answers(wiring.Component):
    """Production, and answers where it leaves a gap.

    Parameters: ``width`` of the streams.

    Ports: packets ``i`` (production), ``i_answer`` (answers), ``o`` (both). Frames are never interleaved, reordered or
    dropped. An answer starts when production has offered nothing for QUIET clocks after a frame, so that what the last
    answer has held up is gone; production that comes while it leaves is held by ``i.ready``.
    Latency: none. Throughput: one beat per clock; production's first beat may follow an answer's last at once.
    """

    QUIET = 8
    """Clocks: more than a full path to this place leaves empty between frames, and fewer than the gap of frames back to
    back at 1 Gb/s, which is 24 octets, or 12 clocks of 62.5 MHz."""

    def __init__(self, width):
        self.width = check_width(width)
        packets = packet_signature(width)
        super().__init__({"i": In(packets), "i_answer": In(packets), "o": Out(packets)})

    def elaborate(self, platform):
        m = Module()
        within = Signal()  # a frame of production's has begun and not ended
        answering = Signal()
        quiet = Signal(range(self.QUIET + 1))
        m.d.comb += [
            self.o.valid.eq(Mux(answering, self.i_answer.valid, self.i.valid)),
            self.o.payload.eq(Mux(answering, self.i_answer.payload.as_value(), self.i.payload.as_value())),
            self.i_answer.ready.eq(answering & self.o.ready),
            self.i.ready.eq(~answering & self.o.ready),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += within.eq(~self.i.p.last)
        with m.If(self.i.valid | within | answering):
            m.d.sync += quiet.eq(0)
        with m.Elif(quiet != self.QUIET):
            m.d.sync += quiet.eq(quiet + 1)
        with m.If(answering):
            m.d.sync += answering.eq(~(self.o.valid & self.o.ready & self.o.p.last))
        with m.Elif((quiet == self.QUIET) & ~self.i.valid):
            m.d.sync += answering.eq(self.i_answer.valid)
        return m


class EtherbonePort(wiring.Component):
    """A server between the MAC to the host and the NIC.

    Parameters: ``width`` of the streams; ``address``, EtherboneAddress; ``base``, see `EtherboneServer`.

    Ports
    -----
    i_mac, o_production   from the host; frames for the card itself end here, everything else goes on (`Divert`)
    i_production, o_mac   to the host, answers in the gaps (`Answers`)
    bus                   the registers

    What passes is unchanged and in order. To the host it is held while an answer leaves, which is no longer than what
    asked: what comes meanwhile has room in the receive store of the MAC to the network. Latency: `Divert`'s, and none
    to the host. What is answered, and bad input: `EtherboneServer`.
    """

    def __init__(self, width, address, base=0):
        self.width, self._address, self._base = check_width(width), address, base
        packets = packet_signature(width)
        super().__init__(
            {
                "i_mac": In(packets),
                "o_production": Out(packets),
                "i_production": In(packets),
                "o_mac": Out(packets),
                "bus": Out(RegisterBus()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.divert = divert = Divert(self.width, self._address.mac)
        m.submodules.server = server = EtherboneServer(self.width, self._address.mac, self._address.ip, base=self._base)
        m.submodules.answers = answers = Answers(self.width)
        wiring.connect(m, wiring.flipped(self.i_mac), divert.i)
        wiring.connect(m, divert.o, wiring.flipped(self.o_production))
        wiring.connect(m, divert.o_own, server.i)
        wiring.connect(m, server.o, answers.i_answer)
        wiring.connect(m, wiring.flipped(self.i_production), answers.i)
        wiring.connect(m, answers.o, wiring.flipped(self.o_mac))
        wiring.connect(m, server.bus, wiring.flipped(self.bus))
        return m
