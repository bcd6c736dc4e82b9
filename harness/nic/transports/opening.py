"""The way to a card by its address, with a handshake: what is wrong with a rig is told before any work is done."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

from halfsilver.harness.errors import CardUnreachable, UsageError
from halfsilver.harness.nic.transports.etherbone import ETHERBONE_PORT
from halfsilver.harness.nic.transports.serial_port import PATIENCE, SerialPort
from halfsilver.harness.nic.transports.uartbone import UartboneTransport, read_command
from halfsilver.harness.nic.transports.udp import EtherboneTransport
from halfsilver.hdl.layout.registers import CORE_ID, REGISTERS

__all__ = ["RATES", "open_serial", "open_transport"]

RATES = (115_200, 230_400, 460_800, 921_600, 1_000_000, 2_000_000, 3_000_000)
"""Bits per second that cards have. All are tried when none answers, the fastest first: the right one can be named."""

_HELLO = read_command(REGISTERS.address("ID"), 1)
_WELCOME = CORE_ID.to_bytes(4, "big")
_PROBE_SHARE = 0.2
"""Of the patience for an answer, what one at another rate gets: there are many to try, and a card is quick."""


def open_transport(
    address: str, baud: int = RATES[-1], *, patience: float | None = None
) -> UartboneTransport | EtherboneTransport:
    """``udp://HOST[:PORT]`` is Etherbone; everything else a serial port. Who it is, the driver asks (`identify`).

    ``patience``: seconds that an answer may take, where it is not the usual.
    """
    if not address.startswith("udp://"):
        return open_serial(address, baud, patience=PATIENCE if patience is None else patience)
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{address}: {error}") from None
    if not host or parts.path.strip("/") or parts.query:
        raise UsageError(f"{address}: must be udp://HOST or udp://HOST:PORT")
    limits = {} if patience is None else {"patience": patience}
    return EtherboneTransport(host, port or ETHERBONE_PORT, **limits)


def open_serial(url: str, baud: int = RATES[-1], *, patience: float = PATIENCE) -> UartboneTransport:
    """A port, as ours alone, behind which something answers with whole words.

    CardUnreachable if not: as well as can be known it says whether nothing answers, the card has another rate, the line
    is a loop, or what comes are no words.
    """
    port = SerialPort(url, baud, patience=patience)
    try:
        _greet(port, _PROBE_SHARE * patience)
    except BaseException:
        port.close()
        raise
    return UartboneTransport(port)


def _greet(port: SerialPort, probe_patience: float) -> None:
    answers = []
    for _ in range(2):
        port.settle()  # somebody may have left in the middle of a command
        answers.append(port.ask(_HELLO, len(_WELCOME)))
        if answers[-1] == _WELCOME:
            return
    if all(answer and _HELLO.startswith(answer) for answer in answers):
        raise CardUnreachable(f"{port.name} sends back what it is sent: its two lines are connected, without a card")
    if not port.rate_is_theirs:
        _look_for_rate(port, probe_patience)
    first, second = answers
    if first == second and len(first) == len(_WELCOME):
        return  # some other core, which the driver will name
    what = "nothing answers" if not first and not second else f"what answers are no words ({first!r}, {second!r})"
    raise CardUnreachable(f"{port.name}: {what}: see that the board has power and its bitstream, and at which rate")


def _look_for_rate(port: SerialPort, patience: float) -> None:
    """CardUnreachable if there is a card at another rate."""
    asked = port.name
    for rate in reversed(RATES):
        with contextlib.suppress(ValueError), port.at(rate):
            port.settle()
            if port.ask(_HELLO, len(_WELCOME), patience) == _WELCOME:
                raise CardUnreachable(f"{asked}: the card answers at another rate, {rate:,} baud: ask for that rate")
