"""The card: NIC, MACs, UART and lights, on any board. What a platform adds is clocks, pins and I/O cells.

network PHY --> net MAC --> i_net            o_host --> host MAC --> host PHY
            <-- net MAC <-- o_net    NIC     i_host <-- host MAC <--
serial line <-> UART bridge <----> registers of the NIC, and of the card <----> Etherbone at the host MAC, if wanted
"""

from itertools import permutations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.etherbone.port import EtherbonePort
from halfsilver.hdl.bus.register_file import RegisterFile
from halfsilver.hdl.bus.share import BusShare
from halfsilver.hdl.bus.split import BusSplit
from halfsilver.hdl.bus.uartbone import RESYNC_SECONDS, UartBone
from halfsilver.hdl.layout.card_registers import CARD_REGISTERS, LINE_FAULTS, counter_name
from halfsilver.hdl.layout.frames import MAX_FRAME
from halfsilver.hdl.layout.ports import ReceivedCode, SentCode
from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.hdl.mac.mac import Mac
from halfsilver.hdl.mac.mdio import GIGABIT, LinkPoller, MdioSignature
from halfsilver.hdl.mac.words import RgmiiSignature
from halfsilver.hdl.nic import Nic
from halfsilver.hdl.records import VerdictCode

__all__ = ["LIGHTS", "LIGHT_SECONDS", "Card", "Light"]

LIGHTS = data.StructLayout({"link": 1, "production": 1, "copies": 1, "skips": 1})
"""link: every port has one; production, copies: a frame, a copy left a moment ago; skips: a copy found no room."""

LIGHT_SECONDS = 0.05
"""So long a light shows one event: the shortest that an eye takes for a flash."""


class Light(wiring.Component):
    """Stretches events: ``o`` is high from the clock after ``i`` on, for ``clocks`` after its last one."""

    def __init__(self, clocks):
        if clocks < 1:
            raise ValueError(f"clocks must be at least 1, not {clocks!r}")
        self._clocks = clocks
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(self._clocks + 1))
        m.d.comb += self.o.eq(left != 0)
        with m.If(self.i):
            m.d.sync += left.eq(self._clocks)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return m


class Card(wiring.Component):
    """A mirror NIC between an Ethernet port to the network and one to the host.

    Parameters
    ----------
    parameters   NicParameters
    net_cells    I/O cells of the port to the network (`halfsilver.hdl.mac`)
    host_cells   those of the port to the host; None: there is no such port
    rate         SerialRate of the registers' line; its clock is the core's
    inband       speed and link are what the PHYs say between frames (RGMII 2.0, section 3.4.1); otherwise 1 Gb/s, full
                 duplex, linked while there is a receive clock, or what ``phys`` say
    phys         addresses on MDIO of the network's PHY, and of the host's, which are asked instead (`LinkPoller`)
    longest      longest frame in octets, without FCS, that the ports pass; longer ones are giants (`Mac`)
    etherbone    EtherboneAddress at which the host finds the registers as well; None: at the serial line alone
    resync_seconds  silence that ends a command on the serial line (`UartBone`)

    Ports
    -----
    net       pins of the port to the network
    host      pins of the port to the host; only if there is one
    uart_rx   serial line to the registers, LiteX's uartbone; asynchronous
    uart_tx   its answers
    lights    LIGHTS
    mdio      to the PHYs (`MdioSignature`); only with ``phys``
    git_hash, build_hash  what the card was made from (`Origin`); constants, which its registers say

    Domains: ``sync``, the core's clock; ``gmii``, 125 MHz, for what the ports send. Each port's receive clock is its
    PHY's. Frames, in order and bytes unchanged, go from either port to the other, copies to the network (`Nic`).
    Ports of different speeds pass frames whole: what cannot be sent as fast as it comes waits for its end, and is
    dropped whole where the store is full (`Mac`, OVERFLOW).
    Without a port to the host the card is a tap: what comes from the network is judged as ingress and ends here, and
    copies leave by the port that it came by.
    Latency, throughput: those of `Nic` and twice `Mac`'s. Bad input: as there.
    """

    def __init__(
        self,
        parameters,
        net_cells,
        host_cells,
        rate,
        *,
        inband=True,
        phys=(),
        longest=MAX_FRAME,
        etherbone=None,
        resync_seconds=RESYNC_SECONDS,
    ):
        if etherbone is not None and host_cells is None:
            raise ValueError("Etherbone is at the port to the host, and there is none")
        self.parameters = parameters
        self._cells = {"net": net_cells} | ({"host": host_cells} if host_cells is not None else {})
        self._rate, self._inband, self._longest = rate, inband, longest
        self._resync_seconds, self._phys = resync_seconds, tuple(phys)
        self._etherbone = etherbone
        if self._phys and (inband or len(self._phys) != len(self._cells)):
            raise ValueError(f"PHYs {self._phys} cannot be asked: wanted is one per port, none of them in-band")
        super().__init__(
            {
                **{name: Out(RgmiiSignature()) for name in self._cells},
                "uart_rx": In(1, init=1),
                "uart_tx": Out(1, init=1),
                "lights": Out(LIGHTS),
                "git_hash": In(WORD_BITS),
                "build_hash": In(WORD_BITS),
                **({"mdio": Out(MdioSignature())} if self._phys else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.nic = nic = Nic(self.parameters)
        m.submodules.uart = uart = UartBone(self._rate, resync_seconds=self._resync_seconds)
        m.d.comb += [uart.rx.eq(self.uart_rx), self.uart_tx.eq(uart.tx)]

        bus = uart.bus
        ways = {name: (getattr(nic, f"i_{name}"), getattr(nic, f"o_{name}")) for name in self._cells}
        if self._etherbone is not None:
            bus, ways["host"] = self._registers_at_host(m, uart, nic)
        macs = {name: self._port(m, name, *way) for name, way in ways.items()}
        self._links(m, macs.values())
        if len(macs) == 2:
            # A frame that would be overtaken by the faster port it goes out of is handed over when it is whole.
            for mac, other in permutations(macs.values()):
                m.d.comb += mac.whole.eq(mac.status.speed.as_value() < other.status.speed.as_value())
        else:
            m.d.comb += nic.o_host.ready.eq(1)
        self._registers(m, bus, uart.faults, nic, macs)
        self._lights(m, nic, macs)
        return m

    def _links(self, m, macs):
        """What the ports believe of their links, if they do not take it from between the frames."""
        statuses = [GIGABIT] * len(macs)
        if self._phys:
            m.submodules.poller = poller = LinkPoller(self._phys, self._rate.clock)
            wiring.connect(m, poller.pins, wiring.flipped(self.mdio))
            statuses = poller.status
        for mac, status in zip(macs, statuses, strict=True):
            m.d.comb += [mac.manual.eq(not self._inband), mac.manual_status.eq(status)]

    def _registers_at_host(self, m, uart, nic):
        """Etherbone beside the serial line; returns the bus of both, and the way of the host's frames to and fro."""
        m.submodules.etherbone = port = EtherbonePort(self.parameters.width, self._etherbone)
        wiring.connect(m, port.o_production, nic.i_host)
        wiring.connect(m, nic.o_host, port.i_production)
        m.submodules.share = share = BusShare(2)
        wiring.connect(m, uart.bus, share.i[0])
        wiring.connect(m, port.bus, share.i[1])
        return share.bus, (port.i_mac, port.o_mac)

    def _registers(self, m, bus, line_faults, nic, macs):
        """The bus reaches those of the NIC, and the card's own (`CARD_REGISTERS`)."""
        m.submodules.split = split = BusSplit()
        m.submodules.registers = own = RegisterFile(CARD_REGISTERS)
        wiring.connect(m, bus, split.i)
        wiring.connect(m, split.low, nic.bus)
        wiring.connect(m, split.high, own.bus)
        m.d.comb += own.r_card_shape.ports.eq(len(macs))
        m.d.comb += [own.r_git_hash.value.eq(self.git_hash), own.r_build_hash.value.eq(self.build_hash)]
        for fault in LINE_FAULTS:
            m.d.comb += getattr(own, f"r_line_{fault}").count.eq(getattr(line_faults, fault))
        for port, mac in macs.items():
            link, status = getattr(own, f"r_{port}_link"), mac.status
            m.d.comb += [
                link.up.eq(status.link),
                link.speed.eq(status.speed),
                link.duplex.eq(status.duplex),
                link.clock.eq(status.clock),
            ]
            for counts, outcomes in ((mac.received, ReceivedCode), (mac.sent, SentCode)):
                for outcome in outcomes:
                    register = getattr(own, f"r_{counter_name(port, outcome)}")
                    m.d.comb += register.count.eq(counts[outcome.name.lower()])

    def _port(self, m, name, received, to_send):
        """A MAC between the pins of this name and two streams."""
        m.submodules[name] = mac = Mac(self.parameters.width, self._cells[name], longest=self._longest)
        wiring.connect(m, mac.rgmii, wiring.flipped(getattr(self, name)))
        wiring.connect(m, mac.o, received)
        wiring.connect(m, to_send, mac.i)
        return mac

    def _lights(self, m, nic, macs):
        """Events of the NIC, long enough to be seen."""
        sent = {name: self._ends(getattr(nic, f"o_{name}")) for name in ("net", "host")}
        events = {
            "production": sent["host"] | sent["net"] & ~nic.o_copy,
            "copies": sent["net"] & nic.o_copy,
            "skips": Cat(each.valid & (each.p.verdict == VerdictCode.CONGESTED) for each in nic.o_verdict).any(),
        }
        for name, event in events.items():
            m.submodules[f"light_{name}"] = light = Light(round(LIGHT_SECONDS * self._rate.clock))
            m.d.sync += light.i.eq(event)
            m.d.comb += self.lights[name].eq(light.o)
        m.d.comb += self.lights.link.eq(Cat(mac.status.link for mac in macs.values()).all())

    @staticmethod
    def _ends(stream):
        """A frame's last beat is taken."""
        return stream.valid & stream.ready & stream.p.last
