"""Which card is it, what was it built for, and does this driver know it? Asked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

from halfsilver.harness.errors import WrongCard
from halfsilver.harness.nic.transport import Transport
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import CORE_ID, REGISTERS
from halfsilver.hdl.layout.version import VERSION, VERSION_PARTS

__all__ = ["Card", "identify"]

_NAMES = ("ID", "VERSION", "SHAPE", "RULES", "QUEUE", "COPIES")


@dataclass(frozen=True, slots=True)
class Card:
    """A card that this driver can drive: version of its gateware, and its shape."""

    version: str
    shape: NicShape

    @property
    def detail(self) -> str:
        """For people, in a line."""
        shape = self.shape
        return (
            f"gateware {self.version}, {shape.width} bit, {shape.enis} interfaces x {shape.sessions} sessions x "
            f"{shape.rules} rules"
        )


def identify(transport: Transport) -> Card:
    """Read the identity registers. WrongCard if it is no Halfsilver core, or one that this driver does not know."""
    words = transport.read([REGISTERS.address(name) for name in _NAMES])
    core, version, shape, rules, queue, copies = (
        REGISTERS.unpack(name, word) for name, word in zip(_NAMES, words, strict=True)
    )
    if core["value"] != CORE_ID:
        raise WrongCard(f"the ID register reads {core['value']:#010x}, not {CORE_ID:#010x}: no Halfsilver core")
    text = f"{version['major']}.{version['minor']}.{version['patch']}"
    if version["major"] != VERSION_PARTS[0]:
        raise WrongCard(
            f"the card has gateware {text}; this driver, {VERSION}, knows major version {VERSION_PARTS[0]} only"
        )
    try:
        found = NicShape(
            width=shape["width"],
            enis=shape["enis"],
            sessions=shape["sessions"],
            rules=rules["rules"],
            extension_headers=rules["extension_headers"],
            lookup_clocks=rules["lookup_clocks"],
            queue_depth=queue["depth"],
            cut_copies=copies["cut"],
        )
    except ValueError as error:
        raise WrongCard(f"the card says of itself what cannot be: {error}") from None
    if found.chunk_bits != rules["chunk_bits"]:
        raise WrongCard(
            f"the card looks up {rules['chunk_bits']} key bits at a time, where a core of its shape has "
            f"{found.chunk_bits}: its tables cannot be filled"
        )
    if found.matchers != rules["matchers"]:
        raise WrongCard(
            f"the card has {rules['matchers']} match pipelines, where a core of its shape has {found.matchers}: "
            "its tables cannot be filled"
        )
    return Card(text, found)
