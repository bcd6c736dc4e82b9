"""The cocotb benches of the whole core on a model with mutants, one of them switched on at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from halfsilver.harness.errors import HalfsilverError
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.benches import BENCHES, Bench
from halfsilver.sim.cocotb_model import TOP, build_model
from halfsilver.sim.cocotb_runner import run_on_model
from halfsilver.sim.mutation.netlist import VARIABLE, Mutant, Netlist

__all__ = ["CORE", "CoreBenches"]

BLOCK = "export.AxiNic"
CORE = tuple(bench for bench in BENCHES if all(build.block == BLOCK for build in bench.builds))
"""The benches that drive the exported top."""

_ONE_FAILURE = {"COCOTB_MAX_FAILURES": "1"}


class CoreBenches:
    """All benches of `CORE`, on a build of any width."""

    def __init__(self, netlist: Netlist, mutants: Sequence[Mutant], seed: int, what: str) -> None:
        self._model = build_model(what, netlist.verilog(mutants, TOP))
        self._parameters = _given(netlist.parameters)
        self._seed = seed

    def first_failure(self, number: int) -> str | None:
        """What the first failing test says, ``bench::test: message``; 0 is the gateware without a mutant."""
        for bench in CORE:
            if (failure := self._failure(bench, number)) is not None:
                return f"{bench.name}::{failure}"
        return None

    def _failure(self, bench: Bench, number: int) -> str | None:
        with tempfile.TemporaryDirectory(prefix="halfsilver-") as place:
            environment = {VARIABLE: str(number), **_ONE_FAILURE}
            try:
                outcome = run_on_model(
                    bench, self._model, self._parameters, Path(place), seed=self._seed, environment=environment
                )
            except HalfsilverError as error:  # the simulator ended without results
                return f"crash: {error}"
        if outcome.failed:
            return ": ".join(next(iter(outcome.failed.items())))
        return None if outcome.passed else "no test ran"


def _given(parameters: NicParameters) -> dict[str, int]:
    """What differs from the defaults."""
    usual = NicParameters()
    pairs = ((field.name, getattr(parameters, field.name)) for field in fields(NicParameters))
    return {"width": parameters.width} | {name: value for name, value in pairs if value != getattr(usual, name)}
