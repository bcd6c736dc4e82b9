"""LambdaConcept ECPIX-5 85F: LFE5UM5G-85F-8, one Micrel KSZ9031, UART over the FTDI that programs it.

With one port the card is a tap: it judges what it is sent. The PHY shifts the receive clock; the transmit clock is
shifted here, by the 2 ns of RGMII 2.0, as LiteX's target does. The PHY shows link and speed between frames (its data
sheet, DS00002117, 3.9.4).
Placed by nextpnr's ``static``: behind ``heap`` the router came to no end in several times as long.
"""

from amaranth_boards.ecpix5 import ECPIX585Platform

from halfsilver.boards.card_build import CardBuild
from halfsilver.boards.overlay import with_ports
from halfsilver.hdl.layout.parameters import NicParameters

__all__ = ["BUILD"]


class Platform(ECPIX585Platform):
    """The port is tx_ctrl and rx_ctrl here; the overlay has the names of the other boards."""

    resources = with_ports(ECPIX585Platform.resources)


BUILD = CardBuild(
    platform=Platform,
    parameters=NicParameters(width=32, enis=8, lookup_clocks=4),
    delays_ps=(0, 2000),
    baud=3_000_000,
    placer="static",
    inband=True,
    lights={
        "link": ("rgb_led", 0, "g"),
        "production": ("rgb_led", 1, "g"),
        "copies": ("rgb_led", 2, "b"),
        "skips": ("rgb_led", 3, "r"),
    },
)
