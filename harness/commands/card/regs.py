"""``halfsilver regs``: the register maps, from their declarations in ``hdl/layout``."""

from __future__ import annotations

import argparse

from halfsilver.harness.commands.common import Subparsers
from halfsilver.harness.errors import EXIT_OK
from halfsilver.hdl.layout.card_registers import CARD_REGISTERS
from halfsilver.hdl.layout.register_formats import render
from halfsilver.hdl.layout.registers import REGISTERS

__all__ = ["add", "run"]

FORMATS = ("md", "c", "json", "rdl")
MAPS = {"nic": REGISTERS, "card": CARD_REGISTERS}


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("regs", help="print the register map", description="Print the register map.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--format", choices=FORMATS, default="md", help="Markdown, C header, JSON or SystemRDL (default: %(default)s)"
    )
    choice.add_argument("--json", dest="format", action="store_const", const="json", help="same as --format json")
    parser.add_argument(
        "--map",
        choices=MAPS,
        default="nic",
        help="registers of the NIC, or those that a board's card has beside it (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    print(render(arguments.format, MAPS[arguments.map]).rstrip("\n"))
    return EXIT_OK
