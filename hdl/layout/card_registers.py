"""The registers of a board's card beside those of its NIC: its origin, links, frames on the wire, faults of the serial
line.

They are the upper half of the register bus. In an exported core, which has no ports of its own, they read as 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from halfsilver.hdl.layout.ports import COUNT_BITS, ReceivedCode, SentCode, SpeedCode
from halfsilver.hdl.layout.register_map import ADDRESS_BITS, WORD_BITS, WORD_BYTES, Access, Field, Register, RegisterMap

__all__ = ["CARD_BASE", "CARD_ID", "CARD_REGISTERS", "LINE_FAULTS", "PORTS", "Origin", "counter_name"]

CARD_BASE = 1 << (ADDRESS_BITS - 1)
"""Where they begin: the highest address bit says whose a register is."""

CARD_ID = 0x48534331
"""The letters HSC1."""

PORTS = {"net": "network", "host": "host"}
"""Ports of a card, in order, and where they lead."""

LINE_FAULTS = {
    "framing": "bytes without a stop bit",
    "refused": "first bytes that are no command, and commands for no words",
    "abandoned": "commands that were begun and not finished, and bytes that came during an answer",
}
"""What goes wrong on the serial line to the registers (`halfsilver.hdl.bus.uartbone`)."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a card was made from: the first 32 bits of two hashes.

    git    of the commit; 0: of no commit, or of one whose files were changed
    build  of all that goes into the bitstream beside the commit (`halfsilver.boards.flow`); 0: a simulation
    """

    git: int = 0
    build: int = 0

    def __post_init__(self) -> None:
        for each in fields(self):
            if not 0 <= getattr(self, each.name) < 1 << WORD_BITS:
                raise ValueError(f"{each.name} must be a word of {WORD_BITS} bits, not {getattr(self, each.name)!r}")


_PORT_STRIDE = 0x40
_FIRST_PORT = CARD_BASE + 0x40

_Outcome = ReceivedCode | SentCode

_RECEIVED: dict[_Outcome, str] = {
    ReceivedCode.GOOD: "received without fault",
    ReceivedCode.PREAMBLE: "received with a damaged preamble, or without a start",
    ReceivedCode.SYMBOL: "received with RX_ER",
    ReceivedCode.RUNT: "received, shorter than 64 octets with FCS",
    ReceivedCode.GIANT: "received, longer than the port passes",
    ReceivedCode.FCS: "received with a wrong FCS",
    ReceivedCode.OVERFLOW: "received and dropped whole, as the store was full",
    ReceivedCode.STALL: "within which the receive clock stopped",
}
_SENT: dict[_Outcome, str] = {
    SentCode.GOOD: "sent",
    SentCode.MARKED: "that came marked bad, and were sent with an inverted FCS",
    SentCode.UNDERRUN: "cut while they were sent, as the rest came too late",
    SentCode.DISCARDED: "not sent, as there was no link",
}


def counter_name(port: str, outcome: _Outcome) -> str:
    """The counter of these frames, as gateware and driver call it."""
    way = "received" if isinstance(outcome, ReceivedCode) else "sent"
    return f"{port}_{way}_{outcome.name.lower()}"


def _link(port: str, address: int) -> Register:
    return Register(
        f"{port}_LINK".upper(),
        address,
        Access.RO,
        f"State of the port to the {PORTS[port]}.",
        [
            Field("up", 0, 0, "1: there is a link"),
            Field(
                "speed",
                2,
                1,
                "as it is, or was while there was a link",
                reset=SpeedCode.M1000,
                values={speed.name.lower(): speed for speed in SpeedCode},
            ),
            Field("duplex", 3, 3, "1: full; the port does no half duplex, it only tells", reset=1),
            Field("clock", 4, 4, "1: the PHY's receive clock is running"),
        ],
    )


def _origin(name: str, offset: int, text: str) -> Register:
    field = Field("value", WORD_BITS - 1, 0, f"first 32 bits of the hash {text}", reset=None)
    return Register(name, CARD_BASE + offset, Access.RO, "What the card was made from.", [field])


def _counters(number: int, port: str) -> Iterator[Register]:
    base = _FIRST_PORT + _PORT_STRIDE * number
    for start, texts in ((base, _RECEIVED), (base + WORD_BYTES * len(ReceivedCode), _SENT)):
        for outcome, text in texts.items():
            yield Register(
                counter_name(port, outcome).upper(),
                start + WORD_BYTES * outcome,
                Access.RO,
                f"Port to the {PORTS[port]}: frames {text}.",
                [Field("count", COUNT_BITS - 1, 0, "since reset, stays at its highest value")],
            )


CARD_REGISTERS = RegisterMap(
    "halfsilver_card",
    "Halfsilver card: ports and serial line of a board",
    [
        Register(
            "CARD_ID",
            CARD_BASE,
            Access.RO,
            "Says that these registers are there.",
            [Field("value", 31, 0, "the letters HSC1", reset=CARD_ID)],
        ),
        Register(
            "CARD_SHAPE",
            CARD_BASE + 0x04,
            Access.RO,
            "What the card was built with.",
            [Field("ports", 1, 0, "Ethernet ports: 1, to the network, or 2, to the host as well", reset=None)],
        ),
        *(_link(port, CARD_BASE + 0x08 + WORD_BYTES * number) for number, port in enumerate(PORTS)),
        *(
            Register(
                f"LINE_{fault.upper()}",
                CARD_BASE + 0x10 + WORD_BYTES * number,
                Access.RO,
                f"Serial line to the registers: {text}.",
                [Field("count", 15, 0, "since reset, wraps at 16 bits")],
            )
            for number, (fault, text) in enumerate(LINE_FAULTS.items())
        ),
        _origin("GIT_HASH", 0x20, "of the commit; 0: none, or its files were changed"),
        _origin("BUILD_HASH", 0x24, "of all that went into the bitstream beside the commit; 0: a simulation"),
        *(register for number, port in enumerate(PORTS) for register in _counters(number, port)),
    ],
)
