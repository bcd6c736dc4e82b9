"""The good circuit clock after clock, from any state, as one graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from heapq import heapify, heappop, heappush

from halfsilver.sim.mutation.washout.circuit import SELECT, Circuit
from halfsilver.sim.mutation.washout.graph import FALSE, TRUE, Graph

__all__ = ["Condition", "Unrolled"]

Condition = tuple[int, int]
"""A net, and 1 if the condition is that it is 0."""

Nets = dict[int, int]
"""Literals of nets."""

FEW = 8
"""Bits of a register whose every bit may be a condition: a state machine's, a small counter's."""

_RESPONSES = ("s_axil_r", "s_axil_b")
"""Channels of AXI4-Lite that leave the card."""


class Unrolled:
    """Every clock's literals; inputs are free in each, and so is what a memory's read port fetches."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.graph = Graph()
        self._clocks: list[Nets] = []
        self._fresh: list[dict[tuple[int, int, int], int]] = []
        self._readers: dict[int, list[int]] = defaultdict(list)
        for place, (_, inputs, _) in enumerate(circuit.gates):
            for net in set(inputs):
                self._readers[net].append(place)
        self._conditions = self._find_conditions()

    def clock(self, number: int) -> Nets:
        """Literals of all nets."""
        graph, circuit = self.graph, self.circuit
        while len(self._clocks) <= number:
            values = {0: FALSE, 1: TRUE}
            if self._clocks:
                last = self._clocks[-1]
                values.update((q, last[d]) for q, d in circuit.registers)
                for (m, p, j), fetched in self._fresh[-1].items():
                    port = circuit.memories[m].reads[p]
                    values[port.data[j]] = graph.choose(last[port.enable], last[port.data[j]], fetched)
            else:
                values.update((q, graph.input(state=True)) for q, _ in circuit.registers)
                for memory in circuit.memories:
                    values.update((net, graph.input(state=True)) for port in memory.reads for net in port.data)
            for name, nets in circuit.inputs.items():
                values.update((net, FALSE if name == SELECT else graph.input()) for net in nets)
            for gate in circuit.gates:
                values[gate[2]] = self._gate(gate, values, {})
            self._clocks.append(values)
            self._fresh.append(
                {
                    (m, p, j): graph.input()
                    for m, memory in enumerate(circuit.memories)
                    for p in range(len(memory.reads))
                    for j in range(memory.width)
                }
            )
        return self._clocks[number]

    def fetched(self, number: int, memory: int, port: int) -> list[int]:
        """The word that a read port fetches in a clock."""
        self.clock(number)
        return [self._fresh[number][memory, port, j] for j in range(self.circuit.memories[memory].width)]

    def spread(self, number: int, changed: Nets) -> Nets:
        """The nets that have another literal in a clock because those of ``changed`` have, and these."""
        values, gates, readers = self.clock(number), self.circuit.gates, self._readers
        answer = dict(changed)
        waiting = [place for net in changed for place in readers.get(net, ())]
        heapify(waiting)
        before = -1
        while waiting:
            place = heappop(waiting)
            if place == before:
                continue
            before = place
            output = gates[place][2]
            literal = self._gate(gates[place], values, answer)
            if literal != values[output]:
                answer[output] = literal
                for reader in readers.get(output, ()):
                    heappush(waiting, reader)
        return answer

    def seen(self, number: int, changed: Nets) -> Iterator[int]:
        """Where the outputs of a clock differ and mean something."""
        values, outputs, graph = self.clock(number), self.circuit.outputs, self.graph
        for name, nets in outputs.items():
            for place, net in enumerate(nets):
                if net in changed:
                    difference = graph.differ(values[net], changed[net])
                    if (valid := _valid_of(name)) in outputs and valid != name:
                        difference = graph.both(difference, values[outputs[valid][0]])
                    if name.endswith("_tdata") and (keep := outputs.get(f"{name[:-4]}keep")):
                        difference = graph.both(difference, values[keep[place // 8]])
                    yield difference

    def conditions(self, net: int) -> list[Condition]:
        """Signals of one bit in the modules that know the net and around them, as far as registers decide them."""
        modules = {_module(name) for name in self.circuit.names.get(net, ())}
        around = sorted(modules | {_module(module) for module in modules})
        return sorted({one for module in around for one in self._conditions.get(module, ())})

    def signals(self) -> list[int]:
        """Nets that registers decide: conditions, and what is decoded from one register of few bits. No two are one."""
        values, graph, circuit = self.clock(0), self.graph, self.circuit
        found = {values[net] >> 1: net for some in self._conditions.values() for net, _ in some}
        few = {
            q: name for q, _ in circuit.registers for name in circuit.names.get(q, ()) if circuit.widths[name] <= FEW
        }
        decoded = {values[q] >> 1: name for q, name in few.items()}
        for _, inputs, output in circuit.gates:
            node = values[output] >> 1
            sources = {decoded.get(values[net] >> 1, "") for net in inputs if values[net] > 1}
            if node and len(sources) == 1 and not graph.is_input(node):
                decoded.setdefault(node, sources.pop())
                if decoded[node]:
                    found.setdefault(node, output)
        return sorted(found.values())

    @cached_property
    def at_power_up(self) -> dict[int, int]:
        """Values of nets, as far as the registers' initial ones decide them."""
        graph, circuit, values = self.graph, self.circuit, self.clock(0)
        known: list[int | None] = [None] * (1 + max(literal >> 1 for literal in values.values()))
        known[0] = 0
        for net, value in circuit.initial.items():
            if net in values and values[net] > 1:
                known[values[net] >> 1] = value
        for node in range(1, len(known)):
            if not graph.is_input(node):
                sides = [_inverted(known[side >> 1], side & 1) for side in (graph.first[node], graph.second[node])]
                known[node] = 0 if 0 in sides else None if None in sides else 1
        found = {net: _inverted(known[literal >> 1], literal & 1) for net, literal in values.items()}
        return {net: value for net, value in found.items() if value is not None}

    def _find_conditions(self) -> dict[str, list[Condition]]:
        values, states = self.clock(0), {q for q, _ in self.circuit.registers}
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for net, names in self.circuit.names.items():
            literal = values.get(net, FALSE)
            if literal < 2 or self.graph.free[literal >> 1]:
                continue
            for name in names:
                width = self.circuit.widths[name]
                if width == 1 or (net in states and width <= FEW):
                    found[_module(name)].setdefault(literal >> 1, net)
        return {module: [(net, flip) for net in nets.values() for flip in (0, 1)] for module, nets in found.items()}

    def _gate(self, gate: tuple[str, tuple[int, ...], int], values: Nets, changed: Mapping[int, int]) -> int:
        """One of Yosys' gates; an input has the literal of ``changed`` where it is there."""
        kind, inputs, _ = gate
        a, *rest = [changed.get(net, values[net]) for net in inputs]
        graph = self.graph
        if kind == "$_MUX_":
            return graph.choose(rest[1], a, rest[0])
        if kind == "$_AND_":
            return graph.both(a, rest[0])
        if kind == "$_OR_":
            return graph.either(a, rest[0])
        if kind == "$_XOR_":
            return graph.differ(a, rest[0])
        if kind == "$_XNOR_":
            return graph.differ(a, rest[0]) ^ 1
        return a ^ 1

    def same(self, number: int, nets: Iterable[int], changed: Nets) -> int:
        """Where none of the nets differs."""
        values = self.clock(number)
        return self.graph.any(self.graph.differ(values[net], changed[net]) for net in nets if net in changed) ^ 1


def _valid_of(output: str) -> str:
    """The name of the valid bit without which AXI lets an output mean nothing; ready has none."""
    if output.endswith("ready"):
        return ""
    for channel in _RESPONSES:
        if output.startswith(channel):
            return f"{channel}valid"
    return f"{output.rpartition('_t')[0]}_tvalid"


def _inverted(value: int | None, inverted: int) -> int | None:
    return None if value is None else value ^ inverted


def _module(name: str) -> str:
    return name.rpartition(".")[0]
