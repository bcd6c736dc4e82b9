"""Numbers side by side in one word: how every table word, index and record of the card is written down.

``halfsilver.hdl.structs`` makes Amaranth's layouts from it, the driver packs and unpacks with it, and
``halfsilver.hdl.layout.table_formats`` prints it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Member", "Packed"]


@dataclass(frozen=True)
class Member:
    """One number: its bits, what it says, and the names of its values if it has any. Width 0: always 0."""

    name: str
    width: int
    description: str
    values: type[IntEnum] | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"member name {self.name!r} must be letters, digits and underscores")
        if self.width < 0:
            raise ValueError(f"member {self.name}: the width must be 0 bits or more, not {self.width}")
        if not self.description:
            raise ValueError(f"member {self.name} needs a description")


class Packed:
    """Members in order, the first in the lowest bits, without gaps."""

    def __init__(self, name: str, description: str, members: list[Member]) -> None:
        if len({member.name for member in members}) != len(members):
            raise ValueError(f"{name} has two members of one name")
        self.name, self.description = name, description
        self.members = tuple(members)

    @property
    def width(self) -> int:
        """Bits of all members together."""
        return sum(member.width for member in self.members)

    def __iter__(self) -> Iterator[tuple[Member, int]]:
        """Members in order, each with its lowest bit."""
        lsb = 0
        for member in self.members:
            yield member, lsb
            lsb += member.width

    def pack(self, **values: int) -> int:
        """The number that holds these values; members not named are 0. ValueError for what does not fit."""
        unknown = values.keys() - {member.name for member in self.members}
        if unknown:
            choices = ", ".join(member.name for member in self.members)
            raise ValueError(f"{self.name} has no member {sorted(unknown)[0]!r}, only {choices}")
        number = 0
        for member, lsb in self:
            value = values.get(member.name, 0)
            if not 0 <= value < 1 << member.width:
                raise ValueError(f"{self.name}: {member.name} must be 0 to {(1 << member.width) - 1:#x}, not {value!r}")
            number |= int(value) << lsb
        return number

    def unpack(self, number: int) -> dict[str, int]:
        """Values by name; ValueError if the number has more bits than the members."""
        if not 0 <= number < 1 << self.width:
            raise ValueError(f"{self.name} must be 0 to {(1 << self.width) - 1:#x}, not {number!r}")
        return {member.name: number >> lsb & (1 << member.width) - 1 for member, lsb in self}

    def formula(self, **sizes: str) -> str:
        """The packing as arithmetic: ``(high*8 + middle)*4 + low``; ``sizes`` are words for what a build decides."""
        *lower, highest = self.members
        text = highest.name
        for position, member in enumerate(reversed(lower)):
            size = sizes.get(member.name, str(1 << member.width))
            text = f"{text if position == 0 else f'({text})'}*{size} + {member.name}"
        return text
