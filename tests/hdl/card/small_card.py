"""The card that is simulated, with the smallest NIC, and how a cocotb bench runs on it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from halfsilver.hdl.bus.uart import SerialRate
from halfsilver.hdl.layout.parameters import NicParameters
from halfsilver.sim.cocotb_model import TOP, build_model, simulate
from halfsilver.sim.model.verilog import to_verilog
from tests.hdl.card.rig import CLOCKS_PER_BIT
from tests.hdl.card.top import CardTop

SMALL = NicParameters(width=32, enis=1, sessions=1, rules=1, lookup_clocks=8, copies=8)
LONGEST = 1600
"""Short, because a giant takes long."""
_CLOCK = 62_500_000
RATE = SerialRate(_CLOCK, _CLOCK // CLOCKS_PER_BIT)


def run_bench(
    bench: str,
    ports: int,
    folder: Path,
    *,
    seed: int,
    environment: dict[str, str],
    test_filter: str | None = None,
    **card: Any,
) -> None:
    """A cocotb module on the small card; all its tests must pass, or those that the filter names.

    ``card``: what else there is in it.
    """
    results, log = folder / "results.xml", folder / "simulation.log"
    top = CardTop(SMALL, RATE, ports=ports, longest=LONGEST, resync_seconds=0, **card)
    code = simulate(
        build_model(", ".join(["card", f"{ports} ports", *card]), to_verilog(top, TOP)),
        bench,
        folder,
        seed=seed,
        results=results,
        log=log,
        timeout=600,
        environment={"COCOTB_TRUST_INERTIAL_WRITES": "0", "COCOTB_LOG_LEVEL": "WARNING", **environment},
        test_filter=test_filter,
    )
    cases = list(ET.parse(results).iter("testcase")) if results.exists() else []
    failures = [problem.get("message") for each in cases for problem in each if problem.tag in ("failure", "error")]
    assert code == 0 and cases and not failures, f"seed {seed}: {failures}\n{log.read_text()[-3000:]}"
