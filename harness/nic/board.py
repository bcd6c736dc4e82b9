"""What a board's card says of its ports and of its serial line, beside the counters of its NIC."""

from __future__ import annotations

from dataclasses import dataclass

from halfsilver.harness.errors import WrongCard
from halfsilver.harness.nic.transport import Transport
from halfsilver.hdl.layout.card_registers import CARD_ID, CARD_REGISTERS, LINE_FAULTS, PORTS, counter_name
from halfsilver.hdl.layout.ports import ReceivedCode, SentCode, SpeedCode

__all__ = ["BoardState", "PortState", "read_board"]

_MEGABITS = {SpeedCode.M10: 10, SpeedCode.M100: 100, SpeedCode.M1000: 1000}


@dataclass(frozen=True)
class PortState:
    """An Ethernet port, and its frames since reset.

    up         there is a link
    clock      the PHY's receive clock is running
    megabits   speed in Mb/s, as it is or last was
    received   frames by what became of them: `ReceivedCode` says what the names mean
    sent       the same of frames to the wire: `SentCode`
    """

    up: bool
    clock: bool
    megabits: int
    full_duplex: bool
    received: dict[str, int]
    sent: dict[str, int]

    @property
    def faults(self) -> dict[str, int]:
        """What is not zero and not good, by name."""
        counts = {f"received {name}": count for name, count in self.received.items()}
        counts |= {f"sent {name}": count for name, count in self.sent.items()}
        return {name: count for name, count in counts.items() if count and not name.endswith(" good")}


@dataclass(frozen=True)
class BoardState:
    """Ports by name ("net", "host"), and faults of the serial line, which wrap at 16 bits (`LINE_FAULTS`)."""

    ports: dict[str, PortState]
    line: dict[str, int]


def read_board(transport: Transport) -> BoardState | None:
    """State and counters of the ports, each read by itself; None where there is no such card, as for an exported core.

    WrongCard if there is something else where its registers should be.
    """
    identity, shape = _read(transport, ["CARD_ID", "CARD_SHAPE"])
    if not identity["value"]:
        return None
    if identity["value"] != CARD_ID:
        raise WrongCard(f"the CARD_ID register reads {identity['value']:#010x}, not {CARD_ID:#010x} or 0")
    names = list(PORTS)[: shape["ports"]]
    line = _read(transport, [f"LINE_{fault.upper()}" for fault in LINE_FAULTS])
    return BoardState(
        {name: _port(transport, name) for name in names},
        {fault: fields["count"] for fault, fields in zip(LINE_FAULTS, line, strict=True)},
    )


def _port(transport: Transport, port: str) -> PortState:
    (link,) = _read(transport, [f"{port.upper()}_LINK"])

    def counts(codes: type[ReceivedCode] | type[SentCode]) -> dict[str, int]:
        words = _read(transport, [counter_name(port, code).upper() for code in codes])
        return {code.name.lower(): fields["count"] for code, fields in zip(codes, words, strict=True)}

    return PortState(
        up=bool(link["up"]),
        clock=bool(link["clock"]),
        megabits=_MEGABITS[SpeedCode(link["speed"])],
        full_duplex=bool(link["duplex"]),
        received=counts(ReceivedCode),
        sent=counts(SentCode),
    )


def _read(transport: Transport, names: list[str]) -> list[dict[str, int]]:
    words = transport.read([CARD_REGISTERS.address(name) for name in names])
    return [CARD_REGISTERS.unpack(name, word) for name, word in zip(names, words, strict=True)]
