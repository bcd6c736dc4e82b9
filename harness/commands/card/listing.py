"""``halfsilver list``: the engines, example captures, boards and serial ports that there are."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from serial.tools import list_ports

from halfsilver.boards import BOARDS, Board
from halfsilver.boards.usb import boards_of, found, is_sure
from halfsilver.harness.commands.common import Subparsers
from halfsilver.harness.engines.registry import ENGINES
from halfsilver.harness.errors import EXIT_OK
from halfsilver.harness.installation import ROOT, checkout
from halfsilver.harness.report.tables import table

__all__ = ["add", "describe_port", "port_table", "run"]

EXAMPLES = "build/example"
CAPTURES_VARIABLE = "HALFSILVER_CAPTURES"
_UNKNOWN = "n/a"
"""What pyserial says of a port of which the system says nothing."""


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "list",
        help="list engines, captures, boards and serial ports",
        description=f"List engines, boards, serial ports and the captures in {EXAMPLES} and in ${CAPTURES_VARIABLE}.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    captures = _captures()
    serial_ports = sorted(list_ports.comports(), key=lambda port: str(port.device))
    ports = {board.name: found(board, serial_ports) for board in BOARDS.values()}
    if arguments.json:
        print(
            json.dumps(
                {
                    "engines": [
                        {"name": entry.shown, "what": entry.what, "missing": entry.missing}
                        for entry in ENGINES.values()
                    ],
                    "captures": [str(path) for path in captures],
                    "boards": [_board(board, ports[board.name]) for board in BOARDS.values()],
                    "serial_ports": [describe_port(port) for port in serial_ports],
                },
                indent=2,
            )
        )
        return EXIT_OK
    print(
        table(
            ("engine", "what", "ready"),
            [
                (entry.shown, entry.what, f"no: {', '.join(entry.missing)} missing" if entry.missing else "yes")
                for entry in ENGINES.values()
            ],
        )
    )
    print()
    print(
        table(("capture", "bytes"), [(path, path.stat().st_size) for path in captures], right="1")
        if captures
        else f"no captures here: {_where_captures_come_from()}"
    )
    print()
    rows = [
        (board.name, board.device, board.ports, board.what, _found(board, ports[board.name]))
        for board in BOARDS.values()
    ]
    print(table(("board", "device", "ports", "what", "found"), rows, right="2"))
    print()
    print(port_table(serial_ports) if serial_ports else "no serial ports here: a board's appears when it is plugged in")
    return EXIT_OK


def _board(board: Board, ports: list[Any]) -> dict[str, Any]:
    return {
        "name": board.name,
        "what": board.what,
        "device": board.device,
        "ports": board.ports,
        "found": [{"port": port.device, "serial": port.serial_number, "sure": is_sure(board, port)} for port in ports],
    }


def describe_port(port: Any) -> dict[str, Any]:
    """What pyserial and the boards' table say of a port; None for what nobody knows."""
    return {
        "device": port.device,
        "what": None if port.description == _UNKNOWN else port.description,
        "usb": f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None else None,
        "serial": port.serial_number,
        "location": port.location,
        "boards": [board.name for board in boards_of(port)],
    }


def port_table(ports: list[Any]) -> str:
    """For each port what `describe_port` has; the boards are those it may belong to."""
    rows = [describe_port(port) for port in ports]
    names = ("device", "what", "usb", "serial", "location")
    shown = [[*(row[name] or "-" for name in names), ", ".join(row["boards"]) or "-"] for row in rows]
    return table(("serial port", *names[1:], "perhaps"), shown)


def _found(board: Board, ports: list[Any]) -> str:
    """Serial ports of a board; those that other boards may have as well are said to be a guess."""
    if not board.usb:
        return "cannot be known: it has no USB"
    return ", ".join(port.device if is_sure(board, port) else f"perhaps {port.device}" for port in ports) or "no"


def _where_captures_come_from() -> str:
    if checkout() is not None:
        return "`make sim` makes the example"
    return f"name a folder of captures in the variable {CAPTURES_VARIABLE}"


def _captures() -> list[Path]:
    """Example and test captures, as paths that ``-r`` takes from the current directory."""
    folders = [ROOT / EXAMPLES]
    if os.environ.get(CAPTURES_VARIABLE):
        folders.append(Path(os.environ[CAPTURES_VARIABLE]))
    return [
        Path(os.path.relpath(path)) for folder in folders for path in sorted(folder.rglob("*.pcap*")) if path.is_file()
    ]
