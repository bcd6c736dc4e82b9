"""Bounded search and k-induction."""

from __future__ import annotations

from halfsilver.sim.formal.circuit import Circuit
from halfsilver.sim.formal.clauses import Clauses, literal

__all__ = ["first_violation", "holds_by_induction"]


def first_violation(circuit: Circuit, bad: int, assume: int, clocks: int) -> int | None:
    """The first clock, of so many from the start on, in which ``bad`` can be; None if there is none.
    ``assume`` holds up to then.
    """
    clauses = Clauses()
    try:
        states = {
            q: clauses.new() if first is None else (clauses.true if first else -clauses.true)
            for q, (_, first) in circuit.latches.items()
        }
        for clock in range(clocks):
            values = clauses.clock(circuit, states)
            clauses.add([literal(values, assume)])
            wrong = literal(values, bad)
            if wrong != -clauses.true:
                if clauses.solve([wrong]):
                    return clock
                clauses.add([-wrong])
            states = {q: literal(values, following) for q, (following, _) in circuit.latches.items()}
        return None
    finally:
        clauses.close()


def holds_by_induction(circuit: Circuit, bad: int, assume: int, clocks: int) -> int | None:
    """The least k, up to ``clocks``, for which no state is bad after k that are not. The base is for
    `first_violation` to show. None if there is none.
    """
    clauses = Clauses()
    try:
        states = {q: clauses.new() for q in circuit.latches}
        for clock in range(clocks + 1):
            values = clauses.clock(circuit, states)
            clauses.add([literal(values, assume)])
            wrong = literal(values, bad)
            if clock and not clauses.solve([wrong]):
                return clock
            if clock == clocks:
                return None
            clauses.add([-wrong])
            states = {q: literal(values, following) for q, (following, _) in circuit.latches.items()}
        return None
    finally:
        clauses.close()
