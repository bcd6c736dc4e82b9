"""Which card is it, what was it built for, and does this driver know it? Asked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

from halfsilver.harness.errors import TransferDamaged, WrongCard
from halfsilver.harness.nic.transport import Transport
from halfsilver.hdl.layout.card_registers import CARD_ID, CARD_REGISTERS, Origin
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.registers import CORE_ID, REGISTERS
from halfsilver.hdl.layout.version import VERSION, VERSION_PARTS

__all__ = ["READINGS", "Card", "identify"]

READINGS = 4
"""How often the identity is read at most."""

_NAMES = ("ID", "VERSION", "SHAPE", "RULES", "QUEUE", "COPIES", "GUARDS", "RECEIVERS")
_CARD_NAMES = ("CARD_ID", "GIT_HASH", "BUILD_HASH")


@dataclass(frozen=True, slots=True)
class Card:
    """A card that this driver can drive: version of its gateware, its shape, and what it was made from.

    An exported core, which has no card's registers, is of no origin.
    """

    version: str
    shape: NicShape
    origin: Origin = Origin()

    @property
    def git(self) -> str:
        """The first eight digits of the commit; all 0 where there is none to name."""
        return f"{self.origin.git:08x}"

    @property
    def build(self) -> str:
        """Eight digits of what else determines its bitstream; all 0 for a simulation."""
        return f"{self.origin.build:08x}"

    @property
    def detail(self) -> str:
        """For people, in a line."""
        shape = self.shape
        origin = f", git {self.git}, build {self.build}" if self.origin != Origin() else ""
        return (
            f"gateware {self.version}{origin}, {shape.width} bit, "
            f"{shape.enis} interfaces x {shape.sessions} sessions x {shape.rules} rules"
        )


def identify(transport: Transport) -> Card:
    """Read the identity registers. WrongCard if it is no Halfsilver core, or one that this driver does not know.

    TransferDamaged if they are not the same twice in a row, READINGS times: a line may change what it carries, and the
    tables of another shape would arrive whole, and be wrong.
    """
    words = _stable(transport)
    core, version, shape, rules, queue, copies, guards, receivers = (
        REGISTERS.unpack(name, word) for name, word in zip(_NAMES, words, strict=False)
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
            security_groups=guards["security_groups"],
            receivers=receivers["receivers"] or 1,
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
    card_id, git, build = words[len(_NAMES) :]
    return Card(text, found, Origin(git, build) if card_id == CARD_ID else Origin())


def _stable(transport: Transport) -> list[int]:
    """The identity registers, once they are read twice as the same."""
    addresses = [REGISTERS.address(name) for name in _NAMES] + [CARD_REGISTERS.address(name) for name in _CARD_NAMES]
    before = transport.read(addresses)
    for _ in range(READINGS - 1):
        words = transport.read(addresses)
        if words == before:
            return words
        before = words
    raise TransferDamaged(
        f"the card's identity registers are never the same twice, {READINGS} times: see that the line is good"
    )
