"""Proofs that a mutant changes nothing: whatever it changes washes out before anybody can see it.

Two runs of the whole flat circuit are compared, from the same state with the same inputs. In the first clock one of
them is the mutant (or is not, as the solver likes), afterwards both are the good circuit. Both must show the same at
the outputs all the time, as far as AXI says that an output counts, and be in the same state after some clocks. The
solver decides this for every state and every input, reset among them; what memories hold is free, and the same for
both. For pipelines this is enough: a record without its valid bit runs out at the end.

Some differences stay: in a register that holds what it has, in a word of a memory. They may be *damage*: certain
registers may differ while all of some conditions on the state hold, certain columns of a memory in words that meet
conditions. Then more is asked: the first state of one run may have any damage, and so may all words that it fetches
in the first clock. In return damage is repaired after every clock, when registers are compared, and ignored, when
writes are. Registers, columns and conditions are found from counterexamples, conditions only ever get fewer, and the
claim is decided anew each time; how they were found does not matter.

Why that is a proof
-------------------
Take any run of n clocks in which each clock is the mutant's or the good circuit's, with any damage done before any
clock: the mutant is one of them. Claim: it shows what the good circuit shows from the same state. By induction on n.

- Its last n - 1 clocks show what the good circuit shows from the state after the first (induction: that state
  is as good as any, since nothing is assumed of states). So only the first clock may be the mutant's or damaged.
- Let Z be that run, with every difference that counts as damage repaired after each clock. Repairing is doing damage
  (its conditions are asked of the state before the repair), so from the second clock on Z shows the same (induction).
- Z and the good circuit are the two runs that were compared: they show the same, and from where their states are
  the same they are one run.

At power-up both circuits are in the same state: mutants of initial values are not drawn. Nothing here needs the state
to be reachable, so mutants that only show in states which never are stay unproven.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from halfsilver.sim.mutation.washout.circuit import SELECT, WritePort
from halfsilver.sim.mutation.washout.graph import FALSE
from halfsilver.sim.mutation.washout.solver import Model, OutOfTime, Sat
from halfsilver.sim.mutation.washout.unrolled import Condition, Nets, Unrolled

__all__ = ["Damage", "damage"]

SECONDS = 10
"""Of the processor, for one mutant."""

CLOCKS = 45
"""A lookup takes some thirty clocks from the headers to the counters."""

PATIENCE = 2
"""A register that differs for so many clocks on end is one that holds what it has."""

CONFLICTS = 20_000
WIDEST = 600
"""Bits that differ at a time: with more there is no hope."""

Column = tuple[int, int]
"""Of a memory: its number, and the bit."""


@dataclass(slots=True)
class Damage:
    """What may differ without an end: registers and columns of memories, while all of some conditions hold.

    A column's conditions are about bits of the same word.
    """

    registers: dict[int, set[Condition]] = field(default_factory=dict)
    columns: dict[Column, set[Condition]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """For the record of a proof."""
        kept = [name for name, there in (("registers", self.registers), ("memories", self.columns)) if there]
        return f"washes out but for {' and '.join(kept)}" if kept else "washes out"


class _Again(Exception):
    """The damage had to be widened."""


class _Seen(Exception):
    """There is no proof."""


def damage(good: Unrolled, number: int, seconds: float = SECONDS) -> Damage | None:
    """What mutant ``number`` leaves behind that nobody sees; None if that is not proven within the processor's time."""
    search = _Search(good, number, time.process_time() + seconds)
    while True:
        try:
            search.run()
            return search.damage
        except _Again:
            continue
        except (_Seen, OutOfTime):
            return None


class _Search:
    def __init__(self, good: Unrolled, number: int, deadline: float) -> None:
        self.damage = Damage()
        self._good, self._number, self._deadline = good, number, deadline
        self._graph, self._circuit = good.graph, good.circuit
        self._sat = Sat(good.graph, CONFLICTS)
        self._inputs: dict[tuple[object, ...], int] = {}

    def run(self) -> None:
        """All clocks; _Again where the damage was widened, _Seen where a difference stays or is seen."""
        changed = self._injected()
        ages: dict[int, int] = {}
        for clock in range(CLOCKS):
            changed = self._good.spread(clock, changed)
            self._must_not([one for one in self._good.seen(clock, changed) if one != FALSE])
            self._check_writes(clock, changed)
            after = self._after(clock, changed)
            differ = self._different(clock + 1, after)
            if not differ:
                return
            ages = {net: ages.get(net, 0) + 1 for net in differ}
            held = [net for net in differ if ages[net] > PATIENCE or net in self.damage.registers]
            self._widen(clock + 1, after, held)
            changed = {net: after[net] for net in differ}
        raise _Seen

    def _injected(self) -> Nets:
        """The mutant or the good circuit, whichever is worse, in a state that is damaged."""
        values = self._good.clock(0)
        nets = self._circuit.inputs[SELECT]
        on = self._input("on")
        changed = {net: on for place, net in enumerate(nets) if self._number >> place & 1}
        for net, conditions in self.damage.registers.items():
            damaged = self._all(conditions, values, {})
            changed[net] = self._graph.choose(damaged, values[net], self._input("register", net))
        return changed

    def _after(self, clock: int, changed: Nets) -> Nets:
        """Literals of the state bits that may differ after a clock; what counts as damage is repaired."""
        graph, good, circuit = self._graph, self._good, self._circuit
        values, later = good.clock(clock), good.clock(clock + 1)
        after = {q: changed[d] for q, d in circuit.registers if d in changed}
        for m, memory in enumerate(circuit.memories):
            for p, port in enumerate(memory.reads):
                same = good.same(clock, port.address, changed)
                fetched = good.fetched(clock, m, p)
                on = changed.get(port.enable, values[port.enable])
                for j, net in enumerate(port.data):
                    word = fetched[j]
                    if clock == 0 and (m, j) in self.damage.columns:
                        damaged = graph.both_of_all(fetched[g] ^ flip for g, flip in self.damage.columns[m, j])
                        word = graph.choose(damaged, word, self._input("column", m, p, j))
                    word = graph.choose(same, self._input("elsewhere", clock, m, p, j), word) if same != 1 else word
                    after[net] = graph.choose(on, changed.get(net, values[net]), word)
        after = {net: literal for net, literal in after.items() if literal != later[net]}
        kept = [net for net in after if net in self.damage.registers]
        if kept:
            spread = good.spread(clock + 1, after)
            for net in kept:
                damaged = self._all(self.damage.registers[net], later, spread)
                after[net] = graph.choose(damaged, after[net], later[net])
        return after

    def _different(self, clock: int, after: Nets) -> list[int]:
        """Those of the state bits that can really differ before a clock."""
        later = self._good.clock(clock)
        waiting = {net: self._graph.differ(later[net], literal) for net, literal in after.items()}
        waiting = {net: one for net, one in waiting.items() if one != FALSE}
        differ: list[int] = []
        while waiting and (model := self._model(list(waiting.values()))) is not None:
            found = [net for net, one in waiting.items() if model.holds(one)]
            differ += found
            for net in found:
                del waiting[net]
            if len(differ) > WIDEST:
                raise _Seen
        return differ

    def _widen(self, clock: int, after: Nets, nets: Sequence[int]) -> None:
        """Makes damage of registers that hold a difference; of their conditions, those that hold then are left."""
        if not nets:
            return
        later = self._good.clock(clock)
        raw = self._good.spread(clock, after)
        for net in nets:
            conditions = self.damage.registers.setdefault(net, set(self._good.conditions(net)))
            difference = self._graph.differ(later[net], after[net])
            self._keep(conditions, difference, {one: raw.get(one[0], later[one[0]]) ^ one[1] for one in conditions})
        raise _Again

    def _check_writes(self, clock: int, changed: Nets) -> None:
        """Memories must be written alike, but for columns that are damage."""
        graph, good = self._graph, self._good
        values = good.clock(clock)
        for m, memory in enumerate(self._circuit.memories):
            for port in memory.writes:
                same = good.same(clock, port.address, changed)
                for j in range(memory.width):
                    enable, data = port.enable[j], port.data[j]
                    if same == 1 and enable not in changed and data not in changed:
                        continue
                    self._must_not(self._written_elsewhere(clock, port, j, same, changed))
                    if data not in changed:
                        continue
                    differs = graph.both(values[enable], graph.differ(values[data], changed[data]))
                    if (m, j) in self.damage.columns:
                        conditions = self.damage.columns[m, j]
                        allowed = graph.both_of_all(values[port.data[g]] ^ flip for g, flip in conditions)
                        differs = graph.both(differs, allowed ^ 1)
                    if differs != FALSE and self._model([differs]) is not None:
                        self._widen_column(m, j, port, differs, values)

    def _written_elsewhere(self, clock: int, port: WritePort, j: int, same: int, changed: Nets) -> list[int]:
        values, graph = self._good.clock(clock), self._graph
        on = port.enable[j]
        found = [graph.both(values[on], same ^ 1)]
        if on in changed:
            found.append(graph.differ(values[on], changed[on]))
        return [one for one in found if one != FALSE]

    def _widen_column(self, m: int, j: int, port: WritePort, differs: int, values: Nets) -> None:
        """Makes damage of a column; conditions are about columns that are none and are written with it."""
        memory, columns = self._circuit.memories[m], self.damage.columns
        if len(memory.writes) != 1:
            raise _Seen
        together = {g for g in range(memory.width) if port.enable[g] == port.enable[j]}
        usable = {g for g in together if g != j and (m, g) not in columns}
        conditions = columns.setdefault((m, j), {(g, flip) for g in usable for flip in (0, 1)})
        self._keep(conditions, differs, {one: values[port.data[one[0]]] ^ one[1] for one in conditions})
        for (other, _), theirs in columns.items():
            if other == m:
                theirs -= {(j, 0), (j, 1)}
        raise _Again

    def _keep(self, conditions: set[Condition], where: int, literals: Mapping[Condition, int]) -> None:
        """Only the conditions that hold ``where`` a literal does."""
        while conditions:
            broken = [self._graph.both(where, literals[one] ^ 1) for one in conditions]
            if (model := self._model([one for one in broken if one != FALSE])) is None:
                return
            conditions -= {one for one in conditions if not model.holds(literals[one])}

    def _all(self, conditions: set[Condition], values: Nets, changed: Nets) -> int:
        return self._graph.both_of_all(changed.get(net, values[net]) ^ flip for net, flip in conditions)

    def _must_not(self, literals: Sequence[int]) -> None:
        if self._model(literals) is not None:
            raise _Seen

    def _model(self, literals: Sequence[int]) -> Model | None:
        """One in which one of the literals is true."""
        if time.process_time() > self._deadline:
            raise OutOfTime
        return self._sat.any_of(literals) if literals else None

    def _input(self, *name: object) -> int:
        """A free input of this name."""
        if name not in self._inputs:
            self._inputs[name] = self._graph.input()
        return self._inputs[name]
