"""``halfsilver program``: a bitstream into a board's FPGA, with openFPGALoader."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

from halfsilver.boards import BOARDS, Board
from halfsilver.boards.loader import BoardUnreachable, command_of, find_loader, load
from halfsilver.harness.commands.common import Subparsers, say
from halfsilver.harness.errors import EXIT_OK, UsageError

__all__ = ["BUILDS", "add", "run"]

BUILDS = Path("build", "boards")
"""Where `halfsilver build` leaves bitstreams, below the current directory."""

HEADER = 512
"""Bytes in which a bitstream of ecppack's says what it is for."""


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "program",
        help="load a board's bitstream",
        description="Load a bitstream with openFPGALoader: into the FPGA's RAM, where it lasts until the power goes. "
        "Exit code 4 if the board cannot be reached, 3 if openFPGALoader is missing.",
    )
    parser.add_argument("board", metavar="BOARD", choices=tuple(BOARDS), help=f"one of {', '.join(BOARDS)}")
    parser.add_argument(
        "--bitstream", metavar="FILE", help=f"default: what `halfsilver build BOARD` has left in {BUILDS}/BOARD"
    )
    parser.add_argument("--flash", action="store_true", help="into flash, so that it is there after power-on")
    parser.add_argument("--cable", metavar="NAME", help="another JTAG adapter, as openFPGALoader names it")
    parser.add_argument("--serial", metavar="NUMBER", help="serial number of the adapter, where there are several")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    board = BOARDS[arguments.board]
    path, content = _bitstream(board, arguments.bitstream)
    loader = find_loader()
    command = command_of(board, loader, path, flash=arguments.flash, cable=arguments.cable, serial=arguments.serial)
    say(f"running: {' '.join(command)}")
    try:
        load(command, _echo if sys.stderr.isatty() else None)
    except BoardUnreachable as error:
        raise BoardUnreachable(f"{board.name}: {error}" + (f"; {board.adapter}" if board.adapter else "")) from None
    digest = hashlib.sha256(content).hexdigest()
    where = "flash" if arguments.flash else "RAM"
    if arguments.json:
        print(json.dumps({"board": board.name, "bitstream": str(path), "sha256": digest, "into": where}, indent=2))
    else:
        print(f"{board.name}: {path} is in {where}, sha256 {digest}")
    return EXIT_OK


def _bitstream(board: Board, given: str | None) -> tuple[Path, bytes]:
    """The file and what is in it; UsageError if it is not there, or made for another FPGA."""
    path = Path(given) if given is not None else BUILDS / board.name / f"{board.name}.bit"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        hint = "" if given is not None else f"; `halfsilver build {board.name}` makes it"
        raise UsageError(f"{path}: no such bitstream{hint}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    part = re.search(rb"Part: ([\x21-\x7e]+)", content[:HEADER])
    if part is None:
        raise UsageError(f"{path}: is not a bitstream of ecppack's: it does not say which FPGA it is for")
    if not part[1].decode().startswith(board.device):
        raise UsageError(f"{path}: is for {part[1].decode()}; {board.name} has {board.device}")
    return path, content


def _echo(text: str) -> None:
    """openFPGALoader's progress bars, as they come."""
    sys.stderr.write(text)
    sys.stderr.flush()
