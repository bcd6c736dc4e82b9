"""``halfsilver regs``: the register map, from its one declaration in ``hdl/layout/registers.py``."""

from __future__ import annotations

import argparse

from halfsilver.harness.commands.common import Subparsers
from halfsilver.harness.errors import EXIT_OK, EnvironmentMissing

__all__ = ["add", "run"]

FORMATS = ("md", "c", "json", "rdl")


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("regs", help="print the register map", description="Print the register map.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--format", choices=FORMATS, default="md", help="Markdown, C header, JSON or SystemRDL (default: %(default)s)"
    )
    choice.add_argument("--json", dest="format", action="store_const", const="json", help="same as --format json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    try:
        from halfsilver.hdl.layout.register_formats import render
    except ModuleNotFoundError as error:
        raise EnvironmentMissing(
            f"the register map needs {error.name}, which is not installed; `halfsilver doctor` lists what is missing"
        ) from None
    print(render(arguments.format).rstrip("\n"))
    return EXIT_OK
