"""IC3 (Bradley, "SAT-based model checking without unrolling", VMCAI 2011): finds an inductive invariant, or gives up.

A proof does not rest on the search: `is_invariant` asks a solver of its own whether what was found holds at first,
stays, and excludes what is bad.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import count

from halfsilver.sim.formal.circuit import Circuit
from halfsilver.sim.formal.clauses import Clauses, literal

__all__ = ["Cube", "invariant", "is_invariant"]

Cube = tuple[int, ...]
"""States: latches by number from 1 up, negative where 0."""


class _GaveUp(Exception):
    pass


class _Reached(Exception):
    """A bad state can be reached."""


class _Search:
    def __init__(self, circuit: Circuit, bad: int, assume: int, deadline: float) -> None:
        self._deadline = deadline
        self._latches = list(circuit.latches)
        self._first = {number: circuit.latches[q][1] for number, q in enumerate(self._latches, 1)}
        self._main, self._now, self._next, values = self._encoded(circuit)
        self._main.add([literal(values, assume)])
        self._bad, self._inputs = literal(values, bad), [values[one] for one in circuit.inputs]
        self._lift, self._lift_now, self._lift_next, values = self._encoded(circuit)
        self._lift_bad, self._lift_assume = literal(values, bad), literal(values, assume)
        self._lift_inputs = [values[one] for one in circuit.inputs]
        self._model: Sequence[int] = ()
        self._act = [self._main.new()]
        for number, first in self._first.items():
            if first is not None:
                self._main.add([-self._act[0], self._now[number] if first else -self._now[number]])
        self.frames: list[list[Cube]] = [[]]

    def run(self) -> list[Cube]:
        """The invariant: none of the cubes returned."""
        if self._main.solve([self._act[0], self._bad]):
            raise _Reached
        while True:
            self.frames.append([])
            self._act.append(self._main.new())
            top = len(self.frames) - 1
            while self._main.solve([*self._from(top), self._bad]):
                self._block(self._bad_cube(), top)
            for level in range(1, top):
                for cube in list(self.frames[level]):
                    self._hurry()
                    if not self._main.solve([*self._from(level), *self._of(self._next, cube)]):
                        self.frames[level].remove(cube)
                        self._add(cube, level + 1)
                if not self.frames[level]:
                    return [cube for frame in self.frames[level + 1 :] for cube in frame]

    def _hurry(self) -> None:
        if time.process_time() > self._deadline:
            raise _GaveUp

    def _encoded(self, circuit: Circuit) -> tuple[Clauses, dict[int, int], dict[int, int], dict[int, int]]:
        """One clock of the circuit from any state: latches before and after it, by number, and all values."""
        clauses = Clauses()
        states = {q: clauses.new() for q in self._latches}
        values = clauses.clock(circuit, states)
        now = {number: states[q] for number, q in enumerate(self._latches, 1)}
        after = {number: literal(values, circuit.latches[q][0]) for number, q in enumerate(self._latches, 1)}
        return clauses, now, after, values

    def _from(self, level: int) -> list[int]:
        return self._act[level:] if level else self._act

    @staticmethod
    def _of(which: dict[int, int], cube: Iterable[int]) -> list[int]:
        return [which[one] if one > 0 else -which[-one] for one in cube]

    def _state(self) -> tuple[Cube, list[bool]]:
        values = {abs(one): one > 0 for one in self._model}
        state = tuple(n if values.get(v, False) else -n for n, v in self._now.items())
        return state, [values.get(one, False) for one in self._inputs]

    def _shrunk(self, state: Cube, inputs: Sequence[bool], wanted: Sequence[int]) -> Cube:
        """The part of a state from which, with these inputs, all of ``wanted`` follows, whatever else the state is."""
        lift = self._lift
        select = lift.new()
        lift.add([-select, -self._lift_assume, *(-one for one in wanted)])
        given = [one if value else -one for one, value in zip(self._lift_inputs, inputs, strict=True)]
        assert not lift.solve([select, *given, *self._of(self._lift_now, state)])
        core = set(lift.solver.get_core() or ())
        lift.add([-select])
        return tuple(one for one in state if self._of(self._lift_now, [one])[0] in core)

    def _bad_cube(self) -> Cube:
        self._model = self._main.solver.get_model()
        return self._shrunk(*self._state(), [self._lift_bad])

    def _block(self, cube: Cube, level: int) -> None:
        ticket = count()
        waiting = [(level, next(ticket), cube)]
        while waiting:
            self._hurry()
            level, _, cube = heappop(waiting)
            if level == 0:
                raise _Reached
            if self._blocked(cube, level):
                continue
            core = self._unreachable(cube, level)
            if core is None:
                state, inputs = self._state()
                before = self._shrunk(state, inputs, self._of(self._lift_next, cube))
                heappush(waiting, (level - 1, next(ticket), before))
                heappush(waiting, (level, next(ticket), cube))
                continue
            core = self._smaller(core, level)
            top = len(self.frames) - 1
            while level < top and (further := self._unreachable(core, level + 1)) is not None:
                core, level = further, level + 1
            self._add(core, level)
            if level < top:
                heappush(waiting, (level + 1, next(ticket), cube))

    def _blocked(self, cube: Cube, level: int) -> bool:
        return not self._main.solve([*self._from(level), *self._of(self._now, cube)])

    def _at_first(self, cube: Iterable[int]) -> bool:
        return all(self._first[abs(one)] in (None, int(one > 0)) for one in cube)

    def _unreachable(self, cube: Cube, level: int) -> Cube | None:
        """A part of the cube that no state before ``level``, itself aside, leads to; None if one leads to the cube."""
        if self._at_first(cube):
            raise _Reached
        main = self._main
        select = main.new()
        main.add([-select, *(-one for one in self._of(self._now, cube))])
        following = self._of(self._next, cube)
        reached = main.solve([*self._from(level - 1), select, *following])
        if reached:
            self._model = main.solver.get_model()
        else:
            core = set(main.solver.get_core() or ())
        main.add([-select])
        if reached:
            return None
        small = tuple(one for one, after in zip(cube, following, strict=True) if after in core)
        if self._at_first(small):
            # What tells the cube from every first state must stay in it.
            apart = next(one for one in cube if not self._at_first([one]))
            small = tuple(one for one in cube if one in small or one == apart)
        return small

    def _smaller(self, cube: Cube, level: int) -> Cube:
        """Leaves out one literal after the other, where the rest will do."""
        failures = 0
        for one in cube:
            if one not in cube or len(cube) == 1:
                continue
            tried = tuple(other for other in cube if other != one)
            if self._at_first(tried):
                continue
            found = self._unreachable(tried, level)
            if found is None:
                failures += 1
                if failures > 6:
                    break
            else:
                cube = found
        return cube

    def _add(self, cube: Cube, level: int) -> None:
        self.frames[level].append(cube)
        self._main.add([-self._act[level], *(-one for one in self._of(self._now, cube))])

    def close(self) -> None:
        self._main.close()
        self._lift.close()


def invariant(circuit: Circuit, bad: int, assume: int, seconds: float) -> list[Cube] | None:
    """Cubes that no run enters, and without which nothing is bad; None when time runs out, or a bad one is found."""
    search = _Search(circuit, bad, assume, time.process_time() + seconds)
    try:
        return search.run()
    except (_GaveUp, _Reached):
        return None
    finally:
        search.close()


def is_invariant(circuit: Circuit, bad: int, assume: int, cubes: Sequence[Cube]) -> bool:
    """Whether no first state is in a cube, none outside leads into one, and none outside is bad."""
    firsts = {number: first for number, (_, first) in enumerate(circuit.latches.values(), 1)}
    if any(all(firsts[abs(one)] in (None, int(one > 0)) for one in cube) for cube in cubes):
        return False
    clauses = Clauses()
    try:
        states = {q: clauses.new() for q in circuit.latches}
        values = clauses.clock(circuit, states)
        now = [states[q] for q in circuit.latches]
        following = [literal(values, step) for step, _ in circuit.latches.values()]
        clauses.add([literal(values, assume)])
        for cube in cubes:
            clauses.add([-now[one - 1] if one > 0 else now[-one - 1] for one in cube])
        if clauses.solve([literal(values, bad)]):
            return False
        return not any(
            clauses.solve([following[one - 1] if one > 0 else -following[-one - 1] for one in cube]) for cube in cubes
        )
    finally:
        clauses.close()
