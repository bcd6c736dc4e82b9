"""The card as the bench sees it: clocks as pins, and the pins of its ports in flat names."""

from amaranth.hdl import ClockDomain, ClockSignal, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.card import LIGHTS, Card
from halfsilver.hdl.mac.simulation import SimulationCells
from halfsilver.hdl.mac.words import RgmiiSignature

PORTS = ("net", "host")
HASHES = {"git_hash": 0x89ABCDEF, "build_hash": 0x01234567}
"""What the card says that it was made from."""


class CardTop(wiring.Component):
    """``clk`` and ``rst`` of the core; ``clk125`` and ``clk125_late``, the same clock shifted for the pins of the
    transmit clocks; ``net_*`` and ``host_*``, the pins; serial line and lights."""

    def __init__(self, parameters, rate, *, ports=2, **options):
        self._ports = PORTS[:ports]
        cells = [SimulationCells("late") for _ in self._ports]
        self.card = Card(parameters, cells[0], cells[1] if ports == 2 else None, rate, **options)
        super().__init__(
            {
                "clk125": In(1),
                "clk125_late": In(1),
                **{
                    f"{port}_{name}": member
                    for port in self._ports
                    for name, member in RgmiiSignature().members.items()
                },
                "uart_rx": In(1, init=1),
                "uart_tx": Out(1, init=1),
                "lights": Out(LIGHTS.size),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains += [ClockDomain(name, reset_less=True) for name in ("gmii", "late")]
        m.d.comb += [ClockSignal("gmii").eq(self.clk125), ClockSignal("late").eq(self.clk125_late)]
        m.submodules.card = card = self.card
        for port in self._ports:
            for name, member in RgmiiSignature().members.items():
                outside, inside = getattr(self, f"{port}_{name}"), getattr(getattr(card, port), name)
                m.d.comb += outside.eq(inside) if member.flow is Out else inside.eq(outside)
        m.d.comb += [card.uart_rx.eq(self.uart_rx), self.uart_tx.eq(card.uart_tx), self.lights.eq(card.lights)]
        m.d.comb += [getattr(card, name).eq(value) for name, value in HASHES.items()]
        return m
