"""A SAT solver (python-sat) on an and-inverter graph; nodes become clauses when something asks about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

from pysat.solvers import Solver

from halfsilver.sim.mutation.washout.graph import Graph

__all__ = ["Model", "OutOfTime", "Sat"]

_NAME = "glucose4"


class OutOfTime(Exception):
    """The solver gave no answer within its conflicts."""


class Model:
    """Values of the nodes that the solver knows."""

    def __init__(self, number: Mapping[int, int], values: Sequence[int]) -> None:
        self._number, self._values = number, values

    def get(self, node: int, unknown: int) -> int:
        number = self._number.get(node, 0)
        return int(self._values[number - 1] > 0) if 0 < number <= len(self._values) else unknown

    def known(self, literals: Mapping[int, int]) -> dict[int, int]:
        """Values of the graph's literals, by key, as far as the solver knows their nodes."""
        found = ((key, self.get(literal >> 1, -1), literal & 1) for key, literal in literals.items())
        return {key: value ^ inverted for key, value, inverted in found if value >= 0}

    def holds(self, literal: int) -> bool:
        """Whether a literal of the graph is true; the solver must know it."""
        return bool(self.get(literal >> 1, 0) ^ (literal & 1))


class Sat:
    """Variables of the solver are nodes of the graph plus 1; further ones, above them, select clauses."""

    def __init__(self, graph: Graph, conflicts: int) -> None:
        self._graph = graph
        self._solver = Solver(_NAME)
        self._conflicts = conflicts
        self._number: dict[int, int] = {0: 1}
        self._count = 1
        self._inputs: list[int] = []
        self._chance = Random(1)
        self._core: set[int] = set()
        self._solver.add_clause([-1])

    def new(self) -> int:
        """A variable that is no node."""
        self._count += 1
        return self._count

    def of(self, literal: int) -> int:
        """The solver's literal for the graph's; with the clauses of all that it depends on."""
        node = literal >> 1
        if node not in self._number:
            self._encode(node)
        number = self._number[node]
        return -number if literal & 1 else number

    def _encode(self, root: int) -> None:
        first, second, number = self._graph.first, self._graph.second, self._number
        add = self._solver.add_clause
        waiting = [root]
        while waiting:
            node = waiting[-1]
            if node in number:
                waiting.pop()
                continue
            a, b = first[node], second[node]
            if a < 0:
                number[node] = self.new()
                self._inputs.append(number[node])
                waiting.pop()
                continue
            before = [one for one in (a >> 1, b >> 1) if one not in number]
            if before:
                waiting += before
                continue
            waiting.pop()
            own = number[node] = self.new()
            left = -number[a >> 1] if a & 1 else number[a >> 1]
            right = -number[b >> 1] if b & 1 else number[b >> 1]
            add([-own, left])
            add([-own, right])
            add([own, -left, -right])

    def add(self, clause: Iterable[int]) -> None:
        """In the solver's literals."""
        self._solver.add_clause(list(clause))

    def solve(self, assumptions: Sequence[int]) -> Model | None:
        """A model, as values of nodes that are known to the solver; None if there is none. Else OutOfTime."""
        chance = self._chance
        self._solver.set_phases([number if chance.random() < 0.5 else -number for number in self._inputs])
        self._solver.conf_budget(self._conflicts)
        answer = self._solver.solve_limited(assumptions=list(assumptions))
        if answer is None:
            raise OutOfTime
        if not answer:
            return None
        return Model(self._number, self._solver.get_model())

    def any_of(self, literals: Iterable[int], given: Sequence[int] = ()) -> Model | None:
        """A model in which one of the graph's literals is true, and so is all that is given in the solver's."""
        select = self.new()
        self.add([-select, *(self.of(literal) for literal in literals)])
        answer = self.solve([select, *given])
        self._core = set(self._solver.get_core() or ()) if answer is None else set()
        self.add([-select])
        return answer

    def needed(self, given: Iterable[int]) -> set[int]:
        """What of ``given`` the last call of `any_of` needed to find that there is no model."""
        return self._core.intersection(given)
