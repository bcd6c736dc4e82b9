"""Colorlight 5A-75B, revision 7.0: LFE5U-25F-6, two Broadcom B50612D that share reset and MDIO.

The PHYs shift the transmit clock; the receive clock is shifted here, by the 2 ns of RGMII 2.0, as LiteX's target does.
The UART is on the pads of LED and button, which is why there are no lights. It takes soldering, so this is the board
for Etherbone, which takes the last of its block RAMs, and so many LUTs that there is one session left: with AWS's three
the clocks of the ports are missed.
Whether the PHYs show their link between frames, and which addresses they have on MDIO, was found nowhere: the ports
are 1 Gb/s until ``phys`` says the latter.
"""

from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform

from halfsilver.boards.card_build import CardBuild
from halfsilver.boards.overlay import with_ports
from halfsilver.hdl.layout.parameters import NicParameters

__all__ = ["BUILD"]


class Platform(Colorlight_5A75B_R70Platform):
    """Both ports list the shared pins, so that they cannot be requested together; the overlay has each pin once."""

    resources = with_ports(Colorlight_5A75B_R70Platform.resources)


LONGEST = 1900
"""With 70 bytes of outer headers in front it fits 512 words, one row of block RAMs; jumbo frames need 65 RAMs of 56."""

BUILD = CardBuild(
    platform=Platform,
    parameters=NicParameters(width=32, enis=1, lookup_clocks=4, copies=64, cut_copies=LONGEST, verdict_ring=16),
    delays_ps=(2000, 0),
    baud=1_000_000,
    longest=LONGEST,
    in_luts=("queue.pending", "queue.committed"),
    beside_etherbone={"sessions": 1, "copies": 16},
)
