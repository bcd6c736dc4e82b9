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

At power-up both circuits are in the same state: mutants of initial values are not drawn.

States that no run reaches
--------------------------
So far nothing is assumed of the first state, and a mutant that only shows in states which never are stays unproven. A
search may therefore be given pairs of register bits' values that are said never to stand together
(`halfsilver.sim.mutation.invariants`), and assume some of them, U, of the first state. It believes nobody that they
hold in the good circuit, which would not be enough either: the mutant's states need not be states of the good one.
Instead it shows, besides the above,

- that U holds at power-up, and
- that U holds after a clock that is the mutant's or the good circuit's, with any damage done before it, if it held
  before the damage. Again this is decided for every input and every word that a memory may hold.

Take the same claim, for runs that begin in a state where U holds. The induction goes as before, with one more thing to
see: what it is applied to begins in such a state too. The last n - 1 clocks of the run begin in the state after its
first clock, before damage is done: U holds there. From the second clock on, Z begins in that same state, and its repair
is damage done there: U held before. The good circuit's run begins in the state after a good clock: U holds. Power-up
is a state where U holds, so the claim speaks of every run from there, the mutant's among them.

If a mutant, or the damage, breaks a part of U, that part is not used for this mutant. The first state of the comparison
is all that U is assumed of; in the clocks behind it, it follows for the good run and is not needed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from halfsilver.sim.mutation.invariants.apart import Apart
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

Pair = tuple[int, int]
"""Literals of `Apart`."""


@dataclass(slots=True)
class Damage:
    """What may differ without an end: registers and columns of memories, while all of some conditions hold.

    A column's conditions are about bits of the same word.
    """

    registers: dict[int, set[Condition]] = field(default_factory=dict)
    columns: dict[Column, set[Condition]] = field(default_factory=dict)
    assumed: set[Pair] = field(default_factory=set)
    """What was needed of the first state, and holds in every run."""

    @property
    def kind(self) -> str:
        """For the record of a proof."""
        kept = [name for name, there in (("registers", self.registers), ("memories", self.columns)) if there]
        words = f"washes out but for {' and '.join(kept)}" if kept else "washes out"
        return f"{words}, in states that are reached" if self.assumed else words


class _Again(Exception):
    """The damage had to be widened, or less of the first state may be assumed."""


class _Seen(Exception):
    """There is no proof."""


def damage(good: Unrolled, number: int, apart: Apart | None = None, seconds: float = SECONDS) -> Damage | None:
    """What mutant ``number`` leaves behind that nobody sees; None if that is not proven within the processor's time.

    ``apart``: what may be tried as an assumption of the first state.
    """
    search = _Search(good, number, apart or Apart(()), time.process_time() + seconds)
    while True:
        try:
            search.run()
            return search.damage
        except _Again:
            continue
        except (_Seen, OutOfTime):
            return None


class _Search:
    def __init__(self, good: Unrolled, number: int, apart: Apart, deadline: float) -> None:
        self.damage = Damage()
        self._good, self._number, self._deadline = good, number, deadline
        self._graph, self._circuit = good.graph, good.circuit
        self._sat = Sat(good.graph, CONFLICTS)
        self._inputs: dict[tuple[object, ...], int] = {}
        self._apart = apart
        self._first = {net: good.clock(0)[net] for net in apart.nets}
        self._used: dict[Pair, int] = {}
        """What has been assumed of the first state: the solver's literal that makes it do so."""
        self._wrong: set[Pair] = set()
        """What may not be assumed: the mutant breaks it."""

    def run(self) -> None:
        """All clocks; _Again where the damage was widened, _Seen where a difference stays or is seen."""
        self.damage.assumed = set()
        first: Nets = {}
        changed = self._injected()
        ages: dict[int, int] = {}
        for clock in range(CLOCKS):
            changed = self._good.spread(clock, changed)
            self._must_not([one for one in self._good.seen(clock, changed) if one != FALSE])
            self._check_writes(clock, changed)
            after = self._after(clock, changed)
            first = first or dict(after)
            self._repair(clock + 1, after)
            differ = self._different(clock + 1, after)
            if not differ:
                self._check_assumed(first)
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
        """Literals of the state bits that may differ after a clock."""
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
        return {net: literal for net, literal in after.items() if literal != later[net]}

    def _repair(self, clock: int, after: Nets) -> None:
        """Undoes, in the state before a clock, what counts as damage."""
        later, kept = self._good.clock(clock), [net for net in after if net in self.damage.registers]
        if kept:
            spread = self._good.spread(clock, after)
            for net in kept:
                damaged = self._all(self.damage.registers[net], later, spread)
                after[net] = self._graph.choose(damaged, after[net], later[net])

    def _check_assumed(self, after: Nets) -> None:
        """What was needed of the first state must hold at power-up, and ``after`` a clock if before; else _Again."""
        graph, later, nets, initial = self._graph, self._good.clock(1), self._apart.nets, self._good.at_power_up
        after = self._good.spread(1, after)
        checked: set[Pair] = set()
        wrong: set[Pair] = set()
        while pairs := self.damage.assumed - wrong - checked:
            places = {pair: [(nets[literal >> 1], literal & 1) for literal in pair] for pair in pairs}
            together = {
                pair: graph.both_of_all(after.get(net, later[net]) ^ 1 ^ value for net, value in there)
                for pair, there in places.items()
            }
            broken = {
                pair for pair, there in places.items() if all(initial.get(net, value) == value for net, value in there)
            }
            while (model := self._model([together[pair] for pair in pairs - broken])) is not None:
                broken |= {pair for pair in pairs if model.holds(together[pair])}
            wrong |= broken
            self._used = {pair: literal for pair, literal in self._used.items() if pair not in broken}
            checked = set() if broken else checked | pairs
        if wrong:
            self._wrong |= wrong
            raise _Again

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
        """One in which one of the literals is true, and the first state is none that is excluded."""
        while literals:
            if time.process_time() > self._deadline:
                raise OutOfTime
            model = self._sat.any_of(literals, list(self._used.values()))
            if model is None:
                needed = self._sat.needed(self._used.values())
                self.damage.assumed |= {pair for pair, literal in self._used.items() if literal in needed}
                return None
            if not self._exclude(model):
                return model
        return None

    def _exclude(self, model: Model) -> bool:
        """Assumes of the first state what it breaks; whether that was anything."""
        broken = set(self._apart.broken(self._apart.state(model.known(self._first)))) - self._wrong
        values = self._good.clock(0)
        for pair in broken:
            literals = [self._sat.of(values[self._apart.nets[one >> 1]]) * (1 if one & 1 else -1) for one in pair]
            self._used[pair] = self._sat.new()
            self._sat.add([-self._used[pair], *(-literal for literal in literals)])
        return bool(broken)

    def _input(self, *name: object) -> int:
        """A free input of this name."""
        if name not in self._inputs:
            self._inputs[name] = self._graph.input()
        return self._inputs[name]
