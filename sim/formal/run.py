"""One claim after the other: searched, proven as far as it goes, and refuted with its fault planted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import C, Cat, Signal, Value

from halfsilver.sim.formal.changed import Fault
from halfsilver.sim.formal.circuit import Circuit, compiled
from halfsilver.sim.formal.claims import Claim, Setup
from halfsilver.sim.formal.ic3 import invariant, is_invariant
from halfsilver.sim.formal.unrolled import first_violation, holds_by_induction

__all__ = ["Answer", "answers", "circuit_of"]

ASSUMED = "assumed"
"""The output that says whether the inputs of this clock are such as the claims speak of."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one claim. ``violated``: the clock in which it was, if it was; ``refuted``: likewise with the fault."""

    setup: Setup
    claim: Claim
    violated: int | None
    refuted: int | None
    method: str
    seconds: float

    @property
    def shown(self) -> bool:
        return self.violated is None and self.refuted is not None


def circuit_of(setup: Setup, fault: Fault | None = None) -> Circuit:
    """The circuit of a set-up's model."""
    model = setup.model(fault)
    model.outputs[ASSUMED] = assumed = Signal(name=ASSUMED)
    model.m.d.comb += assumed.eq(Cat(C(1, 1), *model.assumed).all())
    outputs = [Value.cast(one) for one in model.outputs.values()]
    return compiled(model.m, model.inputs, outputs, freed=setup.freed, resets=setup.resets)


def answers(setup: Setup, *, quick: bool = False) -> Iterator[Answer]:
    """Of all claims of a set-up, or of those for every day."""
    claims = [claim for claim in setup.claims if claim.quick or not quick]
    circuit = circuit_of(setup) if claims else None
    for claim in claims:
        assert circuit is not None
        start = time.process_time()
        method, violated = _method(circuit, claim)
        refuted = _first(circuit_of(setup, claim.fault), claim)
        yield Answer(setup, claim, violated, refuted, method, time.process_time() - start)


def _first(circuit: Circuit, claim: Claim) -> int | None:
    """The first clock in which one of the claim's outputs can be 1, the first one of which that is so."""
    found = (_search(circuit, bad, claim.clocks) for bad in claim.bad)
    return next((clock for clock in found if clock is not None), None)


def _search(circuit: Circuit, bad: str, clocks: int) -> int | None:
    wanted, assume = circuit.outputs[bad], circuit.outputs[ASSUMED]
    return first_violation(circuit.cone((wanted, assume)), wanted, assume, clocks)


def _method(circuit: Circuit, claim: Claim) -> tuple[str, int | None]:
    """How far all of the claim's outputs are shown never to be 1; or the clock in which one is."""
    depths, sizes = [], []
    for bad in claim.bad:
        wanted, assume = circuit.outputs[bad], circuit.outputs[ASSUMED]
        cone = circuit.cone((wanted, assume))
        depth = holds_by_induction(cone, wanted, assume, min(claim.induction, claim.clocks))
        if depth is not None and _search(circuit, bad, depth) is None:
            depths.append(depth)
            continue
        cubes = invariant(cone, wanted, assume, claim.seconds) if claim.seconds else None
        if cubes is None or not is_invariant(cone, wanted, assume, cubes):
            violated = _first(circuit, claim)
            return f"bounded, {claim.clocks} clocks" if violated is None else "violated", violated
        sizes.append(len(cubes))
    return f"invariant, {max(sizes)} clauses" if sizes else f"induction, k = {max(depths)}", None
