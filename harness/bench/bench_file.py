"""The bench file: boards by name, and how this host reaches each of them (TOML).

[board.versa]
usb_serial = "FT4XYZ"        # the serial port, by what its USB chip says; or: serial = "/dev/ttyUSB1", or a URL
usb_location = "1.1"         # which of the chip's ports
net = "packet:eth1"          # the wires to its ports
host = "packet:eth2"
loader = "versa-ecp5-5g"     # as `halfsilver program` takes it
[board.versa.build]          # what its card has to be
version = "0.1.0"
git = "1691682d"             # as the report of `halfsilver build` has them: of the commit,
hash = "8c043fdc"            # and of all else that determines the bitstream
enis = 4
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from serial.tools import list_ports

from halfsilver.harness.bench.wires import check_address
from halfsilver.harness.errors import CardUnreachable, UsageError, WrongCard
from halfsilver.harness.nic.identity import Card
from halfsilver.harness.nic.transports.opening import RATES
from halfsilver.harness.spelling import rather

__all__ = ["DEFAULT", "HASHES", "BenchBoard", "board_of", "check_build", "port_of", "read_bench"]

DEFAULT = "bench.toml"

_TOP, _VERSION = "board", "version"
HASHES = ("git", "hash")
"""As a bench file has them: of the commit, and of all else that determines the bitstream."""


@dataclass(frozen=True)
class BenchBoard:
    """A board on the bench.

    serial        device, or URL, of its registers (`open_transport`); or
    usb_serial    serial number of the USB chip that has its serial port, and
    usb_location  the end of the port's place on the USB, where the chip has several
    baud          bits per second of the serial line
    net, host     wires to its network port and its host port (`open_wire`)
    loader        its name for ``halfsilver program``
    patience      seconds that an answer, or a frame, may take; without it what suits hardware, a simulation needs more
    build         version, hashes and build parameters that its card must have
    """

    name: str
    file: str
    serial: str = ""
    usb_serial: str = ""
    usb_location: str = ""
    baud: int = RATES[-1]
    net: str = ""
    host: str = ""
    loader: str = ""
    patience: int = 0
    build: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.file}: board {self.name}"


_KEYS = {each.name: each.type for each in fields(BenchBoard) if each.name not in ("name", "file")}


def read_bench(path: str) -> dict[str, BenchBoard]:
    """The boards of a bench file. UsageError for what it does not have, does not need, or does not know."""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no bench file {path}: `halfsilver bench init` writes one") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no TOML: {error}") from None
    _refuse_unknown(path, document, [_TOP])
    boards = document.get(_TOP, {})
    if not isinstance(boards, dict) or not boards:
        raise UsageError(f"{path}: names no board: [{_TOP}.NAME] begins one")
    return {name: board_of(path, name, table) for name, table in boards.items()}


def board_of(path: str, name: str, table: Any) -> BenchBoard:
    """A board from its table in what ``path`` names. UsageError for what it does not have, need or know."""
    place = f"{path}: board {name}"
    if not isinstance(table, dict):
        raise UsageError(f"{place}: must be a table, [{_TOP}.{name}]")
    _refuse_unknown(place, table, _KEYS)
    for key, value in table.items():
        kind = {"int": int, "str": str}.get(str(_KEYS[key]), dict)
        if (
            not isinstance(value, kind)
            or isinstance(value, bool)
            or value == ""
            or (isinstance(value, int) and value < 1)
        ):
            raise UsageError(f"{place}: {key} = {value!r}: must be {_WORDS[kind]}")
    board = BenchBoard(name, path, **table)
    if bool(board.serial) == bool(board.usb_serial):
        raise UsageError(f"{place}: needs either serial, a device or URL, or usb_serial")
    for side in ("net", "host"):
        if not table.get(side):
            raise UsageError(f"{place}: needs {side}, the wire to its {side} port, such as packet:eth1")
        try:
            check_address(table[side])
        except UsageError as error:
            raise UsageError(f"{place}: {side}: {error}") from None
    return board


_WORDS = {str: "a text", int: "a number above 0", dict: "a table"}


def _refuse_unknown(place: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in table:
        if key not in (names := list(known)):
            raise UsageError(f"{place}: there is no key {key!r}; {rather(key, names)}")


def port_of(board: BenchBoard, ports: Callable[[], Iterable[Any]] = list_ports.comports) -> str:
    """The serial device or URL of a board; CardUnreachable if it is not plugged in, or is not the only one."""
    if board.serial:
        return board.serial
    mine = [port for port in ports() if port.serial_number == board.usb_serial]
    here = [port for port in mine if (port.location or "").endswith(board.usb_location)]
    if len(here) == 1:
        return str(here[0].device)
    if not mine:
        what = f"no serial port has the USB serial number {board.usb_serial}"
        raise CardUnreachable(f"{board.place}: {what}: see that it is plugged in; `halfsilver list` shows the ports")
    found = ", ".join(f"{port.device} at {port.location}" for port in sorted(mine, key=lambda port: str(port.device)))
    raise CardUnreachable(
        f"{board.place}: of the ports with the USB serial number {board.usb_serial} ({found}) {len(here)} are at a "
        f"location that ends in {board.usb_location!r}: set usb_location"
    )


def check_build(board: BenchBoard, card: Card) -> None:
    """WrongCard if it is another build than the bench file expects; UsageError for an expectation that nobody knows."""
    parameters = {each.name: getattr(card.shape, each.name) for each in fields(card.shape)}
    hashes = dict(zip(HASHES, (card.git, card.build), strict=True))
    found: dict[str, str | int] = {_VERSION: card.version, **hashes, **parameters}
    _refuse_unknown(f"{board.place}, build", board.build, found)
    for name in HASHES:
        value = board.build.get(name, hashes[name])
        if not (isinstance(value, str) and re.fullmatch("[0-9a-f]{8}", value)):
            raise UsageError(
                f"{board.place}, build: {name} = {value!r}: must be eight hexadecimal digits, in quotes, as the report "
                "of `halfsilver build` has them"
            )
    wrong = [
        f"{name} {found[name]!r} instead of {value!r}" for name, value in board.build.items() if found[name] != value
    ]
    if wrong:
        loader = f": `halfsilver program {board.loader}` loads another" if board.loader else ""
        raise WrongCard(f"{board.place}: its card is another build, {', '.join(wrong)}{loader}")
