"""Which values of register bits never stand together: the form of all invariants here.

A bit's value is a literal: twice the bit's place among the nets, plus the value. A set of literals is a number with
their bits set; so a state is one, and whether it holds anything that never stands together is asked in one go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Apart", "members"]


def members(literals: int) -> Iterator[int]:
    """The literals of a set."""
    while literals:
        lowest = literals & -literals
        yield lowest.bit_length() - 1
        literals ^= lowest


class Apart:
    """For each literal those that never stand with it; a literal that never holds stands apart from itself."""

    def __init__(self, nets: Sequence[int]) -> None:
        self.nets = tuple(nets)
        self.place = {net: place for place, net in enumerate(self.nets)}
        everything = (1 << 2 * len(self.nets)) - 1
        self.of = [everything ^ (1 << (literal ^ 1)) for literal in range(2 * len(self.nets))]
        """A literal and its opposite are always apart, which says nothing."""

    def state(self, values: Mapping[int, int]) -> int:
        """Of the values of nets, as far as they are known."""
        place = self.place
        return sum(1 << 2 * place[net] + value for net, value in values.items() if net in place)

    def broken(self, state: int) -> Iterator[tuple[int, int]]:
        """Pairs that stand together in a state and should not, the lower literal first."""
        for literal in members(state):
            for other in members((self.of[literal] & state) >> literal):
                yield literal, literal + other

    def meet(self, state: int) -> bool:
        """Takes back what a state shows to stand together; whether that was anything."""
        found = False
        for literal in members(state):
            if together := self.of[literal] & state:
                self.of[literal] ^= together
                found = True
        return found

    def pairs(self) -> Iterator[tuple[int, int]]:
        """All, the lower literal first."""
        for literal, others in enumerate(self.of):
            for other in members(others >> literal):
                yield literal, literal + other

    def forget(self, literal: int, other: int) -> None:
        """Takes back one pair."""
        self.of[literal] &= ~(1 << other)
        self.of[other] &= ~(1 << literal)
