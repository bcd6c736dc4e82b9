"""And-inverter graphs: the form in which circuits are compared.

A literal is an integer: twice a node's number, plus 1 where it is inverted. Node 0 is the constant false, so literal 0
is false and 1 is true. Two gates with the same inputs are one node; so what two circuits have in common is there once.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["FALSE", "TRUE", "Graph"]

FALSE, TRUE = 0, 1


class Graph:
    """Nodes are inputs or the AND of two literals of earlier nodes."""

    def __init__(self) -> None:
        self.first = [0]
        self.second = [0]
        self.free = [False]
        """Whether a node depends on an input that is not a state."""
        self._known: dict[tuple[int, int], int] = {}

    def input(self, *, state: bool = False) -> int:
        """A new input, as a literal. ``state``: it is a register's value."""
        self.first.append(-1)
        self.second.append(-1)
        self.free.append(not state)
        return 2 * (len(self.first) - 1)

    def is_input(self, node: int) -> bool:
        return self.first[node] < 0

    def both(self, a: int, b: int) -> int:
        """AND."""
        if a > b:
            a, b = b, a
        if a < 2:
            return b if a else FALSE
        if a == b:
            return a
        if a ^ 1 == b:
            return FALSE
        found = self._known.get((a, b))
        if found is None:
            found = 2 * len(self.first)
            self._known[a, b] = found
            self.first.append(a)
            self.second.append(b)
            self.free.append(self.free[a >> 1] or self.free[b >> 1])
        return found

    def either(self, a: int, b: int) -> int:
        """OR."""
        return self.both(a ^ 1, b ^ 1) ^ 1

    def differ(self, a: int, b: int) -> int:
        """XOR."""
        if a == b:
            return FALSE
        return self.both(self.both(a, b) ^ 1, self.both(a ^ 1, b ^ 1) ^ 1)

    def choose(self, select: int, if_not: int, if_so: int) -> int:
        """Multiplexer."""
        if if_not == if_so:
            return if_so
        return self.both(self.both(select ^ 1, if_not) ^ 1, self.both(select, if_so) ^ 1) ^ 1

    def any(self, literals: Iterable[int]) -> int:
        answer = FALSE
        for literal in literals:
            answer = self.either(answer, literal)
        return answer

    def both_of_all(self, literals: Iterable[int]) -> int:
        """AND of any number."""
        return self.any(literal ^ 1 for literal in literals) ^ 1
