"""Proofs that a mutant changes nothing: of one module, for every state, memory content and input.

Registers, memories and submodules are taken out: what comes out of them are inputs of both circuits, what goes into
them are outputs to compare. What is left is combinational, and Yosys' SAT solver decides it completely. A mutant that
can only show in states that are never reached is not proven; nothing is assumed of states.

A proof is worth what its script is worth, so the caller has to try it on mutants that were caught
(`halfsilver.sim.mutation.campaign`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.sim.mutation.netlist import Mutant, Netlist, yosys
from halfsilver.sim.mutation.open_circuit import body, interfaces, open_circuit

__all__ = ["is_equivalent"]

SECONDS = 60
"""The solver's limit; without an answer by then there is no proof."""

_NO_PROOF = ("proof did fail", "proof did time out")
"""What Yosys says then; any other error is one of the script."""

_CHANGE = """
read_rtlil module.il
mutate {change}
{clean}
write_rtlil both.il
"""

_CLEAN = "opt_clean -purge gold gate; splitcells gold gate; opt_clean -purge gold gate"
"""Bits of registers that nobody reads are gone then, and what leads to them."""

_OTHER_PORTS = "No matching port"
"""A mutant can take the last reader of a register away, or be one; then nothing is cleaned."""

_COMPARE = """
read_rtlil gold.il
read_rtlil -nooverwrite gate.il
flatten gold
flatten gate
expose -evert gold/c:*
expose -evert gate/c:*
miter -equiv -flatten -make_outputs gold gate miter
hierarchy -purge_lib -top miter
flatten
opt_expr
opt_merge
opt_expr
opt_merge
opt_clean
sat -timeout {seconds} -verify-no-timeout -prove trigger 0 miter
"""


def is_equivalent(netlist: Netlist, mutant: Mutant) -> bool:
    """Whether the mutant is proven to change nothing; False also where there is no proof.

    HalfsilverError if the proof could not be tried.
    """
    words = mutant.options.split()
    words[words.index("-module") + 1] = "gate"
    inside = body(netlist.text, mutant.module)
    modules = "".join(f"module \\{name}\n{inside}\nend\n" for name in ("gold", "gate"))
    with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
        directory = Path(place)
        (directory / "module.il").write_text(modules + interfaces(netlist.text))
        for clean in (_CLEAN, ""):
            yosys(_CHANGE.format(change=" ".join(words), clean=clean), directory)
            both = (directory / "both.il").read_text()
            for name in ("gold", "gate"):
                (directory / f"{name}.il").write_text(open_circuit(both, name) + interfaces(netlist.text))
            try:
                yosys(_COMPARE.format(seconds=SECONDS), directory)
            except HalfsilverError as error:
                if any(said in str(error) for said in _NO_PROOF):
                    return False
                if not clean or _OTHER_PORTS not in str(error):
                    raise
            else:
                return True
        return False
