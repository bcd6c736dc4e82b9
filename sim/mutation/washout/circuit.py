"""A whole build as one flat circuit of gates, with its mutants in it, as Yosys writes it.

Registers and memories are cut: what comes out of them is a state. All mutants of a list are in the circuit; the input
``mutsel`` chooses one, as in the compiled models (`halfsilver.sim.mutation.netlist`), so that good circuit and mutant
differ in nothing but the mutated bit.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halfsilver.sim.mutation.netlist import NAME, Mutant, yosys

__all__ = ["Circuit", "Memory", "ReadPort", "WritePort", "flat_circuit", "parse"]

SELECT = "mutsel"
_SELECT_BITS = 16

_FLATTEN = """
read_rtlil base.il
{lines}
proc -norom
memory_collect
flatten -noscopeinfo
setattr -unset src -unset hdlname -unset keep
simplemap
techmap
opt_clean
write_json flat.json
"""

_GATES = {
    "$_NOT_": ("A",),
    "$_AND_": ("A", "B"),
    "$_OR_": ("A", "B"),
    "$_XOR_": ("A", "B"),
    "$_XNOR_": ("A", "B"),
    "$_MUX_": ("A", "B", "S"),
}
_CLOCK = "clk"
_PLAIN = {
    "RD_TRANSPARENCY_MASK": "0",
    "RD_WIDE_CONTINUATION": "0",
    "WR_WIDE_CONTINUATION": "0",
    "WR_PRIORITY_MASK": "0",
    "RD_CLK_ENABLE": "1",
    "RD_CLK_POLARITY": "1",
    "WR_CLK_ENABLE": "1",
    "WR_CLK_POLARITY": "1",
}
"""What is known of memories here: one clock, reads of what was there before. Bits of each parameter."""


@dataclass(frozen=True, slots=True)
class ReadPort:
    """Nets. The data are a register: they change where ``enable`` is 1."""

    enable: int
    address: tuple[int, ...]
    data: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WritePort:
    """Nets; an enable for each bit of the data."""

    enable: tuple[int, ...]
    address: tuple[int, ...]
    data: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Words of ``width`` bits."""

    name: str
    width: int
    reads: tuple[ReadPort, ...]
    writes: tuple[WritePort, ...]


@dataclass(slots=True)
class Circuit:
    """Nets are numbers; 0 and 1 are the constants."""

    gates: list[tuple[str, tuple[int, ...], int]]
    """Kind, inputs, output; each behind those that it reads."""
    registers: list[tuple[int, int]]
    """Q and D."""
    initial: dict[int, int]
    """Value at power-up by Q; one that is missing is not known."""
    memories: list[Memory]
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    names: dict[int, list[str]]
    """What people call a net, from the top down."""
    widths: dict[str, int] = field(default_factory=dict)
    """Bits of what people call so."""


def flat_circuit(text: str, mutants: Sequence[Mutant]) -> Circuit:
    """The build of an RTLIL text with all of ``mutants``: number k, from 1, where the input ``mutsel`` is k."""
    lines = [
        f"mutate -ctrl {SELECT} {_SELECT_BITS} {number} {mutant.options}" for number, mutant in enumerate(mutants, 1)
    ]
    with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
        directory = Path(place)
        (directory / "base.il").write_text(text)
        yosys(_FLATTEN.format(lines="\n".join(lines)), directory)
        return parse(json.loads((directory / "flat.json").read_text())["modules"][NAME])


def parse(module: Mapping[str, Any]) -> Circuit:
    """A flat module of Yosys' JSON. ValueError if it has something that is not known here."""
    clock = module["ports"][_CLOCK]["bits"][0]
    gates: dict[int, tuple[str, tuple[int, ...], int]] = {}
    registers, memories = [], []
    for name, cell in module["cells"].items():
        kind, links = cell["type"], {port: tuple(map(_net, bits)) for port, bits in cell["connections"].items()}
        if kind in _GATES:
            output = links["Y"][0]
            gates[output] = kind, tuple(links[port][0] for port in _GATES[kind]), output
        elif kind == "$_DFF_P_":
            if links["C"] != (clock,):
                raise ValueError(f"{name} has another clock")
            registers.append((links["Q"][0], links["D"][0]))
        elif kind == "$mem_v2":
            memories.append(_memory(name, cell["parameters"], links, clock))
        else:
            raise ValueError(f"{name}: a cell of kind {kind} is not known here")
    ports = module["ports"].items()
    names, initial, widths = _names(module["netnames"])
    return Circuit(
        list(_in_order(gates)),
        registers,
        initial,
        memories,
        {name: list(map(_net, port["bits"])) for name, port in ports if port["direction"] == "input"},
        {name: list(map(_net, port["bits"])) for name, port in ports if port["direction"] == "output"},
        names,
        widths,
    )


def _net(bit: int | str) -> int:
    if bit in ("x", "z"):
        raise ValueError("an undefined bit")
    return int(bit)


def _memory(name: str, parameters: Mapping[str, str], links: Mapping[str, tuple[int, ...]], clock: int) -> Memory:
    for parameter, bits in _PLAIN.items():
        if set(parameters[parameter]) - set(bits):
            raise ValueError(f"{name}: memories with {parameter} {parameters[parameter]} are not known here")
    width, address = int(parameters["WIDTH"], 2), int(parameters["ABITS"], 2)
    reads, writes = int(parameters["RD_PORTS"], 2), int(parameters["WR_PORTS"], 2)
    if {*links["RD_CLK"], *links["WR_CLK"]} - {clock} or {*links["RD_ARST"], *links["RD_SRST"]} - {0}:
        raise ValueError(f"{name}: another clock, or resets of its own")

    def part(port: str, number: int, size: int) -> tuple[int, ...]:
        return links[port][number * size : (number + 1) * size]

    return Memory(
        name,
        width,
        tuple(
            ReadPort(links["RD_EN"][i], part("RD_ADDR", i, address), part("RD_DATA", i, width)) for i in range(reads)
        ),
        tuple(
            WritePort(part("WR_EN", i, width), part("WR_ADDR", i, address), part("WR_DATA", i, width))
            for i in range(writes)
        ),
    )


def _in_order(gates: Mapping[int, tuple[str, tuple[int, ...], int]]) -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Each gate behind those that it reads. ValueError for a loop."""
    done: set[int] = set()
    begun: set[int] = set()
    for root in gates:
        waiting = [root]
        while waiting:
            net = waiting[-1]
            if net in done:
                waiting.pop()
                continue
            before = [one for one in gates[net][1] if one in gates and one not in done]
            if before:
                if net in begun:
                    raise ValueError("a loop of gates")
                begun.add(net)
                waiting += before
            else:
                done.add(net)
                waiting.pop()
                yield gates[net]


def _names(netnames: Mapping[str, Any]) -> tuple[dict[int, list[str]], dict[int, int], dict[str, int]]:
    names: dict[int, list[str]] = defaultdict(list)
    initial: dict[int, int] = {}
    widths: dict[str, int] = {}
    for name, entry in netnames.items():
        value = entry["attributes"].get("init", "")
        for bit, digit in zip(entry["bits"], reversed(value), strict=False):
            if digit in "01":
                initial[bit] = int(digit)
        if not name.startswith("$") and not re.search(r"[\\$](flatten|auto|techmap)", name):
            widths[name] = len(entry["bits"])
            for bit in entry["bits"]:
                if isinstance(bit, int):
                    names[bit].append(name)
    return dict(names), initial, widths
