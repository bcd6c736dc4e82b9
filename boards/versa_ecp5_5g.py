"""Lattice Versa ECP5-5G: LFE5UM5G-45F-8, two Marvell 88E1512, UART over the FTDI that programs it.

The PHYs shift both clocks themselves (RGMII-ID), so the FPGA does not: LiteX's lattice_versa_ecp5 target has the same.
They show link and speed between frames, as was seen on this board (LiteEth, pull request 40).
"""

from amaranth_boards.versa_ecp5_5g import VersaECP55GPlatform

from halfsilver.boards.card_build import CardBuild
from halfsilver.boards.overlay import with_ports
from halfsilver.hdl.layout.parameters import NicParameters

__all__ = ["BUILD"]


class Platform(VersaECP55GPlatform):
    """Port 1 has tx_ctrl and rx_ctrl where port 0 has tx_ctl and rx_ctl; the overlay has one name for each."""

    resources = with_ports(VersaECP55GPlatform.resources)


BUILD = CardBuild(
    platform=Platform,
    parameters=NicParameters(width=32, enis=4, lookup_clocks=4),
    delays_ps=(0, 0),
    baud=3_000_000,
    inband=True,
    lights={name: ("led", number, None) for number, name in enumerate(("link", "production", "copies", "skips"))},
)
