"""Random runs of a flat circuit from power-up, many at a time: each bit of a number is a run of its own (a lane).

What a memory's read port fetches is random too, as it is free in the proofs: more is reached than in the real circuit,
and what holds here anyway is what such a proof can show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from halfsilver.sim.mutation.washout.circuit import SELECT, Circuit

__all__ = ["Runs"]

LANES = 1024
_PART = 4000
"""Gates in one compiled function: Python's compiler takes long for long ones."""

_FORMS = {
    "$_NOT_": "v[{o}]=v[{0}]^m",
    "$_AND_": "v[{o}]=v[{0}]&v[{1}]",
    "$_OR_": "v[{o}]=v[{0}]|v[{1}]",
    "$_XOR_": "v[{o}]=v[{0}]^v[{1}]",
    "$_XNOR_": "v[{o}]=v[{0}]^v[{1}]^m",
    "$_MUX_": "v[{o}]=v[{0}]^(v[{0}]^v[{1}])&v[{2}]",
}

BYTES = bytes.fromhex("00 00 00 01 02 05 06 08 08 11 11 2b 2c 33 3a 3c 45 45 46 60 60 81 86 a8 dd dd ff ff 12 b5")
"""EtherTypes, protocols and first bytes of headers among others, so that parsers do not stop at the first field."""

_RARE, _OFTEN = 5, -3
"""Coins that all have to fall: of a bit that is rarely 1, and of one that is rarely 0."""

_CHANCES = {"rst": 12, "tlast": 7, "tuser": _RARE, "drop": _RARE, "tvalid": _OFTEN, "tready": _OFTEN, "tkeep": _OFTEN}


class Runs:
    """``values`` of all nets, a bit for each lane."""

    def __init__(self, circuit: Circuit, seed: int = 1) -> None:
        self._circuit, self._chance = circuit, Random(seed)
        self._all = (1 << LANES) - 1
        nets = [gate[2] for gate in circuit.gates] + [q for q, _ in circuit.registers]
        nets += [net for bits in circuit.inputs.values() for net in bits]
        nets += [net for memory in circuit.memories for port in memory.reads for net in port.data]
        self.values = [0] * (max(nets) + 1)
        self.values[1] = self._all
        for net in [q for q, _ in circuit.registers]:
            self.values[net] = self._all * circuit.initial[net] if net in circuit.initial else self._coins(1)
        self._ports = [port for memory in circuit.memories for port in memory.reads]
        for port in self._ports:
            for net in port.data:
                self.values[net] = self._all * circuit.initial[net] if net in circuit.initial else self._coins(1)
        self._gates = list(_compiled(circuit))

    def settle(self) -> None:
        """Draws the inputs of a clock, and what follows from them."""
        for name, nets in self._circuit.inputs.items():
            if name == SELECT:
                continue
            if name.endswith("tdata"):
                self._draw_bytes(nets)
            else:
                kind = name.rpartition("_")[2]
                for net in nets:
                    self.values[net] = self._coins(_CHANCES.get(kind, 1))
        for part in self._gates:
            part(self.values, self._all)

    def clock(self) -> None:
        """The edge: registers and read ports take what is there."""
        values = self.values
        later = [(q, values[d]) for q, d in self._circuit.registers]
        for port in self._ports:
            on = values[port.enable]
            later += [(net, values[net] ^ (values[net] ^ self._coins(1)) & on) for net in port.data]
        for net, value in later:
            values[net] = value

    def start(self, state: Mapping[int, int]) -> None:
        """Puts registers of all runs into a state."""
        for net, value in state.items():
            self.values[net] = self._all * value

    def _coins(self, count: int) -> int:
        """A number whose bits are 1 if all of so many coins fall; 0 if so, for a negative count."""
        value = self._all
        for _ in range(abs(count)):
            value &= self._chance.getrandbits(LANES)
        return value ^ self._all if count < 0 else value

    def _draw_bytes(self, nets: Sequence[int]) -> None:
        for start in range(0, len(nets), 8):
            drawn = bytes(self._chance.choices(BYTES, k=LANES))
            for place, net in enumerate(nets[start : start + 8]):
                self.values[net] = int(drawn.translate(_DIGITS[place]), 2)


_DIGITS = [bytes(48 + (value >> place & 1) for value in range(256)) for place in range(8)]
"""The digit of a bit, by byte."""


def _compiled(circuit: Circuit) -> Iterator[Callable[[list[int], int], None]]:
    for start in range(0, len(circuit.gates), _PART):
        lines = [
            _FORMS[kind].format(*inputs, o=output) for kind, inputs, output in circuit.gates[start : start + _PART]
        ]
        space: dict[str, Callable[[list[int], int], None]] = {}
        exec("def part(v, m):\n " + "\n ".join(lines), space)
        yield space["part"]
