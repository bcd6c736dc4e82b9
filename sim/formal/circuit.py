"""A component with its monitor as a circuit of and-gates and latches, as Yosys writes it (AIGER).

Memories become latches, so blocks are built small. A run begins as the registers' initial values say, and a register
without one, which is what a memory's read port is, begins with any. A reset may come in any clock; memories keep what
they have, and monitors begin anew.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Value

from halfsilver.hdl.verilog.collector import without_collector
from halfsilver.hdl.verilog.convert import run_yosys

__all__ = ["Circuit", "compiled", "parse"]

_SCRIPT = (
    "read_rtlil top.il; hierarchy -top top; {free}proc -norom; flatten -noscopeinfo; opt; memory_dff; memory_collect; "
    "memory_map; opt; techmap; dffunmap; opt_clean; aigmap; opt_clean; setundef -undriven -zero; "
    "write_aiger -ascii -zinit -symbols top.aag"
)


@dataclass(frozen=True, slots=True)
class Circuit:
    """Literals as in AIGER: twice a variable, odd if inverted; 0 is false."""

    inputs: tuple[int, ...]
    latches: dict[int, tuple[int, int | None]]
    """Next state and first value (None: any) of a latch."""
    gates: tuple[tuple[int, int, int], ...]
    """A gate and its two inputs; each stands behind those that it reads."""
    outputs: dict[str, int]

    def cone(self, roots: Iterable[int]) -> Circuit:
        """What the roots depend on, over all clocks."""
        reads = {gate: (a, b) for gate, a, b in self.gates}
        found: set[int] = set()
        waiting = [root & ~1 for root in roots]
        while waiting:
            literal = waiting.pop()
            if literal in found:
                continue
            found.add(literal)
            more = reads.get(literal) or (self.latches[literal][:1] if literal in self.latches else ())
            waiting += [one & ~1 for one in more if one is not None]
        return Circuit(
            tuple(one for one in self.inputs if one in found),
            {q: what for q, what in self.latches.items() if q in found},
            tuple(gate for gate in self.gates if gate[0] in found),
            self.outputs,
        )


_FREE = "delete top.{part}/p:*; cutpoint top.{part}; hierarchy -top top; "


def compiled(
    module: Module, inputs: Sequence[Any], outputs: Sequence[Any], *, freed: Sequence[str] = (), resets: bool = True
) -> Circuit:
    """The circuit of a module; ``inputs``, the outputs of the submodules ``freed`` and, with ``resets``, the reset are
    free in every clock. VerilogError if Yosys fails.
    """
    module.domains.sync = domain = ClockDomain("sync", reset_less=not resets)
    clocked = (domain.clk, domain.rst) if resets else (domain.clk,)
    ports = [Value.cast(signal) for signal in (*clocked, *inputs, *outputs)]
    with without_collector():
        text = rtlil.convert(module, name="top", ports=ports, emit_src=False)
    with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
        directory = Path(place)
        (directory / "top.il").write_text(text)
        run_yosys(_SCRIPT.format(free="".join(_FREE.format(part=part) for part in freed)), directory)
        return parse((directory / "top.aag").read_text())


def parse(text: str) -> Circuit:
    """An AIGER text. ValueError for one that is not known here."""
    lines = iter(text.splitlines())
    head = next(lines).split()
    if head[0] != "aag" or len(head) != 6:
        raise ValueError(f"not an ASCII AIGER file of the plain kind: {' '.join(head)}")
    _, inputs, latches, outputs, gates = map(int, head[1:])
    ins = tuple(int(next(lines)) for _ in range(inputs))
    states: dict[int, tuple[int, int | None]] = {}
    for _ in range(latches):
        q, following, *first = map(int, next(lines).split())
        states[q] = following, (first[0] if first[0] < 2 else None) if first else 0
    outs = [int(next(lines)) for _ in range(outputs)]
    ands = [(int(a), int(b), int(c)) for a, b, c in (next(lines).split() for _ in range(gates))]
    names: dict[str, int] = {}
    for line in lines:
        if found := re.match(r"o(\d+) (.*)$", line):
            names[found[2].removesuffix("[0]")] = outs[int(found[1])]
        elif line == "c":
            break
    ands.sort()
    return Circuit(ins, states, tuple(ands), names)
