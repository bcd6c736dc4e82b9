"""A SAT solver (python-sat) with a circuit's clocks in it, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pysat.solvers import Solver

from halfsilver.sim.formal.circuit import Circuit

__all__ = ["Clauses"]

_NAME = "glucose4"


class Clauses:
    """Literals are the solver's; ``true`` is one that holds."""

    def __init__(self) -> None:
        self.solver = Solver(_NAME)
        self._count = 1
        self.true = 1
        self._gates: dict[tuple[int, int], int] = {}
        self.solver.add_clause([1])

    def new(self) -> int:
        self._count += 1
        return self._count

    def both(self, a: int, b: int) -> int:
        """A literal for a and b."""
        if a == -b or self.true in (-a, -b):
            return -self.true
        if a in (self.true, b):
            return b
        if b == self.true:
            return a
        key = (a, b) if a < b else (b, a)
        if key not in self._gates:
            gate = self._gates[key] = self.new()
            for clause in ([-gate, a], [-gate, b], [gate, -a, -b]):
                self.solver.add_clause(clause)
        return self._gates[key]

    def clock(self, circuit: Circuit, states: dict[int, int]) -> dict[int, int]:
        """One clock of a circuit in the states given, with free inputs. Returns literals by AIGER's even ones."""
        values = {0: -self.true, **states}
        values.update((one, self.new()) for one in circuit.inputs)
        for gate, a, b in circuit.gates:
            values[gate] = self.both(literal(values, a), literal(values, b))
        return values

    def add(self, clause: Iterable[int]) -> None:
        self.solver.add_clause(list(clause))

    def solve(self, assumptions: Sequence[int]) -> bool:
        return bool(self.solver.solve(assumptions=list(assumptions)))

    def close(self) -> None:
        self.solver.delete()


def literal(values: dict[int, int], one: int) -> int:
    """The solver's literal for AIGER's."""
    return -values[one & ~1] if one & 1 else values[one & ~1]
