"""A board's card: what its module says of it, and the top that joins card, clocks and pins."""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io

from halfsilver.boards import Board
from halfsilver.boards.ecp5 import ClockTree, FixedWord, Output, clock_net
from halfsilver.boards.flow import Design
from halfsilver.boards.overlay import RGMII, RX_CLOCK_HZ
from halfsilver.harness.errors import UsageError
from halfsilver.hdl.bus.etherbone.port import EtherboneAddress
from halfsilver.hdl.bus.uart import SerialRate
from halfsilver.hdl.card import Card
from halfsilver.hdl.layout.card_registers import Origin
from halfsilver.hdl.layout.frames import MAX_FRAME
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.hdl.mac.ecp5 import Ecp5Cells

__all__ = ["CardBuild", "build_of", "design_of"]

GMII_HERTZ = 125e6
PHY_RESET_SECONDS = 0.02
"""88E1512 and KSZ9031 ask for 10 ms."""

SMALLEST = {
    "enis": 1,
    "sessions": 1,
    "rules": 1,
    "extension_headers": 1,
    "copies": 8,
    "queue_depth": 16384,
    "cut_copies": 256,
    "verdict_ring": 16,
}
"""The smallest NIC of a board's width and lookups."""

LONGEST_SMOKE = 1514
"""Of its frames: an MTU of 1,500."""

PLACER_SMOKE = "--no-tmdriv"
"""By the length of wires alone, which takes half the time and leaves room at the smallest card's clocks."""

ETHERBONE = EtherboneAddress(b"\x02HSM\x00\x01", "169.254.72.83")
"""The same on every card, as only its own host sees it: a MAC address that is administered locally, and one of IPv4's
link-local ones (RFC 3927), which are in no network that is routed."""


@dataclass(frozen=True)
class CardBuild:
    """What the card is on a board.

    platform     class of amaranth-boards with our overlay: resources rgmii, phy_rst, uart, and its clock
    parameters   NicParameters
    delays_ps    (receive, transmit): by how much the FPGA shifts data against the clock of its ports, in picoseconds
    baud         of the UART
    lights       resource, its number, and member if it has some (`rgb_led`), by light
    core_hertz   the core's clock
    inband       whether the PHYs are known to show link and speed between frames
    phys         where they do not: their addresses on the board's one MDIO, in the order of the ports, if known
    longest      longest frame, without FCS
    placer       nextpnr's, with its options behind it
    in_luts      memories that spare block RAM (`Design`)
    etherbone    where the host finds the registers, beside the serial line; None: nowhere
    beside_etherbone   parameters that are others in the build with Etherbone, which takes room
    """

    platform: type
    parameters: NicParameters
    delays_ps: tuple[int, int]
    baud: int
    lights: dict[str, tuple[str, int, str | None]] = field(default_factory=dict)
    core_hertz: float = 62.5e6
    inband: bool = False
    phys: tuple[int, ...] = ()
    longest: int = MAX_FRAME
    placer: str = "heap"
    in_luts: tuple[str, ...] = ()
    etherbone: EtherboneAddress | None = None
    beside_etherbone: dict[str, int] = field(default_factory=dict)


def build_of(board: Board, smoke: bool = False, etherbone: bool = False) -> CardBuild:
    """What a board's module says; ``smoke``: with the smallest NIC; ``etherbone``: with it, UsageError if it cannot."""
    if etherbone and board.ports < 2:
        raise UsageError(f"{board.name} has no port to the host, where Etherbone is")
    build: CardBuild = importlib.import_module(f"halfsilver.boards.{board.module}").BUILD
    if smoke:
        smallest = replace(build.parameters, **SMALLEST)
        build = replace(build, parameters=smallest, longest=LONGEST_SMOKE, placer=f"{build.placer} {PLACER_SMOKE}")
    elif etherbone:
        build = replace(build, parameters=replace(build.parameters, **build.beside_etherbone))
    return replace(build, etherbone=ETHERBONE if etherbone else None)


def design_of(board: Board, smoke: bool = False, etherbone: bool = False) -> Design:
    """What `halfsilver.boards.flow` builds; arguments as of `build_of`."""
    build = build_of(board, smoke, etherbone)
    variant = [word for word, wanted in (("smoke", smoke), ("etherbone", etherbone)) if wanted]
    ports = ("net", "host")[: board.ports]
    clocks = {"sync": build.core_hertz / 1e6, "gmii": GMII_HERTZ / 1e6}
    parameters = {name: value for name, value in asdict(build.parameters).items() if not isinstance(value, bytes)}
    parameters |= {"longest": build.longest, "baud": build.baud}
    parameters |= {"etherbone": build.etherbone.ip} if build.etherbone is not None else {}
    return Design(
        name="-".join([board.name, *variant]),
        device=board.device,
        platform=build.platform,
        top=lambda origin: Top(build, ports, origin),
        clocks=clocks | {f"{port}_rx": RX_CLOCK_HZ / 1e6 for port in ports},
        parameters=parameters,
        placer=build.placer,
        in_luts=build.in_luts,
    )


class Top(Elaboratable):
    """Card, PLL, reset of the PHYs, and pins. Every pin has a plain buffer; the card's I/O cells are next to it."""

    def __init__(self, build: CardBuild, ports: tuple[str, ...], origin: Origin) -> None:
        self._build, self._ports, self._origin = build, ports, origin

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        build = self._build
        self._clocks(m, platform)

        receive, transmit = build.delays_ps
        cells = [Ecp5Cells(receive_delay_ps=receive, transmit_delay_ps=transmit) for _ in self._ports]
        rate = SerialRate(round(build.core_hertz), build.baud)
        host = cells[1] if len(cells) > 1 else None
        options = {name: getattr(build, name) for name in ("inband", "phys", "longest", "etherbone")}
        card = Card(build.parameters, cells[0], host, rate, **options)
        m.submodules.card = card
        for name, value in (("git_hash", self._origin.git), ("build_hash", self._origin.build)):
            m.submodules[name] = word = FixedWord(value, WORD_BITS)
            m.d.comb += getattr(card, name).eq(word.o)
        for number, name in enumerate(self._ports):
            self._port(m, platform.request("rgmii", number, dir="-"), name, getattr(card, name))
        self._phy_reset(m, platform)
        if build.phys:
            self._management(m, platform.request("mdio", 0, dir="-"), card.mdio)

        uart = platform.request("uart", 0, dir="-")
        m.submodules.uart_rx = rx = io.Buffer("i", uart.rx)
        m.submodules.uart_tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [card.uart_rx.eq(rx.i), tx.o.eq(card.uart_tx)]
        for light, (resource, number, member) in build.lights.items():
            port = platform.request(resource, number, dir="-" if member is None else {member: "-"})
            m.submodules[f"light_{light}"] = lamp = io.Buffer("o", port if member is None else getattr(port, member))
            m.d.comb += lamp.o.eq(card.lights[light])
        return m

    def _clocks(self, m: Module, platform: Any) -> None:
        """The board's clock through the PLL."""
        outputs = [Output("gmii", GMII_HERTZ), Output("sync", self._build.core_hertz)]
        m.submodules.clocks = clocks = ClockTree(platform.default_clk_frequency, outputs)
        m.domains += clocks.domains
        m.submodules.clock = clock = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
        m.d.comb += clocks.clock.eq(clock.i)

    def _port(self, m: Module, pins: Any, name: str, port: Any) -> None:
        """Pins of a port to the card's; the receive clock gets the name that the report looks for."""
        for signal in RGMII:
            inward = signal.startswith("rx")
            m.submodules[f"{name}_{signal}"] = buffer = io.Buffer("i" if inward else "o", getattr(pins, signal))
            if signal == "rx_clk":
                clock = clock_net(f"{name}_rx")
                m.d.comb += [clock.eq(buffer.i), port.rx_clk.eq(clock)]
            elif inward:
                m.d.comb += getattr(port, signal).eq(buffer.i)
            else:
                m.d.comb += buffer.o.eq(getattr(port, signal))

    def _management(self, m: Module, pins: Any, mdio: Any) -> None:
        """MDIO's pins."""
        m.submodules.mdc = mdc = io.Buffer("o", pins.mdc)
        m.submodules.mdio = line = io.Buffer("io", pins.mdio)
        m.d.comb += [mdc.o.eq(mdio.mdc), line.o.eq(mdio.o), line.oe.eq(mdio.oe), mdio.i.eq(line.i)]

    def _phy_reset(self, m: Module, platform: Any) -> None:
        """The PHYs are in reset for PHY_RESET_SECONDS from the core's first clock on."""
        clocks = round(PHY_RESET_SECONDS * self._build.core_hertz)
        left = Signal(range(clocks + 1), init=clocks)
        m.d.sync += left.eq(left - (left != 0))
        for name, number in list(platform.resources):
            if name == "phy_rst":
                m.submodules[f"phy_reset_{number}"] = reset = io.Buffer("o", platform.request(name, number, dir="-"))
                m.d.comb += reset.o.eq(left != 0)
