"""``halfsilver bench init``: a bench file from what is plugged in."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from serial.tools import list_ports

from halfsilver.boards.report import Report
from halfsilver.boards.usb import boards_of
from halfsilver.harness.bench.bench_file import DEFAULT, HASHES, read_bench
from halfsilver.harness.bench.packet_wire import free_interfaces
from halfsilver.harness.commands.card.program import BUILDS
from halfsilver.harness.commands.common import NothingRan, Subparsers, plural, say
from halfsilver.harness.errors import EXIT_OK, UsageError
from halfsilver.hdl.layout.version import VERSION

__all__ = ["add", "bench_file", "run", "write_bench"]

_HEAD = """\
# Boards on this bench, as `halfsilver bench init` found them: see that it has guessed right.
# `halfsilver mirror --engine board:NAME` takes a board by its name here.
"""


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "bench", help="write a bench file", description="Write the file that says how this host reaches its boards."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    init = actions.add_parser(
        "init",
        help="from what is plugged in",
        description="Write a bench file from the USB serial ports that are plugged in and the network interfaces that "
        "nothing else seems to use. A board has to have the bitstream that `halfsilver build` has left below the "
        "current directory. What cannot be known stays a comment. Exit code 5 if no port is plugged in.",
    )
    init.add_argument("-o", dest="output", metavar="FILE", default=DEFAULT, help="default: %(default)s; - is stdout")
    init.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 5 (NothingRan) if there is no port. UsageError if the file is there already."""
    ports = [port for port in list_ports.comports() if port.vid is not None]
    if not ports:
        raise NothingRan("no USB serial port is plugged in, so there is no board to write down")
    text = bench_file(ports, free_interfaces())
    if arguments.output == "-":
        print(text, end="")
        return EXIT_OK
    write_bench(arguments.output, text)
    return EXIT_OK


def write_bench(path: str, text: str) -> None:
    """Write the file, and say what it has. UsageError if it is there already."""
    try:
        with open(path, "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already: name another file with -o, or remove it") from None
    try:
        boards = read_bench(path)
        print(f"{path}: {plural(len(boards), 'board')}: {', '.join(boards)}")
    except UsageError as error:
        say(f"to be filled in: {error}")


def bench_file(ports: Sequence[Any], interfaces: Sequence[str]) -> str:
    """A bench file for these ports of pyserial's and network interfaces, which go to the boards two by two."""
    wires = iter(interfaces)
    parts = [_HEAD]
    names: set[str] = set()
    for chip in _chips(ports):
        port = chip[min(1, len(chip) - 1)]  # FTDI's chips have JTAG on their first port
        name = _name(port, names)
        parts.append("\n".join(["", f"[board.{name}]", *_lines(port, chip, wires)]) + "\n")
    rest = [f"packet:{each}" for each in wires]
    if rest:
        parts.append(f"\n# More interfaces that nothing seems to use: {', '.join(rest)}\n")
    return "".join(parts)


def _chips(ports: Sequence[Any]) -> list[list[Any]]:
    """Ports by the USB device they are of, each list in order of location."""
    chips: dict[tuple[Any, ...], list[Any]] = {}
    for port in sorted(ports, key=lambda port: (port.location or "", port.device)):
        place = (port.location or port.device).partition(":")[0]
        chips.setdefault((port.serial_number, place), []).append(port)
    return list(chips.values())


def _name(port: Any, taken: set[str]) -> str:
    """The board it may be, with a number if there are several."""
    maybe = boards_of(port)
    base = maybe[0].name if maybe else "board"
    name = next(name for name in (base, *(f"{base}-{number}" for number in range(2, 1000))) if name not in taken)
    taken.add(name)
    return name


def _lines(port: Any, chip: Sequence[Any], wires: Iterator[str]) -> Iterator[str]:
    maybe = [board.name for board in boards_of(port)]
    yield f"# {port.device}: {port.description}" + (f"; perhaps {' or '.join(maybe)}" if maybe else "")
    if port.serial_number:
        yield f"usb_serial = {json.dumps(port.serial_number)}"
        if len(chip) > 1:
            yield f"usb_location = {json.dumps((port.location or '').partition(':')[2])}"
    else:  # it says nothing of itself
        yield f"serial = {json.dumps(port.device)}"
    for side in ("net", "host"):
        wire = next(wires, None)
        yield f'{side} = "packet:{wire}"' if wire else f'# {side} = "packet:..."  # the interface at its {side} port'
    if maybe:
        yield f"loader = {json.dumps(maybe[0])}"
    yield f"build = {{ {', '.join(_build(maybe[0] if maybe else None))} }}"


def _build(name: str | None) -> Iterator[str]:
    """What the card of a board has to be; its hashes if a bitstream of it was made here."""
    yield f"version = {json.dumps(VERSION)}"
    report = BUILDS / (name or "") / "report.json"
    if name is not None and report.is_file():
        hashes = Report.from_json(report.read_text(encoding="utf-8")).hashes
        yield from (f"{key} = {json.dumps(hashes[of])}" for key, of in zip(HASHES, ("git", "build"), strict=True))
