"""Corrections to amaranth-boards' definitions: the same names for the same things, and nothing requested twice.

The pins are amaranth-boards' own; what is changed is said by the board that changes it.
"""

from __future__ import annotations

from amaranth.build import Clock, Resource, Subsignal

__all__ = ["RGMII", "RX_CLOCK_HZ", "rgmii_port", "with_ports"]

RGMII = ("tx_clk", "tx_ctl", "tx_data", "rx_clk", "rx_ctl", "rx_data")
"""The signals of a port, as RGMII 2.0 calls them, and as every board of ours has them."""

RX_CLOCK_HZ = 125e6
"""At 1 Gb/s; at less it is slower, and so within the constraint."""

MISSPELT = {"tx_ctrl": "tx_ctl", "rx_ctrl": "rx_ctl"}


def rgmii_port(resource):
    """Our ``rgmii`` of a board's ``eth_rgmii``: the six signals, receive clock constrained, without reset and MDIO.

    Reset and MDIO are left out because a board may share them between its ports.
    """
    signals = []
    for part in resource.ios:
        name = MISSPELT.get(part.name, part.name)
        if name in RGMII:
            clock = [Clock(RX_CLOCK_HZ)] if name == "rx_clk" else []
            signals.append(Subsignal(name, *part.ios, part.attrs, *clock))
    missing = set(RGMII) - {signal.name for signal in signals}
    if missing:
        raise ValueError(f"{resource.name}#{resource.number} has no {', '.join(sorted(missing))}")
    return Resource("rgmii", resource.number, *signals, resource.attrs)


def phy_reset(resources):
    """``phy_rst`` of every reset pin that the ports have, each pin once."""
    pins = {}
    for resource in resources:
        for part in resource.ios:
            if part.name == "rst":
                pins.setdefault(tuple(part.ios[0].names), (part, resource.attrs))
    return [Resource("phy_rst", number, *part.ios, attrs) for number, (part, attrs) in enumerate(pins.values())]


def management(resources):
    """``mdio`` of every pair of management pins that the ports have, each pair once: mdc, mdio."""
    pairs = {}
    for resource in resources:
        parts = {part.name: part for part in resource.ios if part.name in ("mdc", "mdio")}
        pairs.setdefault(tuple(parts["mdio"].ios[0].names), (parts, resource.attrs))
    return [
        Resource("mdio", number, *(Subsignal(name, *part.ios, part.attrs) for name, part in parts.items()), attrs)
        for number, (parts, attrs) in enumerate(pairs.values())
    ]


def with_ports(resources, *others):
    """A board's resources, its ports as `rgmii_port` has them, resets as ``phy_rst``, management as ``mdio``, and
    ``others`` of ours."""
    ports = [resource for resource in resources if resource.name == "eth_rgmii"]
    kept = [resource for resource in resources if resource.name != "eth_rgmii"]
    return [*kept, *(rgmii_port(port) for port in ports), *phy_reset(ports), *management(ports), *others]
